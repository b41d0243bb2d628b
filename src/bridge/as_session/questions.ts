/**
 * Questions of the server, put to the client as requests of the session era, and their answers.
 *
 * Source: 2026-07-28 basic/patterns/mrtr; client/elicitation, client/sampling and client/roots of both eras.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import type { CancelSignal } from "../../http/mod.ts";
import { members } from "../../json/mod.ts";
import {
  at,
  canTake,
  type Capabilities,
  isRecord,
  type Key,
  keyOf,
  type RpcText,
  spanOf,
  splice,
  textAt,
} from "../../rpc/mod.ts";
import { objectEdits } from "./edits.ts";
import type { AsSessionLimits } from "./options.ts";

/** One question. */
export interface Question {
  /** What the server calls it. */
  readonly name: string;
  /** Its method. */
  readonly method: string;
  /** The text of its parameters; undefined for none. */
  readonly paramsText: string | undefined;
  /** The same, parsed. */
  readonly params: unknown;
}

/** Through whom questions are put. */
export interface Asker {
  /** The revision of the client. */
  readonly revision: string;
  /** What it declared, as far as its revision has it. */
  readonly capabilities: Capabilities;
  /** Sends it a message, on the stream that answers its request. */
  readonly tell: (text: string) => void;
  /** Aborted when the answers are not wanted any more. */
  readonly signal: CancelSignal;
}

/** The text of the answers to all questions of a round, or the error that one of them was answered with. */
export type Answers =
  | { readonly text: string; readonly refused?: undefined }
  | { readonly text?: undefined; readonly refused: Refused };

/** An error with which a client has answered a question. */
export interface Refused {
  /** The method of the question. */
  readonly method: string;
  /** The code of the error. */
  readonly code: number;
  /** Its message. */
  readonly message: string;
}

/** The revision whose elicitation in URL mode has an id. */
const URL_REVISION = "2025-11-25";
const ELICITATION_ID_BYTES = 16;

/** Random bytes that the ids of the questions of one session have in common. */
const TAG_BYTES = 8;

/**
 * The questions in a result that wants input.
 *
 * @throws {ProxyError} `upstream_protocol` for something else than a map of requests
 */
export function questionsIn(response: RpcText): Question[] {
  const path = ["result", "inputRequests"];
  const requests = at(response.value, ...path);
  if (requests === undefined) return [];
  const span = spanOf(response, path);
  if (span === undefined || !isRecord(requests)) throw malformed();
  const { text } = response;
  return [...new Map(members(text, span.start).map((member) => [member.key, member])).values()]
    .map(({ key, start }) => {
      const request = Object.hasOwn(requests, key) ? requests[key] : undefined;
      const method = at(request, "method");
      const params = at(request, "params");
      if (typeof method !== "string" || (params !== undefined && !isRecord(params))) {
        throw malformed();
      }
      const inner = members(text, start).findLast((member) => member.key === "params");
      const paramsText = inner && text.slice(inner.start, inner.end);
      return { name: key, method, params, paramsText };
    });
}

/** The questions to one client that wait for answers. */
export class Questions {
  readonly #clock: Clock;
  readonly #limits: AsSessionLimits;
  readonly #waiting = new Map<Key, (answer: RpcText) => void>();
  /** In the ids: what answers a question of a session that was made anew must not answer one of this one. */
  readonly #tag: string;
  #serial = 0;

  /** None yet. */
  constructor(clock: Clock, limits: AsSessionLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#tag = clock.randomBytes(TAG_BYTES).toHex();
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Takes the answer to a question; false where none waits for it. */
  answer(message: RpcText): boolean {
    const key = keyOf(textAt(message, ["id"]));
    const take = key === undefined ? undefined : this.#waiting.get(key);
    if (take === undefined) return false;
    this.#waiting.delete(key!);
    take(message);
    return true;
  }

  /**
   * Puts all questions of a round and waits for the answers.
   *
   * @throws {ProxyError} `invalid_request` for what the client cannot be asked, before anything is asked;
   * `upstream_saturated` for too many, `input_timeout` where the client takes too long, `client_closed`
   */
  async ask(questions: readonly Question[], asker: Asker): Promise<Answers> {
    for (const question of questions) requireCapability(question, asker);
    const { maxQuestions, answerMs } = this.#limits;
    if (this.size + questions.length > maxQuestions) {
      const sentence =
        `More than ${maxQuestions} questions of the server would wait for answers of this session, which is the limit here.`;
      throw new ProxyError("upstream_saturated", sentence);
    }
    const round = Promise.withResolvers<Answers>();
    const idTexts = new Map<Question, string>();
    const answers = new Map<Question, string>();
    for (const question of questions) {
      const idText = `"switchyard-ask-${this.#tag}-${++this.#serial}"`;
      idTexts.set(question, idText);
      this.#waiting.set(keyOf(idText)!, (answer) => {
        idTexts.delete(question);
        const text = isRecord(answer.value.result) ? textAt(answer, ["result"]) : undefined;
        if (text === undefined) return round.resolve({ refused: refusedBy(question, answer) });
        answers.set(question, text);
        if (idTexts.size === 0) round.resolve({ text: joinAnswers(questions, answers) });
      });
    }
    const giveUp = () => round.reject(new ProxyError("client_closed", "The client has gone."));
    if (asker.signal.aborted) giveUp();
    asker.signal.addEventListener("abort", giveUp, { once: true });
    const timer = this.#clock.after(answerMs, () => round.reject(tooLate(answerMs)));
    try {
      for (const [question, idText] of idTexts) asker.tell(this.#request(question, idText, asker));
      return await round.promise;
    } finally {
      timer.cancel();
      asker.signal.removeEventListener("abort", giveUp);
      this.#takeBack([...idTexts.values()], asker);
    }
  }

  /** Those that were not answered are not to be any more. */
  #takeBack(idTexts: readonly string[], { tell }: Asker): void {
    for (const idText of idTexts) {
      this.#waiting.delete(keyOf(idText)!);
      const reason = "The answer is not waited for any more.";
      tell(
        `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${idText},"reason":"${reason}"}}`,
      );
    }
  }

  #request(question: Question, idText: string, { revision }: Asker): string {
    const { method, paramsText } = question;
    const params = paramsText === undefined ? "" : `,"params":${this.#params(question, revision)}`;
    return `{"jsonrpc":"2.0","id":${idText},"method":${JSON.stringify(method)}${params}}`;
  }

  /** In 2025-11-25 a URL has an id, with which a server could tell that it is done; later revisions have none. */
  #params({ paramsText: text, params }: Question, revision: string): string {
    const isUrl = at(params, "mode") === "url" && revision >= URL_REVISION;
    if (!isUrl || at(params, "elicitationId") !== undefined) return text!;
    const id = this.#clock.randomBytes(ELICITATION_ID_BYTES).toHex();
    const span = { start: 0, end: text!.length };
    return splice(text!, objectEdits(text!, span, () => false, [["elicitationId", `"${id}"`]]));
  }
}

function requireCapability({ method, params }: Question, { capabilities }: Asker): void {
  const can = canTake(capabilities, method, params);
  if (can) return;
  if (can === undefined) throw malformed();
  const sentence =
    `The server wants to ask this client for ${method}, which it has not declared that it can answer.`;
  throw new ProxyError("invalid_request", sentence);
}

function joinAnswers(
  questions: readonly Question[],
  answers: ReadonlyMap<Question, string>,
): string {
  const texts = questions.map((one) => `${JSON.stringify(one.name)}:${answers.get(one)}`);
  return `{${texts.join(",")}}`;
}

function refusedBy({ method }: Question, { value }: RpcText): Refused {
  const code = at(value, "error", "code");
  const message = at(value, "error", "message");
  return {
    method,
    code: Number.isSafeInteger(code) ? code as number : -32603,
    message: typeof message === "string" ? message : "no result",
  };
}

function malformed(): ProxyError {
  const sentence =
    "The upstream server wants input in a form that 2026-07-28 does not have; nothing was asked.";
  return new ProxyError("upstream_protocol", sentence);
}

function tooLate(answerMs: number): ProxyError {
  const sentence =
    `The client did not answer the questions of the server within ${answerMs} milliseconds.`;
  return new ProxyError("input_timeout", sentence);
}
