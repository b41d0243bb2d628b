/**
 * Sessions that the upstream has lost: it restarted, or let them go. The `initialize` that began one is
 * sent once more, what the client had set is set again, and the client never notices; or it gets a clean
 * 404 (R64, R66).
 *
 * Source: 2025-11-25 basic/transports, "Session Management": a server answers 404 for a session that it does
 * not know. Servers on the TypeScript SDK answer 400 with the error -32000 in their examples; that counts too.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { type Bytes, type FieldReader, Fields, NEVER_ABORTED } from "../http/mod.ts";
import type { Session, SessionTable } from "../session/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import {
  heldBody,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamCall,
} from "../upstream/mod.ts";
import { firstResult } from "./first_result.ts";

/** What recovering works with. */
export interface RecoveryOptions {
  /** The server. */
  readonly upstream: Upstream;
  /** The sessions. */
  readonly sessions: SessionTable;
  /** Where it is told. */
  readonly logger: Logger;
  /** Time. */
  readonly clock: Clock;
}

/** A body of an error that is looked into has at most so many bytes. */
const MAX_ERROR_BYTES = 65_536;

/** How long one instance may take to make a session anew before another may try, in milliseconds. */
const HOLD_MS = 30_000;

/** How often an instance looks whether another has made the session anew, in milliseconds. */
const LOOK_EVERY_MS = 100;

/** Fields of the call at hand that have no place in the messages that make a session anew. */
const NOT_REPEATED: ReadonlySet<string> = new Set([
  "content-type",
  "content-length",
  "last-event-id",
  "mcp-protocol-version",
  "mcp-session-id",
]);

/** Makes sessions of one route anew. */
export class Recovery {
  readonly #options: RecoveryOptions;
  readonly #underWay = new Map<Session, Promise<boolean>>();

  /** For one route. */
  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Whether the head of an answer may mean that the upstream does not know the session. */
  static isSuspect({ status }: UpstreamAnswer): boolean {
    return status === 404 || status === 400;
  }

  /**
   * What follows an answer that is suspect: the answer itself, or, where the upstream has lost the session
   * and it could be made anew, that of the same request sent once more. It cannot have run: a server that
   * does not know a session does not look at its requests.
   *
   * @param generation that of the session when the request went out
   */
  async again(
    session: Session,
    generation: number,
    answer: UpstreamAnswer,
    call: UpstreamCall,
    send: (call: UpstreamCall) => Promise<UpstreamAnswer>,
  ): Promise<UpstreamAnswer> {
    const looked = await lookInto(answer);
    if (!looked.lost) return looked.answer;
    looked.answer.body.discard();
    if (!await this.renew(session, generation, call)) throw gone();
    const repeated = await lookInto(await send({ ...call, sessionId: session.upstreamId }));
    if (!repeated.lost) return repeated.answer;
    repeated.answer.body.discard();
    this.#giveUp(session, "it does not know the one made anew either");
    throw gone();
  }

  /**
   * Makes the upstream session anew, once for all who ask at a time, at whatever instance.
   *
   * @returns false where the session cannot go on; it is closed then
   * @throws {ProxyError} where the upstream cannot be reached now
   */
  async renew(session: Session, generation: number, call: UpstreamCall): Promise<boolean> {
    if (session.ended) return false;
    if (session.record.generation > generation) return true;
    let renewing = this.#underWay.get(session);
    if (renewing === undefined) {
      renewing = this.#renewOnce(session, generation, call)
        .finally(() => this.#underWay.delete(session));
      this.#underWay.set(session, renewing);
    }
    return await renewing;
  }

  async #renewOnce(session: Session, generation: number, call: UpstreamCall): Promise<boolean> {
    const { sessions, clock } = this.#options;
    const untilMs = clock.monotonicMs() + HOLD_MS;
    for (;;) {
      const release = await sessions.lock(session, HOLD_MS);
      try {
        if (!await sessions.reload(session)) return false;
        // Another instance was faster, or the request had gone out before an earlier recovery.
        if (session.record.generation > generation) return true;
        if (release !== undefined) return await this.#renewHere(session, call);
      } finally {
        await release?.();
      }
      if (clock.monotonicMs() >= untilMs) {
        return this.#giveUp(session, "another instance took too long");
      }
      await new Promise<void>((resolve) => void clock.after(LOOK_EVERY_MS, resolve));
    }
  }

  async #renewHere(session: Session, call: UpstreamCall): Promise<boolean> {
    const { sessions, upstream, logger } = this.#options;
    const { initialize, revision, generation } = session.record;
    if (initialize === undefined) return this.#giveUp(session, "its initialize was not kept");
    const base = { ...call, lastEventId: null, signal: NEVER_ABORTED };
    const answer = await upstream.exchange(
      { ...base, sessionId: undefined, headers: fieldsFor(call.headers, undefined) },
      encode(initialize),
    );
    if (answer.status >= 500 || answer.status === 429) throw notNow(answer);
    const upstreamId = answer.sessionId;
    const result = await firstResult(answer);
    if (upstreamId === undefined || result === undefined) {
      return this.#giveUp(session, `the upstream server answered initialize with ${answer.status}`);
    }
    const next = { ...base, sessionId: upstreamId, headers: fieldsFor(call.headers, revision) };
    if (revision !== undefined && result.protocolVersion !== revision) {
      (await upstream.terminate(next)).body.discard();
      return this.#giveUp(session, `the upstream server now speaks ${result.protocolVersion}`);
    }
    if (session.record.state !== "initialising") await this.#restore(session, next);
    const kept = await sessions.change(
      session,
      (record) => ({ ...record, upstreamId, generation: record.generation + 1 }),
    );
    logger.info("session made anew: the upstream server had lost it", {
      session: session.key,
      generation: generation + 1,
    });
    return kept;
  }

  /** Says again what the client had said: that it is ready, what it wants to be told of, how much. */
  async #restore(session: Session, call: UpstreamCall): Promise<void> {
    const { upstream, logger } = this.#options;
    const ready = encode('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    (await upstream.notify(call, ready)).body.discard();
    const { subscriptions, logLevel } = session.record;
    const asked: [string, unknown][] = subscriptions.map((uri) => ["resources/subscribe", { uri }]);
    if (logLevel !== undefined) asked.unshift(["logging/setLevel", { level: logLevel }]);
    for (const [at, [method, params]] of asked.entries()) {
      const request = { jsonrpc: "2.0", id: `switchyard-restore-${at + 1}`, method, params };
      const answer = await upstream.exchange(call, encode(JSON.stringify(request)));
      if (await firstResult(answer) !== undefined) continue;
      logger.warn("a session made anew lacks what its client had set", {
        session: session.key,
        method,
        status: answer.status,
      });
    }
  }

  #giveUp(session: Session, why: string): false {
    this.#options.logger.warn("session lost by the upstream server and not made anew", {
      session: session.key,
      why,
    });
    this.#options.sessions.close(session);
    return false;
  }
}

/** Whether an answer says that the session is not known, and the answer, as if nobody had looked. */
async function lookInto(
  answer: UpstreamAnswer,
): Promise<{ readonly lost: boolean; readonly answer: UpstreamAnswer }> {
  if (answer.status === 404) return { lost: true, answer };
  if (answer.status !== 400 || answer.kind !== "json") return { lost: false, answer };
  const body = await answer.body.bytesWithin(MAX_ERROR_BYTES);
  if (body === null) return { lost: false, answer };
  return { lost: speaksOfSession(body), answer: { ...answer, body: heldBody(body) } };
}

function speaksOfSession(body: Uint8Array): boolean {
  try {
    const { error } = JSON.parse(new TextDecoder().decode(body)) as {
      error?: { code?: unknown; message?: unknown };
    };
    return error?.code === -32000 && typeof error.message === "string" &&
      /session|not initialized/i.test(error.message);
  } catch {
    return false;
  }
}

/** What the client is told: to start over, whatever the upstream's words were (R81). */
function gone(): ProxyError {
  return new ProxyError(
    "session_not_found",
    "The upstream server has lost this session, and it could not be made anew; start a new one with initialize.",
  );
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

function fieldsFor(headers: FieldReader, revision: string | undefined): Fields {
  const fields = new Fields(["content-type", "application/json"]);
  headers.forEach((value, name) => {
    if (!NOT_REPEATED.has(name)) fields.append(name, value);
  });
  if (revision !== undefined) fields.append("mcp-protocol-version", revision);
  return fields;
}

function encode(text: string): Bytes {
  return new TextEncoder().encode(text);
}
