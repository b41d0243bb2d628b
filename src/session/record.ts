/**
 * What is kept of a session, so that it goes on after a restart and at another instance.
 *
 * @module
 */

/** Where a session is in its life. */
export type SessionState = "initialising" | "open" | "closing" | "closed";

/** What is kept of a session: plain JSON. The client's id is not in it and cannot be made from it. */
export interface SessionRecord {
  /** The random part of the client's id, in base64url: what the record is found by. */
  readonly key: string;
  /** Name of the route that it belongs to. */
  readonly route: string;
  /** Id of the principal that it belongs to. */
  readonly principal: string;
  /** Where it is in its life. */
  readonly state: SessionState;
  /** The upstream's session id; replaced when the upstream session is made anew. */
  readonly upstreamId: string;
  /** How often the upstream session was made anew. */
  readonly generation: number;
  /** When it began, in milliseconds since 1970. */
  readonly createdMs: number;
  /** When it was last used, in milliseconds since 1970. */
  readonly lastUsedMs: number;
  /** The revision that `initialize` settled, once its answer was seen. */
  readonly revision?: string;
  /** The client's `initialize` message as it may be sent again; left out where it was too large to keep. */
  readonly initialize?: string;
  /** The level of the last `logging/setLevel` that was answered with a result. */
  readonly logLevel?: string;
  /** URIs that the client has subscribed to. */
  readonly subscriptions: readonly string[];
  /** Lists whose changes the server tells (`tools`, `prompts`, `resources`), once that was seen. */
  readonly changingLists?: readonly string[];
}

/** A frozen copy of a record: of what a record has, and of nothing else that an object may carry. */
export function keptRecord(record: SessionRecord): SessionRecord {
  const { key, route, principal, state, upstreamId, generation, createdMs, lastUsedMs } = record;
  const { revision, initialize, logLevel, subscriptions, changingLists } = record;
  return Object.freeze({
    key,
    route,
    principal,
    state,
    upstreamId,
    generation,
    createdMs,
    lastUsedMs,
    ...(revision === undefined ? {} : { revision }),
    ...(initialize === undefined ? {} : { initialize }),
    ...(logLevel === undefined ? {} : { logLevel }),
    subscriptions: Object.freeze([...subscriptions]),
    ...(changingLists === undefined ? {} : { changingLists: Object.freeze([...changingLists]) }),
  });
}

/**
 * A record from its JSON, used at `lastUsedMs`.
 *
 * @throws {SyntaxError} where it is none; what it says instead is not told
 */
export function parseRecord(json: string, lastUsedMs: number): SessionRecord {
  let value: Partial<SessionRecord> | null;
  try {
    value = JSON.parse(json);
  } catch {
    value = null;
  }
  if (typeof value?.key !== "string" || !Array.isArray(value.subscriptions)) {
    throw new SyntaxError("it is not the record of a session");
  }
  return keptRecord({ ...value, lastUsedMs } as SessionRecord);
}
