/**
 * The POSTs of one session: each request in them is answered here or sent on, until its response has come.
 *
 * Source: 2025-11-25 basic/lifecycle, basic/transports, basic/utilities/cancellation and ping.
 *
 * @module
 */

import { errorBody, ProxyError, toProxyError } from "../../errors.ts";
import type { CancelSignal } from "../../http/mod.ts";
import {
  type Capabilities,
  type Drops,
  emptyAnswer,
  EventBody,
  Exchange,
  Flow,
  type Key,
  keyOf,
  kindOf,
  type RequestsById,
  requestsById,
  type RpcBody,
  type RpcText,
  textAt,
} from "../../rpc/mod.ts";
import type { UpstreamAnswer, UpstreamCall } from "../../upstream/mod.ts";
import { Forwarding } from "./forwarding.ts";
import { Gate } from "./gate.ts";
import type { ModernServer } from "./modern_call.ts";
import type { Settings } from "./options.ts";
import { ownMethod, type OwnSession } from "./own_methods.ts";
import { Questions } from "./questions.ts";
import type { Tools } from "./tools.ts";
import { UnderWay } from "./under_way.ts";

/** What the POSTs of one session work with. */
export interface PostsOptions {
  /** Settings and bounds. */
  readonly settings: Settings;
  /** The server. */
  readonly server: ModernServer;
  /** What is known of its tools. */
  readonly tools: Tools;
  /** What could not be delivered. */
  readonly drops: Drops;
  /** As what methods of the bridge's own know the session. */
  readonly own: OwnSession;
  /** Told when a request is done. */
  readonly onDone: () => void;
}

/** A POST with requests. */
interface Post {
  readonly exchange: Exchange;
  readonly call: UpstreamCall;
  /** Closed while the answer is not read. */
  readonly gate: Gate;
  readonly batch: boolean;
}

/** All of one session. */
export class Posts {
  readonly #options: PostsOptions;
  readonly #questions: Questions;
  readonly #forwarding: Forwarding;
  readonly #underWay = new UnderWay();

  /** None yet. */
  constructor(options: PostsOptions) {
    const { settings, server, tools, drops, own: { client } } = options;
    this.#options = options;
    this.#questions = new Questions(settings.clock, settings.limits);
    this.#forwarding = new Forwarding({
      settings,
      server,
      tools,
      drops,
      questions: this.#questions,
      client: {
        revision: client.revision,
        capabilities: JSON.parse(client.speaker.capabilities) as Capabilities,
      },
      speaker: () => client.speaker,
      onTaken: (taken) => client.taken(taken),
      newId: (idText) => this.#underWay.newId(idText),
    });
  }

  /** Requests whose responses have not come. */
  get inFlight(): number {
    return this.#underWay.size;
  }

  /** Questions of the server that wait for answers. */
  get questions(): number {
    return this.#questions.size;
  }

  /**
   * Takes a body with a request.
   *
   * @throws {ProxyError} `upstream_saturated`; `client_closed` where the signal was aborted
   */
  async exchange(call: UpstreamCall, body: RpcBody): Promise<UpstreamAnswer> {
    const { clock, firstMessageMs, streamIdleMs, limits: { answerMs } } = this.#options.settings;
    const { asked, refused } = this.#sort(body);
    const gate = new Gate();
    // Nobody else waits behind a reader that does not read.
    const flow = new Flow({ clock, patienceMs: answerMs, othersWait: () => false, ...gate.levers });
    const stop = () => {
      for (const key of asked.keys()) this.#underWay.abort(key, exchange);
    };
    const exchange: Exchange = new Exchange({
      clock,
      batch: body.batch,
      asked: new Map(asked.entries().map(([key, message]) => [key, textAt(message, ["id"])!])),
      ready: [...refused.values()],
      firstMessageMs,
      signal: call.signal,
      openBody: () => new EventBody({ clock, streamIdleMs: streamIdleMs + answerMs, flow }, stop),
      onTimeout: () => {
        const sentence = "The upstream server took too long to answer.";
        exchange.fail(new ProxyError("upstream_timeout", sentence));
        stop();
      },
      onFailed: call.onFailed,
    });
    for (const message of body.messages) this.#take(message);
    const post = { exchange, call, gate, batch: body.batch };
    for (const [key, message] of asked) this.#begin(key, message, post);
    return await exchange.answer;
  }

  /** Takes a body without a request. */
  notify(body: RpcBody): UpstreamAnswer {
    for (const message of body.messages) this.#take(message);
    return emptyAnswer(this.#options.settings.clock, 202);
  }

  /** Ends all requests; who waits is told `why`. */
  end(why: ProxyError): void {
    this.#underWay.end(why);
  }

  #sort(body: RpcBody): RequestsById {
    const sorted = requestsById(body, (key) => this.#underWay.has(key));
    const { maxRequests } = this.#options.settings.limits;
    if (this.#underWay.size + sorted.asked.size <= maxRequests) return sorted;
    const sentence = `This session has ${maxRequests} requests in flight, which is the limit here.`;
    throw new ProxyError("upstream_saturated", sentence);
  }

  /** Takes a message that gets no response. */
  #take(message: RpcText): void {
    const kind = kindOf(message);
    if (kind === "request") return;
    if (kind === "response") {
      if (!this.#questions.answer(message)) this.#options.drops.count("(response)");
    } else if (message.value.method === "notifications/cancelled") {
      this.#underWay.cancel(keyOf(textAt(message, ["params", "requestId"])));
    }
  }

  /** Answers a request here, or sends it on. */
  async #begin(key: Key, message: RpcText, post: Post): Promise<void> {
    const { exchange, call, gate } = post;
    const control = this.#underWay.begin(key, exchange);
    const unlink = whenAborted(call.signal, () => this.#underWay.abort(key, exchange));
    const own = ownMethod(message);
    try {
      if (own !== undefined) {
        exchange.respond(key, await own(this.#options.own, message, call));
      } else {
        const { signal } = control;
        const mayRead = () => gate.wait();
        await this.#forwarding.run({ message, key, exchange, call, signal, mayRead });
      }
    } catch (thrown) {
      if (!control.signal.aborted) fail(toProxyError(thrown), key, post);
    }
    unlink();
    this.#underWay.done(key, control);
    this.#options.onDone();
  }
}

/** A failure is that of the whole POST, unless others came with it. */
function fail(error: ProxyError, key: Key, { exchange, call, batch }: Post): void {
  // What is about the request alone has no status of its own; to a session 404 would even say that it is over.
  if (!batch && error.status >= 500) return exchange.fail(error);
  call.onFailed?.(error);
  exchange.respond(key, errorBody(error.withId(exchange.idText(key))));
}

/** Calls back when a signal is aborted; what it returns takes that back. */
function whenAborted(signal: CancelSignal, abort: () => void): () => void {
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  return () => signal.removeEventListener("abort", abort);
}
