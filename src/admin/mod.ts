/**
 * The admin address: health and status, from snapshots only. It changes nothing.
 *
 * May import `errors.ts`, `http` and the checks at the door in `front`.
 *
 * @module
 */

import { ProxyError, toProxyError } from "../errors.ts";
import { type ClientAnswer, type ClientRequest, type Handler, jsonAnswer } from "../http/mod.ts";
import { allowedOrigin, checkHost, type DoorRules, refusal, targetPath } from "../front/mod.ts";

/** What the status page tells. */
export interface Snapshot {
  /** Whether the proxy is stopping. */
  readonly draining: boolean;
  /** Milliseconds since the start. */
  readonly uptimeMs: number;
  /** The routes, without what is behind them. */
  readonly routes: readonly { readonly name: string; readonly path: string }[];
  /** Sessions in the table. */
  readonly sessions: number;
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

type Page = (snapshot: Snapshot) => ClientAnswer;

const json = (status: number, value: unknown) => jsonAnswer(status, JSON.stringify(value));

/** The pages by path: `/healthz` is this process alive, `/readyz` does it take requests. */
const PAGES: ReadonlyMap<string, Page> = new Map<string, Page>([
  ["/healthz", () => json(200, { status: "ok" })],
  [
    "/readyz",
    ({ draining }) => draining ? json(503, { status: "draining" }) : json(200, { status: "ok" }),
  ],
  ["/status", (snapshot) => json(200, snapshot)],
]);

/** The handler of the admin address; never rejects. */
export function adminHandler(door: DoorRules, snapshot: () => Snapshot): Handler {
  return (request) => {
    try {
      return Promise.resolve(page(request, door)(snapshot()));
    } catch (error) {
      return Promise.resolve(refusal(toProxyError(error)));
    }
  };
}

function page(request: ClientRequest, door: DoorRules): Page {
  if (request.method !== "GET" && request.method !== "HEAD") {
    throw new ProxyError("method_not_allowed", "Use GET here.", {
      headers: { allow: "GET, HEAD" },
    });
  }
  const host = checkHost(request, door);
  allowedOrigin(request.headers, host, door);
  const found = PAGES.get(targetPath(request.target).path);
  if (found === undefined) {
    throw new ProxyError(
      "route_not_found",
      `There is no such page; there are ${[...PAGES.keys()].join(", ")}.`,
    );
  }
  return found;
}
