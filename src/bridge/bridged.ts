/**
 * A server whose clients may be of either era: each call goes on as it is, or over a bridge, by what is known of
 * the server (`known_eras.ts`). What answers say of that (`era_signs.ts`) is noted.
 *
 * @module
 */

import { at, noMember } from "../rpc/mod.ts";
import {
  lookInto,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamCall,
  type WholeAnswer,
} from "../upstream/mod.ts";
import { BRIDGED_SESSION } from "./as_session/mod.ts";
import { asks, hasNoInitialize, idOf, look, saysModern, wantsMetadata } from "./era_signs.ts";
import { KnownEras, type KnownErasOptions, type ServerEras } from "./known_eras.ts";
import { isAboutTheCaller, isModernAnswer, isModernError } from "./probe.ts";

/** Refusals with which a server may tell that it speaks the other era. */
const TELLING: ReadonlySet<number> = new Set([400, 404, 405]);

/** Both bridges of one server. */
export interface Bridges {
  /** Takes calls of modern clients to a server of sessions. */
  readonly asModern: Upstream;
  /** Takes calls of clients with sessions to a modern server. */
  readonly asSession: Upstream;
}

/** What bridging works with. */
export interface BridgedOptions extends KnownErasOptions {
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

class Bridged implements BridgedUpstream {
  readonly #server: Upstream;
  readonly #options: BridgedOptions;
  readonly #eras: KnownEras;
  #bridges: Bridges | undefined;

  constructor(server: Upstream, options: BridgedOptions) {
    this.#server = server;
    this.#options = options;
    this.#eras = new KnownEras(server, options);
  }

  get eras(): ServerEras {
    return this.#eras.now;
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
    if (this.#eras.now.modern === undefined) {
      const answer = await this.#firstModern(call, body);
      if (answer !== undefined) return answer;
    }
    if (this.#eras.now.modern === false) return await this.#open().asModern[method](call, body);
    const answer = method === "exchange"
      ? await this.#server.exchange(call, body, onWhole)
      : await this.#server.notify(call, body);
    if (!TELLING.has(answer.status) || this.#options.pinned !== undefined) return answer;
    return await this.#refusedModern(method, call, body, answer);
  }

  /** Finds out what the server speaks, for a modern call that is answered by that where it asks the same. */
  async #firstModern(call: UpstreamCall, body: Uint8Array): Promise<UpstreamAnswer | undefined> {
    const asksItself = !this.#options.isStdio && asks("server/discover", body);
    if (!asksItself) return await this.#eras.learn(call, body);
    const { answer, said } = await look(await this.#server.exchange(call, body));
    if (isAboutTheCaller(answer.status) || answer.kind === "sse") return answer;
    if (isModernAnswer(answer, said)) {
      this.#eras.now = { ...this.#eras.now, modern: true };
      return answer;
    }
    // What it was refused for may be its client's fault: only a request of the proxy's own tells more.
    const refused = await this.#eras.learn(call, body);
    refused?.body.discard();
    if (refused !== undefined || this.#eras.now.modern !== false) return answer;
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
    const { era } = await this.#eras.find(call);
    if (era !== undefined) this.#eras.remember(era);
    const { lost, answer: looked } = await lookInto(held);
    // Only what cannot have run is sent again.
    if (this.#eras.now.modern !== false || !lost) return looked;
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
      if (this.#eras.now.modern === undefined) {
        const refused = await this.#eras.learn(call, body);
        if (refused !== undefined) return refused;
      }
      if (this.#eras.now.modern === false) return this.#unknownSession(body);
      return await send(this.#open().asSession);
    }
    if (this.#eras.now.session === false) {
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
    this.#eras.now = { ...this.#eras.now, session: undefined };
    return this.#unknownSession(body);
  }

  /** The `initialize` of a client: a server that has none is put behind a bridge. */
  async #begin(call: UpstreamCall, body: Uint8Array): Promise<UpstreamAnswer> {
    if (this.#eras.now.session === false) return await this.#open().asSession.exchange(call, body);
    const answer = await this.#server.exchange(call, body);
    if (this.#options.pinned !== undefined) return answer;
    if (answer.status >= 300 && !TELLING.has(answer.status)) return answer;
    if (answer.kind === "sse") {
      this.#eras.now = { ...this.#eras.now, session: true };
      return answer;
    }
    const { answer: held, said } = await look(answer);
    if (at(said, "result") !== undefined) {
      this.#eras.now = { ...this.#eras.now, session: true };
      return held;
    }
    const hasNone = hasNoInitialize(held.status, said);
    const isModern = isModernError(said) || await this.#isModern(call, hasNone, said);
    if (!isModern) return held;
    // Another refusal may be about what the client has made of it: then the next one is tried again.
    const session = hasNone || isModernError(said) ? false : undefined;
    this.#eras.now = { modern: true, session };
    held.body.discard();
    return await this.#open().asSession.exchange(call, body);
  }

  /** Whether a server that has refused `initialize` is modern. */
  async #isModern(call: UpstreamCall, hasNone: boolean, said: unknown): Promise<boolean> {
    const { modern, session } = this.#eras.now;
    // One of sessions may have been replaced, if it speaks like that.
    const isKnown = session === true && !hasNone && !wantsMetadata(said);
    if (isKnown) return false;
    return modern === true || (await this.#eras.find(call)).era === "modern";
  }

  #open(): Bridges {
    return this.#bridges ??= this.#options.open(() => this.#eras.forget());
  }

  /** As of a server that does not know the session: it is begun anew (R81). */
  #unknownSession(body?: Uint8Array): UpstreamAnswer {
    return noMember(this.#options.clock, body && idOf(body));
  }
}
