/**
 * One request of a client at the server, from the POST that sends it to its response, however many times the
 * client is asked for input in between.
 *
 * Sources: 2026-07-28 basic/patterns/mrtr, basic/patterns/cancellation, basic/patterns/progress.
 *
 * @module
 */

import { ProxyError, toProxyError } from "../../errors.ts";
import { Reconnect } from "../../relay/mod.ts";
import {
  at,
  canTake,
  type Key,
  keyOf,
  kindOf,
  likeType,
  passes,
  type RpcText,
  textAt,
  withTexts,
} from "../../rpc/mod.ts";
import type { UpstreamAnswer, UpstreamCall } from "../../upstream/mod.ts";
import type { ClientRequest } from "./client_request.ts";
import { errorAnswered, readAnswer, refusedAnswer } from "./error_answers.ts";
import { callerOf, type Holdable, type Holding } from "./holding.ts";
import { MessageSource } from "./message_source.ts";
import type { Settings } from "./options.ts";
import { CAN_ASK, inputRequiredText, Questions, urlElicitations } from "./questions.ts";
import type { Reply } from "./reply.ts";
import type { Participant, ServerSession } from "./server_session.ts";
import { isResponseTo, SessionRefused } from "./session_wire.ts";
import {
  errorTold,
  isModern,
  resultText,
  type Told,
  URL_ELICITATION_REQUIRED,
} from "./toward_client.ts";
import { towardServer } from "./toward_server.ts";
import { disagreement, ELICITATION_COMPLETE, UrlElicitations } from "./url_elicitations.ts";

/** What a conversation is about, and what it works with. */
export interface ConversationOptions {
  /** Settings. */
  readonly settings: Settings;
  /** The session in which it takes place. */
  readonly session: ServerSession;
  /** The request. */
  readonly request: ClientRequest;
  /** The call that it came with. */
  readonly call: Pick<UpstreamCall, "principal" | "headers" | "sent">;
  /** Where it waits for its client. */
  readonly holding: Holding<Conversation>;
  /** Told of the response that it ends with. */
  readonly onAnswered: (method: string, response: RpcText) => void;
  /** Told once when it is over, however. */
  readonly onOver: () => void;
}

const TOKEN = ["params", "_meta", "progressToken"] as const;
const TOKEN_PATH = ["params", "progressToken"] as const;

/**
 * What clients of 2026-07-28 are not told: that an elicitation has ended the answer to the request shows
 * (client/elicitation), and tasks of sessions are not offered to them.
 */
const NOT_TOLD: ReadonlySet<unknown> = new Set([
  ELICITATION_COMPLETE,
  "notifications/tasks/status",
]);

/** One request, from its first POST to its response. */
export class Conversation implements Participant, Holdable {
  readonly #options: ConversationOptions;
  #idText = "";
  #id: Key = "";
  #tokenText: string | undefined;
  readonly #abort = new AbortController();
  readonly #questions = new Questions();
  readonly #urls = new UrlElicitations();
  /** The newest POST about it. */
  #request: ClientRequest;
  #reply: Reply | undefined;
  #source: MessageSource | undefined;
  #generation = 0;
  /** What was said while nobody waited; of progress for the token of whoever comes back. */
  #waiting: RpcText[] = [];
  #waitingCharacters = 0;
  #outcome: RpcText | ProxyError | undefined;
  #repeats = false;
  /** Whether what is received was read for this request: then reading waits for its client. */
  #isReading = false;
  #wake: PromiseWithResolvers<void> | undefined;
  #over = false;

  /** A conversation that has not begun. */
  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#request = options.request;
    this.#name();
  }

  /** See `Participant`. */
  get canBeAsked(): boolean {
    return CAN_ASK.has(this.#request.method);
  }

  /** See `Participant`. */
  get logLevel(): string | undefined {
    return this.#request.logLevel;
  }

  /** Sends the request and answers with what comes. Never rejects. */
  async run(reply: Reply): Promise<void> {
    const { session } = this.#options;
    this.#reply = reply;
    session.enter(this, this.#id, keyOf(this.#tokenText));
    try {
      await this.#wantLog();
      if (this.#over) return;
      const answer = await this.#send();
      if (this.#over) return answer.body.discard();
      if (answer.status !== 200 || answer.kind === "other") return await this.#refused(answer);
      this.#source = this.#sourceOf(answer);
      if (this.#source.isStream) this.#reply?.streams();
      await this.#pump(this.#source);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Goes on for a client that has come back with answers. Never rejects. */
  async resume(
    request: ClientRequest,
    answers: ReadonlyMap<string, string>,
    reply: Reply,
  ): Promise<void> {
    this.#request = request;
    this.#reply = reply;
    if (this.#repeats) return await this.#opened(answers, reply);
    if (this.#source?.isStream) reply.streams();
    void this.#wantLog();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingCharacters = 0;
    for (const message of waiting) this.#hand(reply, message);
    this.#goOn();
    const given = this.#questions.answeredBy(answers);
    if (this.#outcome !== undefined) return this.#finish(this.#outcome);
    try {
      for (const [{ idText }, answer] of given) {
        if (!this.#isDone) await this.#post(idText!, answer);
      }
      this.received();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The client has left: nobody wants the answer any more. */
  cancel(reason: string): void {
    if (this.#over) return;
    const { session } = this.#options;
    for (const { idText } of this.#questions.takeAll()) {
      if (idText !== undefined) session.refuse(idText, reason);
    }
    // What never went up, or was answered, is not under way there.
    if (this.#generation > 0 && this.#outcome === undefined && !this.#repeats) {
      const params = `{"requestId":${this.#idText},"reason":${JSON.stringify(reason)}}`;
      const text = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`;
      session.tell("notifications/cancelled", text, this.#generation);
    }
    this.#abort.abort();
    this.#end();
  }

  /** See `Holdable`. */
  expire(): void {
    this.cancel("The client has not answered in time.");
  }

  /** The bridge closes: who waits is told. */
  close(error: ProxyError): void {
    const reply = this.#reply;
    this.cancel(error.message);
    reply?.fail(error);
  }

  /** See `Participant`. */
  receive(message: RpcText): void {
    if (this.#isDone) return;
    const kind = kindOf(message);
    if (kind === "request") this.#asked(message);
    else if (kind === "notification") this.#told(message);
    else if (isResponseTo(message, this.#id)) this.#answered(message);
  }

  /** See `Participant`. */
  completed(elicitation: Key): boolean {
    return this.#urls.completed(elicitation);
  }

  /** See `Participant`. */
  received(): void {
    if (this.#over || this.#reply === undefined || this.#reply.isOver) return;
    if (this.#questions.size > 0) this.#ask(this.#reply);
  }

  /** Finds names under which it goes up, which nothing else in the session has. */
  #name(): void {
    const { wire } = this.#options.session;
    this.#idText = likeType(this.#request.idText, wire.serial());
    this.#id = keyOf(this.#idText)!;
    const token = textAt(this.#request.message, TOKEN);
    this.#tokenText = keyOf(token) && likeType(token!, wire.serial());
  }

  /** Whether the server is known to have the method: of a tool it may say the same, as of one that is a task. */
  get #hasMethod(): boolean {
    return this.#request.method === "tools/call" && this.#options.session.has("tools");
  }

  /** Whether the server has nothing more to say about it. */
  get #isDone(): boolean {
    return this.#over || this.#repeats || this.#outcome !== undefined;
  }

  async #send(): Promise<UpstreamAnswer> {
    const { session, call: { headers, sent } } = this.#options;
    const names = { idText: this.#idText, tokenText: this.#tokenText };
    const message = { text: towardServer(this.#request, names), idText: this.#idText };
    const { method } = this.#request;
    const call = { headers, sent, signal: this.#abort.signal };
    return await session.wire.exchange(method, message, call, (generation) => {
      this.#generation = generation;
    });
  }

  #sourceOf(answer: UpstreamAnswer): MessageSource {
    const { session, settings: { clock, backOff, maxEventBytes } } = this.#options;
    const generation = this.#generation;
    const reconnect = new Reconnect({
      clock,
      backOff,
      listen: (lastEventId) => session.wire.resume(lastEventId, generation, this.#abort.signal),
      onSessionGone: () => {},
    });
    return new MessageSource(answer, { maxEventBytes, reconnect });
  }

  /** The server has answered with a status: with an error, or with nothing that answers a request. */
  async #refused(refusal: UpstreamAnswer): Promise<void> {
    const { settings } = this.#options;
    const read = await readAnswer(refusal, settings, this.#abort.signal);
    if (read.error !== undefined && this.#urlsIn(read.error) !== undefined) {
      this.#answered(read.error);
      return this.received();
    }
    if (read.error !== undefined && isModern(read.error)) settings.onDoubt();
    this.#pass(errorAnswered(read, this.#request, settings, this.#hasMethod));
  }

  /** Reads to the response, no faster than the client does. */
  async #pump(source: MessageSource): Promise<void> {
    for (;;) {
      await this.#room();
      const messages = this.#over ? undefined : await source.next();
      if (this.#over) return;
      if (messages === undefined) throw noResponse();
      this.#isReading = true;
      for (const message of messages) this.receive(message);
      this.#isReading = false;
      this.received();
      if (this.#isDone) return source.discard();
    }
  }

  /** Waits for a client that does not read, or that has not come back while too much was said. */
  async #room(): Promise<void> {
    if (this.#reply !== undefined) return await this.#reply.room;
    if (!this.#isFull) return;
    this.#wake = Promise.withResolvers();
    await this.#wake.promise;
  }

  /** Whether the client has as much before it as is kept for it. */
  get #isFull(): boolean {
    if (this.#reply !== undefined) return this.#reply.room !== undefined;
    return this.#waitingCharacters > this.#options.settings.bounds.maxHeldCharacters;
  }

  #goOn(): void {
    this.#wake?.resolve();
    this.#wake = undefined;
  }

  async #wantLog(): Promise<void> {
    const { session } = this.#options;
    if (this.logLevel === undefined) return session.levels.leave(this);
    if (session.has("logging")) await session.levels.want(this, this.logLevel);
  }

  #told(message: RpcText): void {
    const { method } = message.value;
    const { session } = this.#options;
    if (session.announce(message)) return;
    if (method === "notifications/cancelled") {
      return this.#questions.withdraw(textAt(message, ["params", "requestId"]));
    }
    if (method === "notifications/progress") return this.#progress(message);
    if (method === "notifications/message") {
      const isWanted = this.logLevel !== undefined &&
        passes(at(message.value, "params", "level"), this.logLevel);
      return isWanted ? this.#tell(message) : undefined;
    }
    if (!NOT_TOLD.has(method)) this.#tell(message);
  }

  #progress(message: RpcText): void {
    const isOwn = keyOf(textAt(message, TOKEN_PATH)) === keyOf(this.#tokenText);
    if (this.#tokenText !== undefined && isOwn) this.#tell(message);
  }

  /** What comes on another stream cannot be held back for a client that does not read: it is dropped. */
  #tell(message: RpcText): void {
    if (!this.#isReading && this.#isFull) return this.#options.session.drop("(client too slow)");
    if (this.#reply !== undefined) return this.#hand(this.#reply, message);
    this.#waiting.push(message);
    this.#waitingCharacters += message.text.length;
  }

  /** Progress goes to the token of the newest POST, which is the one that is being answered. */
  #hand(reply: Reply, message: RpcText): void {
    if (message.value.method !== "notifications/progress") return reply.tell(message.text);
    const token = textAt(this.#request.message, TOKEN);
    if (token !== undefined) reply.tell(withTexts(message, [TOKEN_PATH, token]));
  }

  #asked(message: RpcText): void {
    const { session, settings: { bounds } } = this.#options;
    const idText = textAt(message, ["id"])!;
    const { method, params } = message.value as { method: string; params?: unknown };
    if (method === "ping") return session.answer(idText, "{}");
    const { capabilities } = this.#request.declared;
    if (!this.canBeAsked || canTake(capabilities, method, params) !== true) {
      return session.refuse(idText, "The client of this request cannot be asked that.");
    }
    if (this.#questions.size >= bounds.maxQuestions) {
      return session.refuse(idText, "The client has as many requests to answer as it may.", -31503);
    }
    this.#questions.add(message);
  }

  #answered(message: RpcText): void {
    if (isModern(message)) this.#options.settings.onDoubt();
    const urls = this.#urlsIn(message);
    if (urls !== undefined) {
      this.#refuseQuestions();
      for (const url of urls) {
        this.#questions.addUrl(url);
        this.#urls.add(url);
      }
      this.#repeats = true;
      this.#source?.discard();
      return;
    }
    this.#outcome = message;
    if (this.#reply !== undefined) this.#finish(message);
  }

  /** What the user has to open before the request is sent again; undefined where it is not about that. */
  #urlsIn(message: RpcText): readonly string[] | undefined {
    if (at(message.value, "error", "code") !== URL_ELICITATION_REQUIRED) return undefined;
    const { declared: { capabilities } } = this.#request;
    const canOpen = canTake(capabilities, "elicitation/create", { mode: "url" });
    return canOpen && this.canBeAsked ? urlElicitations(message) : undefined;
  }

  /** Ends the POST with what the client is asked, and waits for it to come back. */
  #ask(reply: Reply): void {
    const { holding } = this.#options;
    let requestState: string;
    try {
      requestState = holding.hold(this, callerOf(this.#options.call), this.#request);
    } catch (error) {
      this.cancel("The proxy cannot wait for the client.");
      return reply.fail(toProxyError(error));
    }
    this.#reply = undefined;
    const text = inputRequiredText(reply.idText, this.#questions.all, requestState);
    reply.respond({ status: 200, text });
  }

  async #post(idText: string, answer: string): Promise<void> {
    const text = `{"jsonrpc":"2.0","id":${idText},"result":${answer}}`;
    if (await this.#options.session.wire.notify(text, this.#generation)) return;
    const sentence =
      "The upstream server does not take the answers any more; send the request again.";
    throw new ProxyError("upstream_closed", sentence);
  }

  /** Goes on behind -32042: sends the request again once all is done to which the user has agreed. */
  async #opened(answers: ReadonlyMap<string, string>, reply: Reply): Promise<void> {
    const { clock, firstMessageMs, bounds: { elicitationMs } } = this.#options.settings;
    const given = this.#questions.answeredBy(answers).map(([, answer]) => answer);
    const told = disagreement(reply.idText, given);
    if (told !== undefined) {
      this.#end();
      return reply.respond(told);
    }
    if (this.#questions.size > 0) return this.received();
    // The answer needs its time too.
    await this.#urls.done(clock, Math.min(elicitationMs, firstMessageMs / 2));
    if (!this.#over) await this.#repeat(reply);
  }

  /** Sends the request again, as a new one, in the same session. */
  async #repeat(reply: Reply): Promise<void> {
    this.#options.session.leave(this, this.#id, keyOf(this.#tokenText));
    this.#repeats = false;
    this.#generation = 0;
    this.#source = undefined;
    this.#name();
    await this.run(reply);
  }

  #finish(outcome: RpcText | ProxyError): void {
    const reply = this.#reply;
    this.#refuseQuestions();
    this.#end();
    if (outcome instanceof ProxyError) reply?.fail(outcome);
    else reply?.respond(this.#toldOf(outcome));
  }

  #toldOf(outcome: RpcText): Told {
    const { session, settings: { list } } = this.#options;
    const { idText, method, declared } = this.#request;
    this.#options.onAnswered(method, outcome);
    const result = textAt(outcome, ["result"]);
    if (result === undefined) return errorTold(outcome, idText, declared, this.#hasMethod);
    return { status: 200, text: resultText(idText, result, method, session.serverInfo, list) };
  }

  /** The answer has come, and whoever is still asked something need not answer. */
  #refuseQuestions(): void {
    for (const { idText } of this.#questions.takeAll()) {
      if (idText !== undefined) this.#options.session.refuse(idText, "The request is over.");
    }
  }

  #pass(answer: UpstreamAnswer): void {
    const reply = this.#reply;
    this.#end();
    if (reply === undefined) answer.body.discard();
    else reply.pass(answer);
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    if (error instanceof SessionRefused) {
      return this.#pass(refusedAnswer(error, this.#request, this.#options.settings));
    }
    const failure = toProxyError(error);
    if (this.#reply !== undefined) return this.#finish(failure);
    // Whoever comes back is told.
    this.#outcome = failure;
  }

  #end(): void {
    if (this.#over) return;
    const { session, onOver } = this.#options;
    this.#over = true;
    this.#source?.discard();
    this.#urls.forget();
    this.#goOn();
    session.leave(this, this.#id, keyOf(this.#tokenText));
    onOver();
  }
}

function noResponse(): ProxyError {
  const sentence = "The upstream server ended its answer without a response.";
  return new ProxyError("upstream_closed", sentence);
}
