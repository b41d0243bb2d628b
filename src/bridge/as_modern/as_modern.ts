/**
 * A server of the session era, as modern clients see it.
 *
 * @module
 */

import { NOTHING_SENT, ProxyError, stopping, toProxyError, UNANSWERED } from "../../errors.ts";
import { Fields } from "../../http/mod.ts";
import {
  decode,
  Drops,
  emptyAnswer,
  encode,
  errorAnswer,
  jsonAnswer,
  readBody,
} from "../../rpc/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../../upstream/mod.ts";
import { type ClientRequest, readRequest } from "./client_request.ts";
import { Conversation } from "./conversation.ts";
import { refusedAnswer } from "./error_answers.ts";
import { HeaderParams } from "./header_params.ts";
import { type Caller, callerOf, Holding } from "./holding.ts";
import type { Lease } from "./lease.ts";
import { type AsModernOptions, type AsModernStats, type Settings, settings } from "./options.ts";
import { answersIn, CAN_ASK } from "./questions.ts";
import { Reply } from "./reply.ts";
import { kindOf } from "./session_kind.ts";
import { SessionRefused } from "./session_refusal.ts";
import { Sessions } from "./sessions.ts";
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

/** Why a request is given up whose client has left. */
const LEFT = "The client has closed its connection.";

/** What tells another instance who makes a call, in place of the header fields of its client. */
const CALLER_FIELD = "switchyard-caller";

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
    this.#sessions = new Sessions({
      server,
      settings,
      drops: this.#drops,
      onToolsChanged: () => this.#headerParams.forget(),
    });
    this.#subscribing = new Subscribing(settings, this.#sessions);
    this.#holding = new Holding(settings);
    settings.peers?.serve({
      exchange: (call, bytes) => this.#passedOn(call, bytes),
      notify: this.notify,
      listen: this.listen,
      terminate: this.terminate,
    });
  }

  exchange = async (call: UpstreamCall, bytes: Uint8Array): Promise<UpstreamAnswer> => {
    const request = this.#read(bytes);
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
    for (const conversation of [...this.#conversations]) conversation.close(stopping(UNANSWERED));
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

  #read(bytes: Uint8Array): ClientRequest {
    return readRequest(bytes, this.#settings.bounds.maxCapabilityCharacters);
  }

  #request: Method = async (call, request) => {
    // Ahead of all else: a refused POST has used up no session and no requestState.
    if (request.method === CALL) {
      this.#headerParams.check(kindOf(call, request, this.#settings), request, call.headers);
    }
    if (isRetry(request)) return await this.#retry(call, request);
    let conversation: Conversation | undefined;
    const reply = this.#replyTo(call, request, () => conversation);
    this.#begin(call, request, reply, (begun) => conversation = begun);
    return await reply.answer;
  };

  /** A client comes back: here, or where its request is held. */
  async #retry(call: UpstreamCall, request: ClientRequest): Promise<UpstreamAnswer> {
    const answers = answersIn(request);
    const caller = callerOf(call, this.#settings);
    const holder = this.#holding.holderOf(caller, request);
    if (holder === undefined) return await this.#resume(call, caller, request, answers);
    // The request goes on with the header fields that it began with.
    const headers = new Fields([CALLER_FIELD, caller.credentials]);
    const bytes = encode(request.message.text);
    const answer = await this.#settings.peers?.call(
      holder,
      "exchange",
      { ...call, headers },
      bytes,
    );
    if (answer === undefined) throw holderGone(request);
    return answer;
  }

  /** A retry that has come to another instance. It goes no further than this one. */
  async #passedOn(call: UpstreamCall, bytes: Uint8Array): Promise<UpstreamAnswer> {
    if (this.#closed) throw stopping(NOTHING_SENT);
    const request = this.#read(bytes);
    if (!isRetry(request)) {
      const sentence = "Only retries are passed on from one instance of the proxy to another.";
      throw new ProxyError("invalid_request", sentence, { idText: request.idText });
    }
    const credentials = call.headers.get(CALLER_FIELD) ?? "";
    const caller: Caller = { principal: call.principal, credentials };
    return await this.#resume(call, caller, request, answersIn(request));
  }

  async #resume(
    call: UpstreamCall,
    caller: Caller,
    request: ClientRequest,
    answers: ReadonlyMap<string, string>,
  ): Promise<UpstreamAnswer> {
    const conversation = this.#holding.take(caller, request);
    const reply = this.#replyTo(call, request, () => conversation);
    if (!reply.isOver) void conversation.resume(request, answers, reply);
    return await reply.answer;
  }

  #replyTo(
    { signal, onFailed }: UpstreamCall,
    { idText }: ClientRequest,
    conversation: () => Conversation | undefined,
  ): Reply {
    const { clock, firstMessageMs, streamIdleMs } = this.#settings;
    const onLeft = () => conversation()?.cancel(LEFT);
    return new Reply({ clock, firstMessageMs, streamIdleMs, idText, signal, onFailed, onLeft });
  }

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
      call,
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
      if (this.#closed) throw stopping(NOTHING_SENT);
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

/** Whether a client goes on with a request that has asked it for input. */
function isRetry({ method, requestState }: ClientRequest): boolean {
  return requestState !== undefined && CAN_ASK.has(method);
}

function holderGone({ idText }: ClientRequest): ProxyError {
  return new ProxyError(
    "invalid_params",
    "The instance of the proxy that held this request has gone, and the request is lost with it; " +
      "send the request again without requestState and inputResponses.",
    { idText },
  );
}

function tooMany(): ProxyError {
  return new ProxyError(
    "principal_exhausted",
    "As many of your requests are under way as may be; wait for an answer.",
    { headers: { "retry-after": "1" } },
  );
}
