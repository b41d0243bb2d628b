/**
 * What the pages read, and what they may do: plain functions, so that whoever wires the proxy is free.
 *
 * @module
 */

import type { RouteTargets } from "../balance/mod.ts";
import type { ReloadOutcome } from "../config/mod.ts";
import type { Session } from "../session/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import type { SessionPages } from "./sessions.ts";

/** What the status page tells. */
export interface Snapshot {
  /** Whether the proxy drains or stops. */
  readonly draining: boolean;
  /** Milliseconds since the start. */
  readonly uptimeMs: number;
  /** The routes, and what is going on behind them, without a word of where. */
  readonly routes: readonly {
    readonly name: string;
    readonly path: string;
    readonly upstream: Readonly<Record<string, unknown>>;
  }[];
  /** Connections of clients that are open now; null where the server does not tell. */
  readonly clientConnections: number | null;
  /** Sessions in the table. */
  readonly sessions: number;
  /** Principals who have sessions. */
  readonly principals: number;
  /** Answers that are not over yet, streams included. */
  readonly answersUnderWay: number;
  /** Of those, the streams without an end of their own. */
  readonly subscriptions: number;
  /** Event streams of sessions that can be resumed, and how many of them nobody reads. */
  readonly streams: { readonly held: number; readonly unattended: number };
  /** What the event log holds; null where there is none. */
  readonly eventLog: {
    readonly streams: number;
    readonly events: number;
    readonly bytes: number;
  } | null;
}

/** How far draining has come. */
export interface ToldDrain {
  /** Whether the process drains, also because it stops. */
  readonly draining: boolean;
  /** Whether it stops, which cannot be taken back. */
  readonly stopping: boolean;
  /** Requests of clients whose answer has not begun. */
  readonly requestsWaiting: number;
  /** Answers that are not over yet, streams included. */
  readonly answersUnderWay: number;
  /** Of those, the streams without an end of their own. */
  readonly subscriptions: number;
  /** Connections of clients that are open now; null where the server does not tell. */
  readonly clientConnections: number | null;
}

/** The draining of the process. */
export interface ProcessDrain {
  /** Begins it; nothing happens where it has begun. */
  begin(): void;
  /**
   * Takes it back.
   *
   * @returns false where the process stops: then nothing happens
   */
  resume(): boolean;
  /** How far it has come. */
  told(): ToldDrain;
}

/** One route, as far as readiness and its targets are concerned. */
export interface AdminRoute {
  /** Its name. */
  readonly name: string;
  /** What its calls are balanced over; undefined where there is nothing of the kind, as for a program. */
  readonly targets?: RouteTargets | undefined;
}

/** What the pages work with. */
export interface AdminSources {
  /** Milliseconds since the start. */
  uptimeMs(): number;
  /** What the status page tells, now. */
  snapshot(): Snapshot;
  /** All figures, for whoever gathers them; left out where nothing is counted. */
  metrics?(): { readonly contentType: string; readonly text: string };
  /** The pages about sessions. */
  readonly sessions: SessionPages;
  /** The sessions of clients that are held here, by the names of the routes that sessions have. */
  sessionsHere(): Iterable<Pick<Session, "route" | "upstreamId">>;
  /** The routes, as the config in force has them. */
  routes(): readonly AdminRoute[];
  /** Stores that requests need and that do not work now, a sentence for each; in bounded time, never rejects. */
  failingStores(): Promise<readonly string[]>;
  /** The draining of the process. */
  readonly drain: ProcessDrain;
  /** Where it is told what an operator has done to a target. */
  readonly logger: Pick<Logger, "info">;
  /** Loads the config anew; left out where the proxy was not started with a file. */
  readonly reload?: (() => Promise<ReloadOutcome>) | undefined;
}
