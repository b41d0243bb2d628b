/**
 * One request of a client at the server, from the POST that sends it to its response, however many times the
 * client is asked for input in between.
 *
 * Sources: 2026-07-28 basic/patterns/mrtr, basic/patterns/cancellation, basic/patterns/progress.
 *
 * @module
 */

import { ProxyError, toProxyError } from "../../errors.ts";
import { type Key, kindOf, type RpcText, textAt } from "../../rpc/mod.ts";
import type { UpstreamAnswer, UpstreamCall } from "../../upstream/mod.ts";
import { Asked, OVER } from "./asked.ts";
import type { ClientRequest } from "./client_request.ts";
import { errorAnswered, readAnswer, refusedAnswer } from "./error_answers.ts";
import { callerOf, type Holdable, type Holding } from "./holding.ts";
import type { MessageSource } from "./message_source.ts";
import type { Settings } from "./options.ts";
import { CAN_ASK, inputRequiredText } from "./questions.ts";
import type { Reply } from "./reply.ts";
import { SentRequest } from "./sent_request.ts";
import type { Participant, ServerSession } from "./server_session.ts";
import { SessionRefused } from "./session_refusal.ts";
import { isWanted, Telling } from "./telling.ts";
import { errorTold, isModern, resultText, type Told } from "./toward_client.ts";

/** What a conversation is about, and what it works with. */
export interface ConversationOptions {
  /** Settings. */
  readonly settings: Settings;
  /** The session in which it takes place. */
  readonly session: ServerSession;
  /** The request. */
  readonly request: ClientRequest;
  /** The call that it came with. */
  readonly call: Pick<UpstreamCall, "principal" | "headers" | "sent" | "onFailed">;
  /** Where it waits for its client. */
  readonly holding: Holding<Conversation>;
  /** Told of the response that it ends with. */
  readonly onAnswered: (method: string, response: RpcText) => void;
  /** Told once when it is over, however. */
  readonly onOver: () => void;
}

/** One request, from its first POST to its response. */
export class Conversation implements Participant, Holdable {
  readonly #options: ConversationOptions;
  readonly #telling: Telling;
  readonly #asked: Asked;
  #sent: SentRequest;
  #outcome: RpcText | ProxyError | undefined;
  #over = false;

  /** A conversation that has not begun. */
  constructor(options: ConversationOptions) {
    this.#options = options;
    const { session, settings: { bounds: { maxHeldCharacters } }, request } = options;
    const onDropped = () => session.drop("(client too slow)");
    this.#telling = new Telling({ maxHeldCharacters, onDropped }, request);
    this.#asked = new Asked(options);
    this.#sent = new SentRequest(options, request);
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
    this.#telling.begin(this.#request, reply);
    this.#options.session.enter(this, this.#sent.id, this.#sent.token);
    try {
      await this.#wantLog();
      if (this.#over) return;
      const answer = await this.#sent.send(this.#request);
      if (this.#over) return answer.body.discard();
      if (answer.status !== 200 || answer.kind === "other") return await this.#refused(answer);
      const source = this.#sent.read(answer);
      if (source.isStream) this.#telling.reply?.streams();
      await this.#pump(source);
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
    this.#telling.begin(request, reply);
    if (this.#asked.repeats) return await this.#opened(answers, reply);
    if (this.#sent.isStream) reply.streams();
    void this.#wantLog();
    this.#telling.catchUp(reply);
    const given = this.#asked.answeredBy(answers);
    if (this.#outcome !== undefined) return this.#finish(this.#outcome);
    try {
      for (const [{ idText }, answer] of given) {
        if (!this.#isDone) await this.#sent.give(idText!, answer);
      }
      this.received();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The client has left: nobody wants the answer any more. */
  cancel(reason: string): void {
    if (this.#over) return;
    this.#asked.refuse(reason);
    // What was answered is not under way there.
    if (!this.#isDone) this.#sent.cancel(reason);
    this.#sent.abort();
    this.#end();
  }

  /** See `Holdable`. */
  expire(): void {
    this.cancel("The client has not answered in time.");
  }

  /** The bridge closes: who waits is told. */
  close(error: ProxyError): void {
    const { reply } = this.#telling;
    this.cancel(error.message);
    reply?.fail(error);
  }

  /** See `Participant`. */
  receive(message: RpcText): void {
    if (this.#isDone) return;
    const kind = kindOf(message);
    if (kind === "request") this.#asked.add(message, this.#request);
    else if (kind === "notification") this.#told(message);
    else if (this.#sent.isAnsweredBy(message)) this.#answered(message);
  }

  /** See `Participant`. */
  completed(elicitation: Key): boolean {
    return this.#asked.completed(elicitation);
  }

  /** See `Participant`. */
  received(): void {
    const { reply } = this.#telling;
    if (this.#over || reply === undefined || reply.isOver) return;
    if (this.#asked.questions.length > 0) this.#ask(reply);
  }

  /** The newest POST about it. */
  get #request(): ClientRequest {
    return this.#telling.request;
  }

  /** Whether the server is known to have the method: of a tool it may say the same, as of one that is a task. */
  get #hasMethod(): boolean {
    return this.#request.method === "tools/call" && this.#options.session.has("tools");
  }

  /** Whether the server has nothing more to say about it. */
  get #isDone(): boolean {
    return this.#over || this.#asked.repeats || this.#outcome !== undefined;
  }

  /** The server has answered with a status: with an error, or with nothing that answers a request. */
  async #refused(refusal: UpstreamAnswer): Promise<void> {
    const { settings } = this.#options;
    const read = await readAnswer(refusal, settings, this.#sent.signal);
    if (read.error !== undefined && this.#asked.wantsUrls(read.error, this.#request)) {
      this.#answered(read.error);
      return this.received();
    }
    if (read.error !== undefined && isModern(read.error)) settings.onDoubt();
    this.#pass(errorAnswered(read, this.#request, settings, this.#hasMethod));
  }

  /** Reads to the response, no faster than the client does. */
  async #pump(source: MessageSource): Promise<void> {
    for (;;) {
      await this.#telling.room();
      const messages = this.#over ? undefined : await source.next();
      if (this.#over) return;
      if (messages === undefined) throw noResponse();
      this.#telling.reading(() => {
        for (const message of messages) this.receive(message);
      });
      this.received();
      if (this.#isDone) return source.discard();
    }
  }

  async #wantLog(): Promise<void> {
    const { session } = this.#options;
    if (this.logLevel === undefined) return session.levels.leave(this);
    if (session.has("logging")) await session.levels.want(this, this.logLevel);
  }

  #told(message: RpcText): void {
    if (this.#options.session.announce(message)) return;
    if (message.value.method === "notifications/cancelled") {
      return this.#asked.withdraw(textAt(message, ["params", "requestId"]));
    }
    if (isWanted(message, this.#sent.token, this.logLevel)) this.#telling.tell(message);
  }

  #answered(message: RpcText): void {
    if (isModern(message)) this.#options.settings.onDoubt();
    if (this.#asked.takeUrls(message, this.#request)) return this.#sent.discard();
    this.#outcome = message;
    if (this.#telling.reply !== undefined) this.#finish(message);
  }

  /** Ends the POST with what the client is asked, and waits for it to come back. */
  #ask(reply: Reply): void {
    const { holding, call, settings } = this.#options;
    let requestState: string;
    try {
      requestState = holding.hold(this, callerOf(call, settings), this.#request);
    } catch (error) {
      this.cancel("The proxy cannot wait for the client.");
      return reply.fail(toProxyError(error));
    }
    this.#telling.end();
    const text = inputRequiredText(reply.idText, this.#asked.questions, requestState);
    reply.respond({ status: 200, text });
  }

  /** Goes on behind -32042: sends the request again once all is done to which the user has agreed. */
  async #opened(answers: ReadonlyMap<string, string>, reply: Reply): Promise<void> {
    const told = this.#asked.disagreement(reply.idText, answers);
    if (told !== undefined) {
      this.#end();
      return reply.respond(told);
    }
    if (this.#asked.questions.length > 0) return this.received();
    await this.#asked.opened();
    if (!this.#over) await this.#repeat(reply);
  }

  /** Sends the request again, as a new one, in the same session. */
  async #repeat(reply: Reply): Promise<void> {
    this.#leave();
    this.#asked.repeated();
    this.#sent = new SentRequest(this.#options, this.#request);
    await this.run(reply);
  }

  #finish(outcome: RpcText | ProxyError): void {
    const { reply } = this.#telling;
    // The answer has come, and whoever is still asked something need not answer.
    this.#asked.refuse(OVER);
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

  #pass(answer: UpstreamAnswer): void {
    const { reply } = this.#telling;
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
    if (this.#telling.reply !== undefined) return this.#finish(failure);
    // Whoever comes back is told.
    this.#outcome = failure;
  }

  #leave(): void {
    this.#options.session.leave(this, this.#sent.id, this.#sent.token);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#sent.discard();
    this.#asked.forget();
    this.#telling.goOn();
    this.#leave();
    this.#options.onOver();
  }
}

function noResponse(): ProxyError {
  const sentence = "The upstream server ended its answer without a response.";
  return new ProxyError("upstream_closed", sentence);
}
