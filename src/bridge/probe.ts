/**
 * Finding out whether a server speaks 2026-07-28.
 *
 * Source: 2026-07-28 basic/versioning "Backward Compatibility", streamable-http and stdio "Backward
 * Compatibility". Only a `DiscoverResult` with a modern version, or an error that modern servers alone give,
 * proves modern; who may not ask, or asks at a bad time, has learnt nothing.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import {
  FIRST_MODERN_REVISION,
  isModernRevision,
  PROTOCOL_VERSION_KEY,
  SESSION_REVISIONS,
} from "../era/mod.ts";
import { ProxyError, toProxyError } from "../errors.ts";
import { type FieldReader, Fields, NEVER_ABORTED } from "../http/mod.ts";
import { at, CLIENT_INFO, encode, isRecord, keep, type KeptAnswer, readReply } from "../rpc/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";

/** The largest answer to a probe, in bytes. */
const MAX_ANSWER_BYTES = 1_048_576;

/** Errors that no server of the session era gives (2026-07-28 basic/index "Error Codes"). */
const MODERN_CODES: ReadonlySet<unknown> = new Set([-32020, -32021, -32022]);

/** Statuses that say something about who asks, or when, and nothing about the server. */
const ABOUT_THE_CALLER: ReadonlySet<number> = new Set([401, 403, 407, 408, 425, 429]);

/** What a probe works with. */
export interface ProbeOptions {
  /** Time. */
  readonly clock: Clock;
  /** Longest wait for the answer, in milliseconds. */
  readonly timeoutMs: number;
  /**
   * Whether the server is on stdio, where no answer in time, and every error that is not a modern one, prove
   * a server of the session era (2026-07-28 stdio, "Backward Compatibility"). A program may have to start first,
   * so that silence proves nothing by itself: see `Initializing`.
   */
  readonly isStdio: boolean;
  /** How long a server on stdio may take to start, in milliseconds. */
  readonly startMs: number;
}

/** What a probe has found: the era, or what stood in the way. */
export type ProbeResult =
  | { readonly era: "modern" | "session" }
  | { readonly era: undefined; readonly refusal: KeptAnswer | ProxyError };

/** Asks a server what it speaks, in the name of a caller. Never rejects. */
export async function probe(
  server: Upstream,
  call: UpstreamCall,
  options: ProbeOptions,
): Promise<ProbeResult> {
  const over = new AbortController();
  const stop = () => over.abort();
  let timedOut = false;
  const { clock, isStdio, timeoutMs, startMs } = options;
  const initializing = isStdio ? new Initializing(server, call, stop) : undefined;
  const beside = initializing && clock.after(timeoutMs, () => initializing.begin());
  const timer = clock.after(isStdio ? Math.max(timeoutMs, startMs) : timeoutMs, () => {
    timedOut = true;
    over.abort();
  });
  if (call.signal.aborted) over.abort();
  call.signal.addEventListener("abort", stop, { once: true });
  try {
    const asked = { ...call, era: "modern", headers: probeFields(call.headers) } as const;
    const answer = await server.exchange(
      { ...asked, method: "server/discover", sessionId: undefined, signal: over.signal },
      DISCOVER,
    );
    const giveUp = () => answer.body.discard();
    // The caller may have left when the head had just come.
    if (over.signal.aborted) giveUp();
    over.signal.addEventListener("abort", giveUp, { once: true });
    return await judge(answer, options);
  } catch (error) {
    const isSilent = initializing?.hasSession || (timedOut && initializing?.hasFailed);
    if (isSilent) return { era: "session" };
    return { era: undefined, refusal: timedOut ? silent() : unasked(error) };
  } finally {
    timer.cancel();
    beside?.cancel();
    initializing?.end();
    call.signal.removeEventListener("abort", stop);
  }
}

/**
 * The `initialize` that is tried in a process of its own, where another one has left `server/discover` unanswered:
 * that may be a server of the session era, or a program that has not started yet. Whichever is answered first
 * decides. The session is not used.
 */
class Initializing {
  readonly #server: Upstream;
  readonly #call: UpstreamCall;
  readonly #onSession: () => void;
  readonly #control = new AbortController();
  /** Whether the server has given a session. */
  hasSession = false;
  /** Whether it could not be asked, as where it may run but once: then it is its silence that counts. */
  hasFailed = false;

  constructor(server: Upstream, call: UpstreamCall, onSession: () => void) {
    this.#server = server;
    this.#call = call;
    this.#onSession = onSession;
  }

  /** Asks; never rejects. */
  async begin(): Promise<void> {
    const headers = new Fields(carried(this.#call.headers));
    const { signal } = this.#control;
    const asked = { ...this.#call, era: "session", headers, sessionId: undefined, signal } as const;
    try {
      const answer = await this.#server.exchange({ ...asked, method: "initialize" }, INITIALIZE);
      const giveUp = () => answer.body.discard();
      signal.addEventListener("abort", giveUp, { once: true });
      const { sessionId } = answer;
      const reply = await readReply(answer, `s${JSON.parse(PROBE_ID)}`, {
        maxBytes: MAX_ANSWER_BYTES,
        onOther: () => {},
      });
      if (sessionId !== undefined) this.#letGo({ ...asked, sessionId, signal: NEVER_ABORTED });
      this.hasSession = isRecord(at(reply.value, "result"));
    } catch {
      // What stood in the way is told to who asks next, in a session of their own.
      this.hasFailed = true;
    }
    if (this.hasSession) this.#onSession();
  }

  /** Nobody wants to know any more. */
  end(): void {
    this.#control.abort();
  }

  #letGo(call: UpstreamCall): void {
    this.#server.terminate(call).then(({ body }) => body.discard(), () => {
      // It goes when it has been idle for long.
    });
  }
}

/** Whether a JSON-RPC error is one that modern servers alone give. */
export function isModernError(value: unknown): boolean {
  if (!MODERN_CODES.has(at(value, "error", "code"))) return false;
  const supported = at(value, "error", "data", "supported");
  // A server may know the error and yet speak nothing that has it.
  return !Array.isArray(supported) || supported.some(isModern);
}

const PROBE_ID = '"switchyard-probe"';

const DISCOVER = encode(JSON.stringify({
  jsonrpc: "2.0",
  id: JSON.parse(PROBE_ID),
  method: "server/discover",
  params: {
    _meta: {
      [PROTOCOL_VERSION_KEY]: FIRST_MODERN_REVISION,
      "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
      "io.modelcontextprotocol/clientCapabilities": {},
    },
  },
}));

const INITIALIZE = encode(JSON.stringify({
  jsonrpc: "2.0",
  id: JSON.parse(PROBE_ID),
  method: "initialize",
  params: {
    protocolVersion: SESSION_REVISIONS.at(-1),
    capabilities: {},
    clientInfo: CLIENT_INFO,
  },
}));

/** The caller's fields that are not about its own message. */
function carried(headers: FieldReader): string[] {
  const fields = ["content-type", "application/json"];
  headers.forEach((value, name) => {
    if (name.startsWith("mcp-") || name === "last-event-id" || name === "content-type") return;
    fields.push(name, value);
  });
  return fields;
}

/** The caller's fields, and those of a modern request in place of what it said of its own. */
function probeFields(headers: FieldReader): Fields {
  const fields = carried(headers);
  fields.push("mcp-protocol-version", FIRST_MODERN_REVISION, "mcp-method", "server/discover");
  return new Fields(fields);
}

async function judge(
  answer: UpstreamAnswer,
  { isStdio }: ProbeOptions,
): Promise<ProbeResult> {
  const { status, kind } = answer;
  if (isAboutTheCaller(status)) {
    return { era: undefined, refusal: await keep(answer, MAX_ANSWER_BYTES) };
  }
  if (kind === "other") {
    answer.body.discard();
    return status >= 400 ? { era: "session" } : { era: undefined, refusal: noAnswer() };
  }
  try {
    const reply = await readReply(answer, `s${JSON.parse(PROBE_ID)}`, {
      maxBytes: MAX_ANSWER_BYTES,
      onOther: () => {},
    });
    return { era: eraIn(isStdio ? 200 : status, reply.value) };
  } catch (error) {
    // A refusal without JSON-RPC in it is what servers of the session era say to strangers.
    if (toProxyError(error).kind === "upstream_status") return { era: "session" };
    throw error;
  }
}

/** Whether a status says something about who asks, or when, and nothing about the server. */
export function isAboutTheCaller(status: number): boolean {
  return ABOUT_THE_CALLER.has(status) || status >= 500 || (status >= 300 && status < 400);
}

/** The era of a server that has answered `server/discover` with this message. */
function eraIn(status: number, message: unknown): "modern" | "session" {
  if (isModernError(message)) return "modern";
  // An unknown method is a 404 with this error at modern servers alone; the others say it with 200.
  if (status === 404 && at(message, "error", "code") === -32601) return "modern";
  const versions = at(message, "result", "supportedVersions");
  return Array.isArray(versions) && versions.some(isModern) ? "modern" : "session";
}

/** Whether a message that answers a client's own `server/discover` proves a modern server. */
export function isModernAnswer({ status }: UpstreamAnswer, message: unknown): boolean {
  return message !== undefined && eraIn(status, message) === "modern";
}

function isModern(version: unknown): boolean {
  return typeof version === "string" && isModernRevision(version);
}

/** A failure of the probe, as one of the caller's request, which has not left. */
function unasked(error: unknown): ProxyError {
  const { kind, message, headers } = toProxyError(error);
  const progress = { requestSent: false, answerBegun: false };
  return new ProxyError(kind, message, { cause: error, headers, progress });
}

function silent(): ProxyError {
  const sentence = "The upstream server did not say in time which revisions it speaks.";
  return new ProxyError("upstream_timeout", sentence);
}

function noAnswer(): ProxyError {
  const sentence = "The upstream server answered neither with JSON nor with an event stream.";
  return new ProxyError("upstream_protocol", sentence);
}
