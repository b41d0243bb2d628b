/**
 * A server of the session era, as modern clients see it.
 *
 * @module
 */

import { ProxyError, toProxyError } from "../../errors.ts";
import { decode, Drops, emptyAnswer, errorAnswer, jsonAnswer, readBody } from "../../rpc/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../../upstream/mod.ts";
import { type ClientRequest, readRequest } from "./client_request.ts";
import { Conversation } from "./conversation.ts";
import { refusedAnswer } from "./error_answers.ts";
import { HeaderParams } from "./header_params.ts";
import { Holding } from "./holding.ts";
import { type AsModernOptions, type AsModernStats, type Settings, settings } from "./options.ts";
import { answersIn, CAN_ASK } from "./questions.ts";
import { Reply } from "./reply.ts";
import { SessionRefused } from "./session_wire.ts";
import { kindOf, type Lease, Sessions, stopping } from "./sessions.ts";
import { Subscribing } from "./subscribing.ts";
import { discoverText } from "./toward_client.ts";

/** A server behind the bridge. */
export interface ModernBridge extends Upstream {
  /** What is going on. */
  stats(): AsModernStats;
}

/**
 * Has a server of the session era, over whatever transport, serve calls of modern clients, in sessions of
 * the bridge's own. The server is not its: `close` ends the sessions and leaves the server open.
 */
export function asModern(server: Upstream, options: AsModernOptions): ModernBridge {
  return new Bridge(server, settings(options));
}

const CALL = "tools/call";

/** Answers a request. */
type Method = (call: UpstreamCall, request: ClientRequest) => Promise<UpstreamAnswer>;

class Bridge implements ModernBridge {
  readonly #settings: Settings;
  readonly #drops = new Drops();
  readonly #headerParams: HeaderParams;
  readonly #sessions: Sessions;
  readonly #subscribing: Subscribing;
  readonly #holding: Holding<Conversation>;
  readonly #conversations = new Set<Conversation>();
  #closed = false;
  readonly #methods: Readonly<Record<string, Method>> = {
    "server/discover": (call, request) => this.#discover(call, request),
    "subscriptions/listen": (call, request) => this.#subscribing.listen(call, request),
  };

  constructor(server: Upstream, settings: Settings) {
    this.#settings = settings;
    this.#headerParams = new HeaderParams(settings);
    const forget = () => this.#headerParams.forget();
    this.#sessions = new Sessions(server, settings, this.#drops, forget);
    this.#subscribing = new Subscribing(settings, this.#sessions);
    this.#holding = new Holding(settings);
  }

  exchange = async (call: UpstreamCall, bytes: Uint8Array): Promise<UpstreamAnswer> => {
    const request = readRequest(bytes, this.#settings.bounds.maxCapabilityCharacters);
    const method = Object.hasOwn(this.#methods, request.method)
      ? this.#methods[request.method]!
      : this.#request;
    try {
      return await method(call, request);
    } catch (error) {
      if (!(error instanceof SessionRefused)) throw error;
      return refusedAnswer(error, request, this.#settings);
    }
  };

  /** Modern clients have none to send over HTTP: what one sends all the same is for nobody (2026-07-28). */
  notify = (_call: UpstreamCall, bytes: Uint8Array): Promise<UpstreamAnswer> => {
    const method = readBody(decode(bytes))?.messages[0]?.value.method;
    this.#drops.count(typeof method === "string" ? method : "(no JSON-RPC)");
    return Promise.resolve(emptyAnswer(this.#settings.clock, 202));
  };

  listen = (): Promise<UpstreamAnswer> => Promise.resolve(this.#noSuchMethod());

  terminate = (): Promise<UpstreamAnswer> => Promise.resolve(this.#noSuchMethod());

  async close(): Promise<void> {
    this.#closed = true;
    this.#subscribing.close();
    this.#holding.close();
    for (const conversation of [...this.#conversations]) conversation.close(stopping());
    await this.#sessions.close();
  }

  stats(): AsModernStats {
    return {
      sessions: this.#sessions.size,
      stock: this.#sessions.stocked,
      inFlight: this.#conversations.size - this.#holding.size,
      held: this.#holding.size,
      listening: this.#subscribing.size,
      dropped: this.#drops.counts,
    };
  }

  #request: Method = async (call, request) => {
    const { clock, firstMessageMs, streamIdleMs } = this.#settings;
    // Ahead of all else: a refused POST has used up no session and no requestState.
    if (request.method === CALL) {
      this.#headerParams.check(kindOf(call, request), request, call.headers);
    }
    const isRetry = request.requestState !== undefined && CAN_ASK.has(request.method);
    const answers = isRetry ? answersIn(request) : undefined;
    let conversation = isRetry ? this.#holding.take(call, request) : undefined;
    const reply = new Reply({
      clock,
      firstMessageMs,
      streamIdleMs,
      idText: request.idText,
      signal: call.signal,
      onLeft: () => conversation?.cancel("The client has closed its connection."),
    });
    if (conversation !== undefined) {
      if (!reply.isOver) void conversation.resume(request, answers!, reply);
      return await reply.answer;
    }
    this.#begin(call, request, reply, (begun) => conversation = begun);
    return await reply.answer;
  };

  /** Takes a session and sends the request in it, as long as its client waits. Never rejects. */
  async #begin(
    call: UpstreamCall,
    request: ClientRequest,
    reply: Reply,
    onBegun: (conversation: Conversation) => void,
  ): Promise<void> {
    let lease: Lease;
    try {
      lease = await this.#sessions.take(call, request);
      if (reply.isOver) return lease.release(true);
      if (request.method === CALL) await this.#checkIn(lease, call, request);
      if (reply.isOver) return lease.release();
      if (lease.session.size >= this.#settings.bounds.maxRequests) {
        lease.release();
        throw tooMany();
      }
    } catch (error) {
      return this.#refuse(reply, request, error);
    }
    const conversation: Conversation = new Conversation({
      settings: this.#settings,
      session: lease.session,
      request,
      principal: call.principal,
      headers: call.headers,
      holding: this.#holding,
      onAnswered: (method, response) => {
        if (method === "tools/list") this.#headerParams.learn(lease.session.kind, response);
      },
      onOver: () => {
        this.#conversations.delete(conversation);
        lease.release();
      },
    });
    this.#conversations.add(conversation);
    onBegun(conversation);
    await conversation.run(reply);
  }

  /**
   * Checks the fields of a call, for which the server may have to be asked; gives the session back where
   * that fails.
   */
  async #checkIn({ session, release }: Lease, call: UpstreamCall, request: ClientRequest) {
    const params = this.#headerParams;
    try {
      if (params.check(session.kind, request, call.headers)) return;
      await params.learnFrom(session.kind, (method, asked) => session.wire.ask(method, asked));
      if (this.#closed) throw stopping();
      params.check(session.kind, request, call.headers);
    } catch (error) {
      release();
      throw error;
    }
  }

  #refuse(reply: Reply, request: ClientRequest, error: unknown): void {
    if (error instanceof SessionRefused) {
      reply.pass(refusedAnswer(error, request, this.#settings));
    } else {
      reply.fail(toProxyError(error));
    }
  }

  async #discover(call: UpstreamCall, request: ClientRequest): Promise<UpstreamAnswer> {
    const { clock, list } = this.#settings;
    const { session, release } = await this.#sessions.take(call, request);
    const text = discoverText(request.idText, session.wire.initialized, list);
    release(true);
    return jsonAnswer(clock, 200, text);
  }

  #noSuchMethod(): UpstreamAnswer {
    const error = new ProxyError("method_not_allowed", "This revision has POST alone.", {
      headers: { allow: "POST" },
    });
    return errorAnswer(this.#settings.clock, error);
  }
}

function tooMany(): ProxyError {
  return new ProxyError(
    "principal_exhausted",
    "As many of your requests are under way as may be; wait for an answer.",
    { headers: { "retry-after": "1" } },
  );
}
