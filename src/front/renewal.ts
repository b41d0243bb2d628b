/**
 * What is said to an upstream that has lost a session, so that it has one like it: `initialize`, that the
 * client is ready, what it had set.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import {
  type Bytes,
  type CancelSignal,
  detached,
  type FieldReader,
  Fields,
  NEVER_ABORTED,
} from "../http/mod.ts";
import { changingLists } from "../rpc/mod.ts";
import { MAX_UPSTREAM_ID_BYTES, type SessionRecord } from "../session/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { firstResult } from "./first_result.ts";

/**
 * How long it may take to make a session anew, in milliseconds, whatever the upstream's own deadlines; a server
 * that has to start for it has its time for that beside.
 */
export const RENEWAL_MS = 20_000;

/** An upstream session that was made anew. */
export interface NewUpstreamSession {
  /** The upstream's id of it. */
  readonly upstreamId: string;
  /** What goes with each message in it. */
  readonly call: UpstreamCall;
  /** Lists whose changes the server tells. */
  readonly changingLists: readonly string[];
}

/** Fields of the call at hand that say something of its own body, and of no other message. */
const OF_THE_BODY: ReadonlySet<string> = new Set([
  "digest",
  "idempotency-key",
  "last-event-id",
  "repr-digest",
]);

/** The time in which one session has to be made anew. */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<Clock["after"]>;

  /** Begins now, for so many milliseconds. */
  constructor(clock: Clock, delayMs: number) {
    this.#timer = clock.after(delayMs, () => this.#controller.abort());
  }

  /** Aborted when the time is over. */
  get signal(): CancelSignal {
    return this.#controller.signal;
  }

  /** What `waiting` comes to; where the time is over, an error that says so. */
  async within<T>(waiting: Promise<T>): Promise<T> {
    try {
      return await waiting;
    } catch (error) {
      if (!this.signal.aborted) throw error;
      throw new ProxyError(
        "upstream_timeout",
        "The upstream server has lost this session and took too long to begin a new one; try again later.",
        { cause: error },
      );
    }
  }

  /** Ends the watch. */
  [Symbol.dispose](): void {
    this.#timer.cancel();
  }
}

/**
 * Sends `initialize` again.
 *
 * @returns the new session, or in words why the client cannot go on in one
 * @throws {ProxyError} where the upstream cannot be reached, or will not have it now
 */
export async function initializeAnew(
  upstream: Upstream,
  record: SessionRecord,
  call: UpstreamCall,
  deadline: Deadline,
): Promise<NewUpstreamSession | string> {
  const { initialize, revision } = record;
  if (initialize === undefined) return "its initialize was not kept";
  // The call at hand is about another message than those that are sent here.
  const base = { ...call, method: undefined, lastEventId: null, signal: deadline.signal };
  const answer = await deadline.within(upstream.exchange(
    {
      ...base,
      method: "initialize",
      sessionId: undefined,
      headers: fieldsFor(call.headers, undefined),
    },
    encode(initialize),
  ));
  if (answer.status >= 500 || answer.status === 429) throw notNow(answer);
  if (isChallenge(answer)) throw notSo(answer);
  const { status, sessionId } = answer;
  const begun = { ...base, sessionId, headers: fieldsFor(call.headers, revision) };
  let result;
  try {
    result = await deadline.within(firstResult(answer, deadline.signal));
  } catch (error) {
    // The head has named it: the server has it all the same.
    if (sessionId !== undefined) letGo(upstream, { call: begun });
    throw error;
  }
  if (sessionId === undefined) return `the upstream server answered initialize with ${status}`;
  const made: NewUpstreamSession = {
    upstreamId: detached(sessionId),
    call: begun,
    changingLists: changingLists(result?.capabilities),
  };
  const why = result === undefined
    ? `the upstream server answered initialize with ${status} and no result`
    : revision !== undefined && result.protocolVersion !== revision
    ? "the upstream server now speaks another revision"
    : new TextEncoder().encode(sessionId).length > MAX_UPSTREAM_ID_BYTES
    ? "the upstream server gave a session id that cannot be used"
    : undefined;
  if (why === undefined) return made;
  letGo(upstream, made);
  return why;
}

/**
 * Says again what the client had said: that it is ready, how much it wants to be told, and of what. What is
 * not done when the time is over, or is refused, is told and left out.
 *
 * @throws {ProxyError} where the upstream cannot be reached
 */
export async function restore(
  upstream: Upstream,
  { subscriptions, logLevel }: SessionRecord,
  { call }: Pick<NewUpstreamSession, "call">,
  deadline: Deadline,
  lacks: (method: string) => void,
): Promise<void> {
  const ready = encode('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  (await deadline.within(upstream.notify(call, ready))).body.discard();
  const asked: [string, unknown][] = subscriptions.map((uri) => ["resources/subscribe", { uri }]);
  if (logLevel !== undefined) asked.unshift(["logging/setLevel", { level: logLevel }]);
  for (const [at, [method, params]] of asked.entries()) {
    const request = { jsonrpc: "2.0", id: `switchyard-restore-${at + 1}`, method, params };
    try {
      const answer = await upstream.exchange(
        { ...call, method },
        encode(JSON.stringify(request)),
      );
      if (await firstResult(answer, call.signal) === undefined) lacks(method);
    } catch (error) {
      if (!deadline.signal.aborted) throw error;
      return lacks(method);
    }
  }
}

/** Ends an upstream session that nobody will use, as far as the upstream lets us; nobody waits for it. */
export function letGo(upstream: Upstream, { call }: Pick<NewUpstreamSession, "call">): void {
  upstream.terminate({ ...call, signal: NEVER_ABORTED })
    .then(({ body }) => body.discard(), () => {
      // It goes when the upstream lets go of idle sessions.
    });
}

function notNow(answer: UpstreamAnswer): ProxyError {
  answer.body.discard();
  const retryAfter = answer.headers.get("retry-after");
  return new ProxyError(
    "upstream_unreachable",
    `The upstream server has lost this session and answers ${answer.status} to a new one; try again later.`,
    { headers: retryAfter === null ? {} : { "retry-after": retryAfter } },
  );
}

/** Whether a refusal says with which credentials there would be none; only who sends its own is told. */
export function isChallenge(
  { status, headers }: Pick<UpstreamAnswer, "status" | "headers">,
): boolean {
  return (status === 401 || status === 403) && headers.has("www-authenticate");
}

/**
 * With other credentials it can be made anew: the client gets the refusal with its challenge (2026-07-28
 * basic/authorization), and its session is still there for the next request.
 */
function notSo({ status, headers, body }: UpstreamAnswer): ProxyError {
  body.discard();
  const challenge = headers.get("www-authenticate");
  return new ProxyError(
    "upstream_status",
    `The upstream server has lost this session and answers ${status} to a new one with these credentials.`,
    {
      upstreamStatus: status,
      headers: challenge === null ? {} : { "www-authenticate": challenge },
    },
  );
}

/** The fields of the call at hand, so far as they go with any message of its client. */
function fieldsFor(headers: FieldReader, revision: string | undefined): Fields {
  const fields = new Fields(["content-type", "application/json"]);
  headers.forEach((value, name) => {
    // `mcp-method` and the like mirror the body.
    const isOfTheBody = name.startsWith("mcp-") || name.startsWith("content-") ||
      OF_THE_BODY.has(name);
    if (!isOfTheBody) fields.append(name, value);
  });
  if (revision !== undefined) fields.append("mcp-protocol-version", revision);
  return fields;
}

function encode(text: string): Bytes {
  return new TextEncoder().encode(text);
}
