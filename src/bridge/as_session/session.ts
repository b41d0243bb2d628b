/**
 * One session of a client, which the server knows nothing of.
 *
 * Source: 2025-11-25 basic/lifecycle, basic/transports, basic/utilities/cancellation and ping.
 *
 * @module
 */

import { errorBody, ProxyError, toProxyError } from "../../errors.ts";
import { type CancelSignal, NewestCredentials } from "../../http/mod.ts";
import {
  type Capabilities,
  type Drops,
  emptyAnswer,
  errorAnswer,
  EventBody,
  Exchange,
  Flow,
  type Key,
  keyOf,
  kindOf,
  likeType,
  type RpcBody,
  type RpcText,
  textAt,
  Waiting,
} from "../../rpc/mod.ts";
import type { UpstreamAnswer, UpstreamCall } from "../../upstream/mod.ts";
import type { Offers } from "./capabilities.ts";
import { Forwarding } from "./forwarding.ts";
import { Gate } from "./gate.ts";
import { inTime } from "./in_time.ts";
import { Listening } from "./listening.ts";
import type { ModernServer } from "./modern_call.ts";
import type { Settings } from "./options.ts";
import { type OwnMethod, ownMethod } from "./own_methods.ts";
import { Questions } from "./questions.ts";
import { clientFields, modernFields, type Speaker } from "./requests.ts";
import { type Filter, LISTEN } from "./subscription.ts";
import type { Tools } from "./tools.ts";

/** What a session is given. */
export interface SessionOptions {
  /** Settings and bounds. */
  readonly settings: Settings;
  /** The server. */
  readonly server: ModernServer;
  /** What is known of its tools. */
  readonly tools: Tools;
  /** What could not be delivered, in any session. */
  readonly drops: Drops;
  /** Who may use it. */
  readonly principal: string;
  /** What was negotiated. */
  readonly revision: string;
  /** The text of the client's name and version. */
  readonly clientInfo: string | undefined;
  /** The text of its capabilities. */
  readonly capabilities: string;
  /** What the server offers. */
  readonly offers: Offers;
}

/** A request under way. */
interface UnderWay {
  readonly exchange: Exchange;
  readonly control: AbortController;
}

/** Silence on a GET stream after which its client has to ask for it again, in milliseconds. */
const STREAM_IDLE_MS = 86_400_000;

/** Numbers that stand for ids of numbers when a request is sent again begin behind this one. */
const FIRST_SERIAL = 1_000_000_000;

/** A session. */
export class BridgedSession {
  readonly #options: SessionOptions;
  readonly #questions: Questions;
  readonly #forwarding: Forwarding;
  readonly #listening: Listening;
  readonly #underWay = new Map<Key, UnderWay>();
  readonly #streams: EventBody[] = [];
  readonly #waiting: Waiting;
  /** Holds what comes for the GET stream back into `#waiting`. */
  readonly #streamGate = new Gate(() => this.#tellWaiting());
  #listener: Pick<UpstreamCall, "headers" | "query">;
  /** Those of the last request that the server took: a subscription that is made again has them. */
  readonly #credentials = new NewestCredentials<BridgedSession>();
  #serial = FIRST_SERIAL;
  #lastUsedMs: number;
  /** The level of log messages that the client wants. */
  logLevel: string | undefined;
  /** The resources that the client has subscribed to. */
  readonly subscriptions = new Set<string>();

  /** A session that `initialize` has begun with this call. */
  constructor(options: SessionOptions, call: UpstreamCall) {
    const { settings, server, tools, drops, revision } = options;
    const { clock, limits } = settings;
    this.#options = options;
    this.#questions = new Questions(clock, limits);
    this.#waiting = new Waiting(limits, (name) => drops.count(name));
    this.#lastUsedMs = clock.monotonicMs();
    this.#listener = { headers: clientFields(call.headers), query: call.query };
    this.#forwarding = new Forwarding({
      settings,
      server,
      tools,
      drops,
      questions: this.#questions,
      client: { revision, capabilities: JSON.parse(options.capabilities) as Capabilities },
      speaker: () => this.#speaker,
      onTaken: ({ headers }) => this.#credentials.note(this, headers),
      newId: (idText) => this.#newId(idText),
    });
    this.#listening = new Listening({
      ...settings,
      server,
      drop: (name) => drops.count(name),
      overlapMs: limits.overlapMs,
      wanted: () => this.#wanted(),
      subscriber: () => this.#subscriber(),
      deliver: (text, message) => this.#deliver(text, message),
      onBroken: (error) => this.#listenBroken(error),
    });
  }

  /** Who may use it. */
  get principal(): string {
    return this.#options.principal;
  }

  /** What the server offers. */
  get offers(): Offers {
    return this.#options.offers;
  }

  /** Settings and bounds. */
  get settings(): Settings {
    return this.#options.settings;
  }

  /** Its subscription at the server. */
  get listening(): Listening {
    return this.#listening;
  }

  /** Requests whose responses have not come. */
  get inFlight(): number {
    return this.#underWay.size;
  }

  /** Questions of the server that wait for answers. */
  get questions(): number {
    return this.#questions.size;
  }

  /** Messages that wait for a GET stream. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** When it was used last, on the clock's monotonic scale; now where something is under way. */
  get lastUsedMs(): number {
    const isBusy = this.#underWay.size > 0 || this.#streams.length > 0;
    return isBusy ? this.settings.clock.monotonicMs() : this.#lastUsedMs;
  }

  /**
   * Takes a body with a request.
   *
   * @throws {ProxyError} `upstream_saturated`; `client_closed` where the signal was aborted
   */
  async exchange(call: UpstreamCall, body: RpcBody): Promise<UpstreamAnswer> {
    this.#touch();
    const { clock, firstMessageMs, streamIdleMs, limits: { answerMs } } = this.settings;
    const { asked, refused } = this.#sort(body);
    const gate = new Gate();
    // Nobody else waits behind a reader that does not read.
    const flow = new Flow({ clock, patienceMs: answerMs, othersWait: () => false, ...gate.levers });
    const stop = () => {
      for (const key of asked.keys()) this.#abort(key, exchange);
    };
    const exchange: Exchange = new Exchange({
      clock,
      batch: body.batch,
      asked: new Map(asked.entries().map(([key, message]) => [key, textAt(message, ["id"])!])),
      ready: refused,
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
    for (const [key, message] of asked) {
      this.#begin(key, message, { exchange, call, gate, batch: body.batch });
    }
    return await exchange.answer;
  }

  /** Takes a body without a request. */
  notify(body: RpcBody): UpstreamAnswer {
    this.#touch();
    for (const message of body.messages) this.#take(message);
    return emptyAnswer(this.settings.clock, 202);
  }

  /** Opens a stream for what the server says by itself. */
  async listen(call: UpstreamCall): Promise<UpstreamAnswer> {
    this.#touch();
    const { clock, limits: { maxStreams, listenWaitMs } } = this.settings;
    if (this.#streams.length >= maxStreams) {
      const sentence = "This session listens on as many streams as it may.";
      return { ...errorAnswer(clock, new ProxyError("method_not_allowed", sentence)), status: 409 };
    }
    if (!this.#canSpeak) return this.#silent();
    const flow = new Flow({
      clock,
      patienceMs: STREAM_IDLE_MS,
      othersWait: () => false,
      ...this.#streamGate.levers,
    });
    const stream = new EventBody({ clock, streamIdleMs: STREAM_IDLE_MS, flow }, () => {
      const at = this.#streams.indexOf(stream);
      if (at !== -1) this.#streams.splice(at, 1);
      this.#touch();
      this.#listening.updateInTime();
    });
    this.#streams.push(stream);
    this.listenAs(call);
    // What happens behind the answer to GET is told on it, if the server can be asked for it in time.
    await inTime(clock, listenWaitMs, this.#listening.update());
    if (this.#listening.isUnsupported) return this.#silent();
    this.#tellWaiting();
    return stream.answer;
  }

  /** From now on the subscription is made with the fields of this call. */
  listenAs({ headers, query }: UpstreamCall): void {
    this.#listener = { headers: clientFields(headers), query };
    this.#credentials.note(this, headers);
  }

  /** Ends it: nothing of it is left. Whose requests are in flight is told `why`. */
  end(why: ProxyError = ended()): void {
    for (const [key, { exchange }] of [...this.#underWay]) {
      exchange.fail(why);
      this.#abort(key, exchange);
    }
    this.#listening.end();
    for (const stream of [...this.#streams]) stream.end();
    this.#waiting.take();
  }

  get #speaker(): Speaker {
    const { clientInfo, capabilities } = this.#options;
    return { clientInfo, capabilities, logLevel: this.logLevel };
  }

  /** Whether the server can have anything to say by itself. */
  get #canSpeak(): boolean {
    const { listChanged, subscribe } = this.offers;
    return !this.#listening.isUnsupported && (listChanged.length > 0 || subscribe);
  }

  #silent(): UpstreamAnswer {
    for (const stream of [...this.#streams]) stream.end();
    const sentence = "This server says nothing by itself; there is no stream to listen to.";
    const headers = { allow: "POST, DELETE" };
    const error = new ProxyError("method_not_allowed", sentence, { headers });
    return errorAnswer(this.settings.clock, error);
  }

  /** Requests by the keys of their ids, and errors for those whose ids are in use: which one is cancelled? */
  #sort({ messages }: RpcBody): {
    readonly asked: ReadonlyMap<Key, RpcText>;
    readonly refused: readonly string[];
  } {
    const asked = new Map<Key, RpcText>();
    const refused: string[] = [];
    for (const message of messages) {
      if (kindOf(message) !== "request") continue;
      const idText = textAt(message, ["id"])!;
      const key = keyOf(idText);
      if (key !== undefined && !asked.has(key) && !this.#underWay.has(key)) {
        asked.set(key, message);
        continue;
      }
      const sentence =
        "A request with this id is in flight in this session; ids must not be used again.";
      refused.push(errorBody(new ProxyError("invalid_request", sentence, { idText })));
    }
    const { maxRequests } = this.settings.limits;
    if (this.#underWay.size + asked.size > maxRequests) {
      const sentence =
        `This session has ${maxRequests} requests in flight, which is the limit here.`;
      throw new ProxyError("upstream_saturated", sentence);
    }
    return { asked, refused };
  }

  /** Takes a message that gets no response. */
  #take(message: RpcText): void {
    const kind = kindOf(message);
    if (kind === "request") return;
    if (kind === "response") {
      if (!this.#questions.answer(message)) this.#options.drops.count("(response)");
      return;
    }
    if (message.value.method !== "notifications/cancelled") return;
    const key = keyOf(textAt(message, ["params", "requestId"]));
    const exchange = key === undefined ? undefined : this.#underWay.get(key)?.exchange;
    if (exchange === undefined) return;
    this.#abort(key!, exchange);
    exchange.withdraw(key!);
  }

  #abort(key: Key, exchange: Exchange): void {
    const underWay = this.#underWay.get(key);
    if (underWay?.exchange !== exchange) return;
    this.#underWay.delete(key);
    underWay.control.abort();
  }

  /** Answers a request here, or sends it on. */
  async #begin(
    key: Key,
    message: RpcText,
    { exchange, call, gate, batch }: {
      readonly exchange: Exchange;
      readonly call: UpstreamCall;
      readonly gate: Gate;
      readonly batch: boolean;
    },
  ): Promise<void> {
    const control = new AbortController();
    const underWay = { exchange, control };
    this.#underWay.set(key, underWay);
    const unlink = whenAborted(call.signal, () => this.#abort(key, exchange));
    const own: OwnMethod | undefined = ownMethod(message);
    try {
      if (own !== undefined) {
        exchange.respond(key, await own(this, message, call));
      } else {
        const { signal } = control;
        const mayRead = () => gate.wait();
        await this.#forwarding.run({ message, key, exchange, call, signal, mayRead });
      }
    } catch (thrown) {
      if (!control.signal.aborted) fail(toProxyError(thrown), key, exchange, batch, call);
    }
    unlink();
    if (this.#underWay.get(key) === underWay) this.#underWay.delete(key);
    this.#touch();
  }

  #newId(idText: string): string {
    for (;;) {
      const found = likeType(idText, ++this.#serial);
      if (!this.#underWay.has(keyOf(found)!)) return found;
    }
  }

  #wanted(): Filter | undefined {
    if (this.#streams.length === 0 && this.subscriptions.size === 0) return undefined;
    const filter = { lists: this.offers.listChanged, uris: [...this.subscriptions] };
    return filter.lists.length + filter.uris.length > 0 ? filter : undefined;
  }

  #subscriber() {
    const { headers, query } = this.#listener;
    const { principal } = this.#options;
    const fields = modernFields(this.#credentials.renew(this, headers), LISTEN, {});
    return { call: { principal, query }, fields, speaker: this.#speaker };
  }

  #deliver(text: string, message: RpcText): void {
    const method = String(message.value.method);
    if (method === "notifications/tools/list_changed") this.#options.tools.forget();
    const stream = this.#streamGate.wait() === undefined ? this.#streams.at(-1) : undefined;
    if (stream !== undefined) stream.push(text);
    else this.#waiting.add(text, method);
  }

  #tellWaiting(): void {
    const stream = this.#streams.at(-1);
    if (stream === undefined) return;
    for (const text of this.#waiting.take()) stream.push(text);
  }

  /** Its streams end: whoever comes back has it tried again. */
  #listenBroken(error: ProxyError): void {
    this.settings.logger.debug("a subscription of a session has ended", { error });
    for (const stream of [...this.#streams]) stream.end();
  }

  #touch(): void {
    this.#lastUsedMs = this.settings.clock.monotonicMs();
  }
}

function ended(): ProxyError {
  return new ProxyError(
    "upstream_closed",
    "The session has ended before this request was answered.",
  );
}

/** A failure is that of the whole POST, unless others came with it. */
function fail(
  error: ProxyError,
  key: Key,
  exchange: Exchange,
  batch: boolean,
  { onFailed }: UpstreamCall,
): void {
  // What is about the request alone has no status of its own; to a session 404 would even say that it is over.
  if (!batch && error.status >= 500) return exchange.fail(error);
  onFailed?.(error);
  exchange.respond(key, errorBody(error.withId(exchange.idText(key))));
}

/** Calls back when a signal is aborted; what it returns takes that back. */
function whenAborted(signal: CancelSignal, abort: () => void): () => void {
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  return () => signal.removeEventListener("abort", abort);
}
