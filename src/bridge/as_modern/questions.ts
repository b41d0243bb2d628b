/**
 * Requests of a server that a client has to answer: as it is asked them, and what it answers. Pure.
 *
 * Source: 2026-07-28 basic/patterns/mrtr "InputRequests" and "InputResponses"; 2025-11-25 client/elicitation.
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import { elements, members } from "../../json/mod.ts";
import { at, isRecord, type Key, keyOf, type RpcText, textAt } from "../../rpc/mod.ts";
import type { ClientRequest } from "./client_request.ts";
import { response } from "./toward_client.ts";
import { isObjectText, withMembers, withoutMembers } from "./text_edits.ts";

/** Requests during which a client can be asked (2026-07-28 basic/patterns/mrtr "Supported Requests"). */
export const CAN_ASK: ReadonlySet<string> = new Set([
  "tools/call",
  "prompts/get",
  "resources/read",
]);

/** One question. */
export interface Question {
  /** What the client knows it by. */
  readonly name: string;
  /** The text of the server's id of it; undefined for one that only a repeated request answers. */
  readonly idText: string | undefined;
  /** The request, as the client is asked it. */
  readonly text: string;
}

/** What in the parameters of a server's request means nothing outside of a session. */
const SESSION_MEMBERS: readonly string[] = ["elicitationId", "task"];

/** The questions of one request that have no answer yet. */
export class Questions {
  readonly #open = new Map<string, Question>();
  #serial = 0;

  /** How many there are. */
  get size(): number {
    return this.#open.size;
  }

  /** All of them. */
  get all(): readonly Question[] {
    return [...this.#open.values()];
  }

  /** Adds the request that a server has sent; one that is there already, which it sends again, stays. */
  add(message: RpcText): void {
    const idText = textAt(message, ["id"])!;
    if (this.#byId(keyOf(idText)) !== undefined) return;
    this.#put(idText, message.value.method as string, textAt(message, ["params"]));
  }

  /** Adds what has to be opened by the user before the request is sent again. */
  addUrl(elicitation: string): void {
    this.#put(undefined, "elicitation/create", elicitation);
  }

  /** Takes the one back that the server has withdrawn. */
  withdraw(idText: string | undefined): void {
    const found = this.#byId(keyOf(idText));
    if (found !== undefined) this.#open.delete(found.name);
  }

  /** Takes those that are answered, each with the text of its answer. */
  answeredBy(answers: ReadonlyMap<string, string>): readonly (readonly [Question, string])[] {
    return this.all.flatMap((question) => {
      const answer = answers.get(question.name);
      if (answer === undefined) return [];
      this.#open.delete(question.name);
      return [[question, answer] as const];
    });
  }

  /** Takes all of them. */
  takeAll(): readonly Question[] {
    const { all } = this;
    this.#open.clear();
    return all;
  }

  #put(idText: string | undefined, method: string, params: string | undefined): void {
    const name = `q${++this.#serial}`;
    const own = isObjectText(params) ? withoutMembers(params, SESSION_MEMBERS) : undefined;
    const told = own === undefined ? "" : `,"params":${own}`;
    this.#open.set(name, { name, idText, text: `{"method":${JSON.stringify(method)}${told}}` });
  }

  #byId(key: Key | undefined): Question | undefined {
    if (key === undefined) return undefined;
    return this.all.find(({ idText }) => keyOf(idText) === key);
  }
}

/** The response that asks questions; `requestState` says to which request the answers belong. */
export function inputRequiredText(
  idText: string,
  questions: readonly Question[],
  requestState: string,
): string {
  const requests = withMembers("{}", questions.map(({ name, text }) => [name, text]));
  return response(
    idText,
    `{"resultType":"input_required","inputRequests":${requests},` +
      `"requestState":${JSON.stringify(requestState)}}`,
  );
}

/**
 * The texts of the answers that a client gives, by the names of the questions.
 *
 * @throws {ProxyError} `invalid_params` where they are none
 */
export function answersIn({ inputResponses, idText }: ClientRequest): ReadonlyMap<string, string> {
  const refuse = (sentence: string) => new ProxyError("invalid_params", sentence, { idText });
  if (inputResponses === undefined) return new Map();
  if (!isObjectText(inputResponses)) {
    throw refuse("inputResponses must be an object with an answer under the key of each question.");
  }
  const answers = new Map<string, string>();
  for (const { key, start, end } of members(inputResponses)) {
    const answer = inputResponses.slice(start, end);
    if (!isObjectText(answer)) throw refuse("Each of inputResponses must be an object.");
    answers.set(key, answer);
  }
  return answers;
}

/** The texts of the elicitations that an error -32042 wants first; undefined where it names none. */
export function urlElicitations(message: RpcText): readonly string[] | undefined {
  const listed = at(message.value, "error", "data", "elicitations");
  if (!Array.isArray(listed) || listed.length === 0 || !listed.every(isUrl)) return undefined;
  const text = textAt(message, ["error", "data", "elicitations"])!;
  return elements(text).map(({ start, end }) => text.slice(start, end));
}

function isUrl(value: unknown): boolean {
  return isRecord(value) && value.mode === "url" && typeof value.url === "string";
}
