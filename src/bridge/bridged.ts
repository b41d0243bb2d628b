/**
 * A server whose clients may be of either era: what it speaks is found out, remembered, and found out again
 * when it stops being true.
 *
 * Source: 2026-07-28 basic/versioning "Backward Compatibility": the era is a property of the server, to be
 * cached, and to be probed again when the assumption fails.
 *
 * @module
 */

import { PROTOCOL_VERSION_KEY } from "../era/mod.ts";
import { ProxyError } from "../errors.ts";
import { again, at, decode, type KeptAnswer, noMember, readBody, textAt } from "../rpc/mod.ts";
import {
  heldBody,
  lookInto,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamCall,
  type WholeAnswer,
} from "../upstream/mod.ts";
import { BRIDGED_SESSION } from "./as_session/mod.ts";
import {
  isAboutTheCaller,
  isModernAnswer,
  isModernError,
  probe,
  type ProbeOptions,
  type ProbeResult,
} from "./probe.ts";

/** The longest answer to `initialize`, and the longest refusal, that is looked into, in bytes. */
const MAX_LOOKED_INTO_BYTES = 1_048_576;

/** Refusals with which a server may tell that it speaks the other era. */
const TELLING: ReadonlySet<number> = new Set([400, 404, 405]);

/** Which eras a server speaks; undefined for what nobody knows yet. */
export interface ServerEras {
  /** 2026-07-28 and later. */
  readonly modern: boolean | undefined;
  /** Revisions with `initialize`. */
  readonly session: boolean | undefined;
}

/** Both bridges of one server. */
export interface Bridges {
  /** Takes calls of modern clients to a server of sessions. */
  readonly asModern: Upstream;
  /** Takes calls of clients with sessions to a modern server. */
  readonly asSession: Upstream;
}

/** What bridging works with. */
export interface BridgedOptions extends ProbeOptions {
  /** What the config says of the server, which is then not asked. */
  readonly pinned?: ServerEras | undefined;
  /** Makes both bridges, when the first one is needed; `onDoubt` forgets what is known of the server. */
  readonly open: (onDoubt: () => void) => Bridges;
}

/** A server of either era. */
export interface BridgedUpstream extends Upstream {
  /** What is known of the server now. */
  readonly eras: ServerEras;
}

/** A server, which it owns and closes, for clients of both eras. */
export function bridged(server: Upstream, options: BridgedOptions): BridgedUpstream {
  return new Bridged(server, options);
}

const UNKNOWN: ServerEras = { modern: undefined, session: undefined };

class Bridged implements BridgedUpstream {
  readonly #server: Upstream;
  readonly #options: BridgedOptions;
  #eras: ServerEras;
  #bridges: Bridges | undefined;
  #probing: Promise<ProbeResult> | undefined;

  constructor(server: Upstream, options: BridgedOptions) {
    this.#server = server;
    this.#options = options;
    this.#eras = options.pinned ?? UNKNOWN;
  }

  get eras(): ServerEras {
    return this.#eras;
  }

  exchange = (
    call: UpstreamCall,
    body: Uint8Array,
    onWhole?: WholeAnswer,
  ): Promise<UpstreamAnswer> => {
    if (call.era === "modern") return this.#modern("exchange", call, body, onWhole);
    if (call.sessionId === undefined && asks("initialize", body)) return this.#begin(call, body);
    return this.#session(call, (upstream) => upstream.exchange(call, body, onWhole), body);
  };

  notify = (call: UpstreamCall, body: Uint8Array): Promise<UpstreamAnswer> => {
    if (call.era === "modern") return this.#modern("notify", call, body);
    return this.#session(call, (upstream) => upstream.notify(call, body));
  };

  listen = (call: UpstreamCall): Promise<UpstreamAnswer> =>
    this.#session(call, (upstream) => upstream.listen(call));

  terminate = (call: UpstreamCall): Promise<UpstreamAnswer> =>
    this.#session(call, (upstream) => upstream.terminate(call));

  async close(): Promise<void> {
    const bridges = this.#bridges;
    await Promise.all([bridges?.asModern.close(), bridges?.asSession.close()]);
    await this.#server.close();
  }

  /** A call of a modern client. */
  async #modern(
    method: "exchange" | "notify",
    call: UpstreamCall,
    body: Uint8Array,
    onWhole?: WholeAnswer,
  ): Promise<UpstreamAnswer> {
    if (this.#eras.modern === undefined) {
      const answer = await this.#firstModern(call, body);
      if (answer !== undefined) return answer;
    }
    if (this.#eras.modern === false) return await this.#open().asModern[method](call, body);
    const answer = method === "exchange"
      ? await this.#server.exchange(call, body, onWhole)
      : await this.#server.notify(call, body);
    if (!TELLING.has(answer.status) || this.#options.pinned !== undefined) return answer;
    return await this.#refusedModern(method, call, body, answer);
  }

  /** Finds out what the server speaks, for a modern call that is answered by that where it asks the same. */
  async #firstModern(call: UpstreamCall, body: Uint8Array): Promise<UpstreamAnswer | undefined> {
    const asksItself = !this.#options.isStdio && asks("server/discover", body);
    if (!asksItself) return await this.#learn(call, body);
    const { answer, said } = await look(await this.#server.exchange(call, body));
    if (isAboutTheCaller(answer.status) || answer.kind === "sse") return answer;
    if (isModernAnswer(answer, said)) {
      this.#eras = { ...this.#eras, modern: true };
      return answer;
    }
    // What it was refused for may be its client's fault: only a request of the proxy's own tells more.
    const refused = await this.#learn(call, body);
    refused?.body.discard();
    if (refused !== undefined || this.#eras.modern !== false) return answer;
    answer.body.discard();
    return undefined;
  }

  /** A modern call was refused: perhaps the server has been replaced by one of the session era. */
  async #refusedModern(
    method: "exchange" | "notify",
    call: UpstreamCall,
    body: Uint8Array,
    answer: UpstreamAnswer,
  ): Promise<UpstreamAnswer> {
    const { answer: held, said } = await look(answer);
    if (said !== undefined && saysModern(said)) return held;
    // Meanwhile the others go on: what one request is answered with is no proof.
    const { era } = await this.#find(call);
    if (era !== undefined) this.#remember(era);
    const { lost, answer: looked } = await lookInto(held);
    // Only what cannot have run is sent again.
    if (this.#eras.modern !== false || !lost) return looked;
    looked.body.discard();
    return await this.#open().asModern[method](call, body);
  }

  /** A call in a session, or one that should have been. */
  async #session(
    call: UpstreamCall,
    send: (upstream: Upstream) => Promise<UpstreamAnswer>,
    body?: Uint8Array,
  ): Promise<UpstreamAnswer> {
    const { sessionId } = call;
    if (sessionId?.startsWith(BRIDGED_SESSION)) {
      if (this.#eras.modern === undefined) {
        const refused = await this.#learn(call, body);
        if (refused !== undefined) return refused;
      }
      if (this.#eras.modern === false) return this.#unknownSession(body);
      return await send(this.#open().asSession);
    }
    if (this.#eras.session === false) {
      if (sessionId !== undefined) return this.#unknownSession(body);
      return await send(this.#open().asSession);
    }
    const answer = await send(this.#server);
    if (answer.status !== 400 || this.#options.pinned !== undefined) return answer;
    const { answer: held, said } = await look(answer);
    if (sessionId === undefined || !(isModernError(said) || wantsMetadata(said))) return held;
    // The server may speak sessions no more. With a 404 the client, or the front for it, starts anew, and
    // `initialize` shows it: what this client has sent says nothing of the sessions of others.
    held.body.discard();
    this.#eras = { ...this.#eras, session: undefined };
    return this.#unknownSession(body);
  }

  /** The `initialize` of a client: a server that has none is put behind a bridge. */
  async #begin(call: UpstreamCall, body: Uint8Array): Promise<UpstreamAnswer> {
    if (this.#eras.session === false) return await this.#open().asSession.exchange(call, body);
    const answer = await this.#server.exchange(call, body);
    if (this.#options.pinned !== undefined) return answer;
    if (answer.status >= 300 && !TELLING.has(answer.status)) return answer;
    if (answer.kind === "sse") {
      this.#eras = { ...this.#eras, session: true };
      return answer;
    }
    const { answer: held, said } = await look(answer);
    if (at(said, "result") !== undefined) {
      this.#eras = { ...this.#eras, session: true };
      return held;
    }
    const hasNone = hasNoInitialize(held.status, said);
    const isModern = isModernError(said) || await this.#isModern(call, hasNone, said);
    if (!isModern) return held;
    // Another refusal may be about what the client has made of it: then the next one is tried again.
    const session = hasNone || isModernError(said) ? false : undefined;
    this.#eras = { modern: true, session };
    held.body.discard();
    return await this.#open().asSession.exchange(call, body);
  }

  /** Whether a server that has refused `initialize` is modern. */
  async #isModern(call: UpstreamCall, hasNone: boolean, said: unknown): Promise<boolean> {
    const { modern, session } = this.#eras;
    // One of sessions may have been replaced, if it speaks like that.
    const isKnown = session === true && !hasNone && !wantsMetadata(said);
    if (isKnown) return false;
    return modern === true || (await this.#find(call)).era === "modern";
  }

  /** What a probe finds; one of this caller's own where another caller's says nothing about this one. */
  async #find(call: UpstreamCall): Promise<ProbeResult> {
    const joined = this.#probing !== undefined;
    const found = await this.#probe(call);
    const isOthers = joined && found.era === undefined && isAboutCaller(found.refusal);
    return isOthers ? await probe(this.#server, call, this.#options) : found;
  }

  /** Finds out what the server speaks; gives what stood in the way where that fails. */
  async #learn(call: UpstreamCall, body?: Uint8Array): Promise<UpstreamAnswer | undefined> {
    const found = await this.#find(call);
    if (found.era === undefined) return refusalFor(found.refusal, this.#options, body);
    this.#remember(found.era);
    return undefined;
  }

  #remember(era: "modern" | "session"): void {
    this.#eras = era === "modern"
      ? { ...this.#eras, modern: true }
      : { modern: false, session: true };
  }

  /** Asks the server, once for all who want to know. */
  #probe(call: UpstreamCall): Promise<ProbeResult> {
    return this.#probing ??= probe(this.#server, call, this.#options)
      .finally(() => this.#probing = undefined);
  }

  #open(): Bridges {
    return this.#bridges ??= this.#options.open(() => this.#forget());
  }

  #forget(): void {
    if (this.#options.pinned === undefined) this.#eras = UNKNOWN;
  }

  /** As of a server that does not know the session: it is begun anew (R81). */
  #unknownSession(body?: Uint8Array): UpstreamAnswer {
    return noMember(this.#options.clock, body && idOf(body));
  }
}

/** What stood in the way of a probe, as the answer to the call for which it was made. */
function refusalFor(
  refusal: Extract<ProbeResult, { era: undefined }>["refusal"],
  { clock }: BridgedOptions,
  body: Uint8Array | undefined,
): UpstreamAnswer {
  const idText = body && idOf(body);
  if (refusal instanceof ProxyError) throw refusal.withId(idText);
  return again(clock, refusal, idText);
}

/** An answer, as if nobody had looked, and the message in it. */
async function look(answer: UpstreamAnswer): Promise<{ answer: UpstreamAnswer; said: unknown }> {
  if (answer.kind !== "json") return { answer, said: undefined };
  const bytes = await answer.body.bytesWithin(MAX_LOOKED_INTO_BYTES);
  if (bytes === null) return { answer, said: undefined };
  const said = readBody(decode(bytes))?.messages[0]?.value;
  return { answer: { ...answer, body: heldBody(bytes) }, said };
}

/** Whether a server with this refusal of `initialize` does not have it, whatever the client has made of it. */
function hasNoInitialize(status: number, said: unknown): boolean {
  return status === 404 || status === 405 || at(said, "error", "code") === -32601;
}

/** Whether a refusal is that of a server that misses the metadata of modern requests (basic/index "_meta"). */
function wantsMetadata(said: unknown): boolean {
  const message = at(said, "error", "message");
  return at(said, "error", "code") === -32602 && typeof message === "string" &&
    message.includes(PROTOCOL_VERSION_KEY);
}

/** Whether what stood in the way of a probe is about who has asked, or that they have left. */
function isAboutCaller(refusal: KeptAnswer | ProxyError): boolean {
  return refusal instanceof ProxyError ? refusal.kind === "client_closed" : refusal.status < 500;
}

/** Whether a refusal is one that a modern server gives to a modern request. */
function saysModern(said: unknown): boolean {
  const code = at(said, "error", "code");
  // -32000 is what servers of the session era say where a session is missing.
  return isModernError(said) || (typeof code === "number" && code !== -32000);
}

/** Whether a body is one request of this method. */
function asks(method: string, body: Uint8Array): boolean {
  const text = decode(body);
  if (!text.includes(method)) return false;
  const read = readBody(text);
  return read?.batch === false && read.messages[0]!.value.method === method;
}

function idOf(body: Uint8Array): string | undefined {
  const read = readBody(decode(body));
  return read === undefined || read.batch ? undefined : textAt(read.messages[0]!, ["id"]);
}
