/**
 * Lines of a client in, lines for it out, and the handler in between.
 *
 * Source: 2024-11-05 to 2025-11-25 basic/transports, "stdio"; 2026-07-28 basic/transports/stdio, and
 * streamable-http, "Cancellation".
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { errorBody, ProxyError, toProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import { type Message, parseBody, type ParsedBody } from "../json/mod.ts";
import { encode, type Key, keyOf, readBody, textAt } from "../rpc/mod.ts";
import { discard, messagesOf } from "./answer_reader.ts";
import { Asking, type AskingOptions } from "./asking.ts";
import { Caller } from "./caller.ts";
import { ClientSession, saysLost } from "./client_session.ts";
import { isModern, modernFields } from "./fields.ts";
import { linesOf } from "./input.ts";
import { LineRoom } from "./line_room.ts";
import { Listening } from "./listening.ts";
import type { StdioFrontOptions, StdioLimits } from "./options.ts";
import { type LineWriter, Output } from "./output.ts";
import { ParamFields } from "./param_fields.ts";

const CANCELLED = "notifications/cancelled";
const INITIALIZED = "notifications/initialized";

/** Bounds that no config needs to change. */
export const DEFAULT_STDIO_LIMITS: StdioLimits = {
  maxUnderWay: 1_000,
  patienceMs: 5_000,
  maxSubscriptions: 100,
  orderMs: 5_000,
  graceMs: 1_000,
  farewellMs: 500,
};

/** One client on stdin and stdout. */
export class StdioFront {
  readonly #options: StdioFrontOptions;
  readonly #limits: StdioLimits;
  readonly #output: Output;
  readonly #caller: Caller;
  readonly #session: ClientSession;
  readonly #listening: Listening;
  readonly #asking: AskingOptions;
  readonly #asked = new Set<Asking>();
  readonly #gone = new AbortController();
  readonly #room: LineRoom;
  #reader: ReadableStreamDefaultReader<Bytes> | undefined;
  /** Notifications and responses that are not accepted yet. */
  #told = 0;
  /** Resolves when the notifications so far are accepted. */
  #order: Promise<void> = Promise.resolve();
  /** Resolves when the `initialize` that is under way is answered. */
  #opening: Promise<void> | undefined;

  /** A front that writes to `writer`. */
  constructor(options: StdioFrontOptions, writer: LineWriter) {
    const { handler, path, maxMessageBytes } = options;
    this.#options = options;
    this.#limits = { ...DEFAULT_STDIO_LIMITS, ...options.limits };
    this.#room = new LineRoom({ ...this.#limits, clock: options.clock });
    this.#output = new Output(writer, () => this.#stop());
    this.#caller = new Caller(handler, path);
    this.#session = new ClientSession({
      caller: this.#caller,
      maxMessageBytes,
      signal: this.#gone.signal,
      onRenewed: () => this.#listening.restart(),
    });
    const common = {
      ...options,
      caller: this.#caller,
      session: this.#session,
      take: (text: string) => this.#say(text),
    };
    this.#listening = new Listening(common);
    const params = new ParamFields(
      (call, cursor, signal) => this.#listTools(call, cursor, signal),
      maxMessageBytes,
    );
    this.#asking = { ...common, params };
  }

  /** Serves until `input` ends, `stop` resolves or nobody reads any more. Never rejects. */
  async run(input: ReadableStream<Bytes>, stop: Promise<unknown>): Promise<void> {
    const reader = input.getReader();
    this.#reader = reader;
    stop.then(() => this.#stop());
    try {
      for await (const line of linesOf(reader, this.#options.maxLineBytes)) await this.#take(line);
    } catch (error) {
      this.#options.logger.warn("stdin broke", { error });
    }
    await this.#end();
  }

  /** Takes no more lines. */
  #stop(): void {
    this.#room.stop();
    this.#reader?.cancel().catch(() => {});
  }

  async #take(line: Bytes | undefined): Promise<void> {
    let body: ParsedBody;
    try {
      if (line === undefined) throw this.#tooLong();
      body = parseBody(line, this.#options.json);
    } catch (error) {
      this.#options.logger.warn("a line of the client is no message", { error });
      return await this.#refuse([toProxyError(error)]);
    }
    const leave = await this.#room.take(isReply(body) ? "reply" : "call");
    if (leave === "stopped") return;
    if (leave === "full") return await this.#turnAway(body);
    if (body.messages.some(({ kind }) => kind === "request")) this.#ask(body, line, leave);
    else this.#tell(body, line, leave);
  }

  /** There is no place for it: what asks is told so, and what only tells is lost. */
  async #turnAway({ messages }: ParsedBody): Promise<void> {
    const error = new ProxyError(
      "principal_exhausted",
      "As many requests of this client are under way as may be; wait for an answer.",
    );
    const requests = messages.filter(({ kind }) => kind === "request");
    for (const { kind, method } of messages) {
      if (kind === "request") continue;
      this.#options.logger.warn("a message was not accepted", { method, error });
    }
    await this.#refuse(requests.map(({ idText }) => error.withId(idText)));
  }

  /** Nobody waits for it, but it is under way until the client has read it. */
  async #refuse(errors: readonly ProxyError[]): Promise<void> {
    for (const error of errors) {
      const leave = await this.#room.take("reply");
      if (typeof leave === "string") return;
      this.#say(errorBody(error)).finally(leave);
    }
  }

  #ask(body: ParsedBody, bytes: Bytes, leave: () => void): void {
    const asking = new Asking(this.#asking, body, bytes);
    const over = this.#run(asking).finally(() => {
      this.#asked.delete(asking);
      leave();
    });
    this.#asked.add(asking);
    if (asking.isInitialize) this.#opening = over;
  }

  async #run(asking: Asking): Promise<void> {
    const { maxSubscriptions } = this.#limits;
    const open = this.#asked.values().filter(({ isSubscription }) => isSubscription).toArray();
    if (asking.isSubscription && open.length >= maxSubscriptions) {
      const sentence = `${maxSubscriptions} subscriptions are open, which is the limit here.`;
      return await asking.refuse(new ProxyError("upstream_saturated", sentence));
    }
    if (!asking.isModern) {
      await this.#opening;
      if (this.#told > 0) await this.#within(this.#order, this.#limits.orderMs);
    }
    await asking.run();
  }

  /** Notifications and responses: each is sent behind the one ahead of it, unless that takes too long. */
  #tell(body: ParsedBody, bytes: Bytes, leave: () => void): void {
    const [first] = body.messages;
    const cancelled = !isCancellation(body)
      ? undefined
      : keyOf(textAt(readBody(body.text)!.messages[0]!, ["params", "requestId"]));
    if (cancelled !== undefined && this.#cancelled(cancelled)) return leave();
    this.#told++;
    const before = this.#order;
    this.#order = this.#send(before, first!, bytes, cancelled).finally(() => {
      this.#told--;
      leave();
    });
  }

  /** Whether a cancellation ends here: in 2026-07-28 it is the end of the answer that says it. */
  #cancelled(key: Key): boolean {
    const asked = this.#asked.values().find((asking) => asking.awaits(key));
    if (asked === undefined) return !this.#session.isOpen;
    if (asked.isModern) asked.giveUp();
    return asked.isModern;
  }

  async #send(
    before: Promise<void>,
    message: Message,
    bytes: Bytes,
    cancelled: Key | undefined,
  ): Promise<void> {
    const { signal } = this.#gone;
    try {
      if (!isModern(message)) await this.#opening;
      await this.#within(before, this.#limits.orderMs);
      const status = isModern(message)
        ? await this.#post(bytes, modernFields(message), signal)
        : await this.#postInSession(message, bytes, signal);
      if (status >= 400) throw refused(message, status);
      if (message.method === INITIALIZED) this.#listening.start();
      // The server answers no request that was cancelled, and its stream may stay open.
      for (const asking of this.#asked) if (asking.awaits(cancelled)) asking.giveUp();
    } catch (error) {
      if (signal.aborted) return;
      this.#options.logger.warn("a message was not accepted", { method: message.method, error });
    }
  }

  async #postInSession(message: Message, bytes: Bytes, signal: AbortSignal): Promise<number> {
    const session = this.#session;
    const { generation } = session;
    const answer = await this.#caller.post(bytes, session.fields, signal);
    discard(answer);
    if (!saysLost(answer, session)) return answer.status;
    await session.renew(generation);
    // A question of the session that was lost has no answer in this one, where its id may be another's.
    if (message.kind === "response") return answer.status;
    return await this.#post(bytes, session.fields, signal);
  }

  async #post(bytes: Bytes, fields: readonly string[], signal: AbortSignal): Promise<number> {
    const answer = await this.#caller.post(bytes, fields, signal);
    discard(answer);
    return answer.status;
  }

  async #listTools(
    { params }: Message,
    cursor: string | undefined,
    signal: AbortSignal,
  ): Promise<unknown> {
    const message = {
      jsonrpc: "2.0",
      id: "switchyard-tools",
      method: "tools/list",
      params: { _meta: params?._meta, ...(cursor !== undefined && { cursor }) },
    };
    const fields = modernFields({
      kind: "request",
      method: message.method,
      params: message.params,
    });
    const answer = await this.#caller.post(encode(JSON.stringify(message)), fields, signal);
    const place = { lastEventId: undefined, retryMs: undefined };
    for await (const text of messagesOf(answer, place, this.#options.maxMessageBytes)) {
      const [found] = readBody(text)?.messages ?? [];
      if (found !== undefined && textAt(found, ["id"]) === '"switchyard-tools"') {
        return found.value.result;
      }
    }
    return undefined;
  }

  #say(text: string): Promise<void> {
    return this.#output.write(text);
  }

  async #end(): Promise<void> {
    const { graceMs, farewellMs } = this.#limits;
    const listening = this.#listening.stop();
    for (const asking of this.#asked) if (asking.isSubscription) asking.giveUp();
    await this.#within(this.#room.idle(), graceMs);
    for (const asking of this.#asked) asking.giveUp();
    this.#gone.abort();
    await this.#within(Promise.all([this.#room.idle(), listening]), farewellMs);
    const farewell = this.#session.end().catch((error) => {
      this.#options.logger.warn("the session could not be ended", { error });
    });
    await this.#within(farewell, farewellMs);
  }

  #within(work: Promise<unknown>, limitMs: number): Promise<void> {
    return within(work, limitMs, this.#options.clock);
  }

  #tooLong(): ProxyError {
    const sentence =
      `The line has more than ${this.#options.maxLineBytes} bytes, the most that a ` +
      "message may have here; it was not read.";
    return new ProxyError("parse_error", sentence);
  }
}

/** Whether a line is what requests under way may be waiting for, or what ends one. */
function isReply(body: ParsedBody): boolean {
  return isCancellation(body) || body.messages.every(({ kind }) => kind === "response");
}

function isCancellation({ batch, messages }: ParsedBody): boolean {
  return !batch && messages[0]!.kind === "notification" && messages[0]!.method === CANCELLED;
}

/** Resolves when `work` is over, or takes longer than `limitMs`. Never rejects. */
async function within(work: Promise<unknown>, limitMs: number, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(limitMs, resolve);
  await Promise.race([work.then(() => {}, () => {}), promise]);
  timer.cancel();
}

function refused({ kind }: Message, status: number): ProxyError {
  const sentence = `The upstream server refused a ${kind} with HTTP status ${status}.`;
  return new ProxyError("upstream_status", sentence);
}
