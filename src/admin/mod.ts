/**
 * The admin address: health, status and sessions, from snapshots only. It changes nothing.
 *
 * May import `clock.ts`, `errors.ts`, `http`, the checks at the door in `front`, and what is read: `session`,
 * and types of `relay`.
 *
 * @module
 */

import { ProxyError, toProxyError } from "../errors.ts";
import { type ClientAnswer, type ClientRequest, type Handler, jsonAnswer } from "../http/mod.ts";
import { allowedOrigin, checkHost, type DoorRules, refusal, targetPath } from "../front/mod.ts";
import type { SessionPages } from "./sessions.ts";

export type { ClientInfo } from "./client_info.ts";
export {
  SessionPages,
  type SessionPagesOptions,
  type ToldSession,
  type ToldSessions,
  type ToldStream,
} from "./sessions.ts";

/** What the status page tells. */
export interface Snapshot {
  /** Whether the proxy is stopping. */
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

/** Where the pages look. */
export interface AdminSources {
  /** What the status page tells, now. */
  snapshot(): Snapshot;
  /** The pages about sessions. */
  readonly sessions: SessionPages;
}

/** What a page is asked for beside its path. */
interface Asked {
  /** The query with its `?`, or empty. */
  readonly query: string;
  /** What follows the path of a page that is one of many. */
  readonly rest: string;
}

type Page = (sources: AdminSources, asked: Asked) => ClientAnswer;

const json = (status: number, value: unknown) => jsonAnswer(status, JSON.stringify(value));

/**
 * The pages by path, or by how their paths begin: `/healthz` is this process alive, `/readyz` does it take
 * requests.
 */
const PAGES: ReadonlyMap<string, Page> = new Map<string, Page>([
  ["/healthz", () => json(200, { status: "ok" })],
  [
    "/readyz",
    (sources) =>
      sources.snapshot().draining ? json(503, { status: "draining" }) : json(200, { status: "ok" }),
  ],
  ["/status", (sources) => json(200, sources.snapshot())],
  ["/sessions", ({ sessions }, { query }) => json(200, sessions.list(query))],
  ["/sessions/", ({ sessions }, { rest }) => json(200, sessions.one(rest))],
]);

/** The handler of the admin address; never rejects. */
export function adminHandler(door: DoorRules, sources: AdminSources): Handler {
  return (request) => {
    try {
      return Promise.resolve(answer(request, door, sources));
    } catch (error) {
      return Promise.resolve(refusal(toProxyError(error)));
    }
  };
}

function answer(request: ClientRequest, door: DoorRules, sources: AdminSources): ClientAnswer {
  if (request.method !== "GET" && request.method !== "HEAD") {
    throw new ProxyError("method_not_allowed", "Use GET here.", {
      headers: { allow: "GET, HEAD" },
    });
  }
  const host = checkHost(request, door);
  allowedOrigin(request.headers, host, door);
  const { path, query } = targetPath(request.target);
  const end = path.indexOf("/", 1) + 1;
  const name = end === 0 ? path : path.slice(0, end);
  const found = PAGES.get(name);
  if (found !== undefined) return found(sources, { query, rest: path.slice(name.length) });
  const paths = [...PAGES.keys()].map((one) => one.endsWith("/") ? `${one}KEY` : one);
  throw new ProxyError(
    "route_not_found",
    `There is no such page; there are ${paths.join(", ")}.`,
  );
}
