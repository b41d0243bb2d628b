/**
 * What the server wants of the client of one request: answers to its own requests, and URLs to be opened before the
 * request is sent again.
 *
 * Sources: 2026-07-28 basic/patterns/mrtr; 2025-11-25 client/elicitation.
 *
 * @module
 */

import { at, canTake, type Key, type RpcText, textAt } from "../../rpc/mod.ts";
import type { ClientRequest } from "./client_request.ts";
import type { Settings } from "./options.ts";
import { CAN_ASK, type Question, Questions, urlElicitations } from "./questions.ts";
import type { ServerSession } from "./server_session.ts";
import { type Told, URL_ELICITATION_REQUIRED } from "./toward_client.ts";
import { disagreement, UrlElicitations } from "./url_elicitations.ts";

/** What is asked in. */
export interface AskedOptions {
  /** Settings. */
  readonly settings: Pick<Settings, "clock" | "bounds" | "firstMessageMs">;
  /** The session in which it is asked. */
  readonly session: Pick<ServerSession, "answer" | "refuse">;
}

/** What is asked of one client and not answered yet. */
export class Asked {
  readonly #options: AskedOptions;
  readonly #questions = new Questions();
  readonly #urls = new UrlElicitations();
  #repeats = false;

  /** Nothing yet. */
  constructor(options: AskedOptions) {
    this.#options = options;
  }

  /** The questions. */
  get questions(): readonly Question[] {
    return this.#questions.all;
  }

  /** Whether the request was refused until URLs are opened, and is to be sent again then. */
  get repeats(): boolean {
    return this.#repeats;
  }

  /** The server asks for something: the client is to be asked, or the server is told at once. */
  add(message: RpcText, { method: about, declared: { capabilities } }: ClientRequest): void {
    const { session, settings: { bounds } } = this.#options;
    const idText = textAt(message, ["id"])!;
    const { method, params } = message.value as { method: string; params?: unknown };
    if (method === "ping") return session.answer(idText, "{}");
    if (!CAN_ASK.has(about) || canTake(capabilities, method, params) !== true) {
      return session.refuse(idText, "The client of this request cannot be asked that.");
    }
    if (this.#questions.size >= bounds.maxQuestions) {
      return session.refuse(idText, "The client has as many requests to answer as it may.", -31503);
    }
    this.#questions.add(message);
  }

  /** The server takes a question back. */
  withdraw(idText: string | undefined): void {
    this.#questions.withdraw(idText);
  }

  /** Takes the questions that are answered, each with the text of its answer. */
  answeredBy(answers: ReadonlyMap<string, string>): readonly (readonly [Question, string])[] {
    return this.#questions.answeredBy(answers);
  }

  /** Tells the server of every question that nobody answers it, for this reason. */
  refuse(reason: string): void {
    for (const { idText } of this.#questions.takeAll()) {
      if (idText !== undefined) this.#options.session.refuse(idText, reason);
    }
  }

  /** Whether a response to `request` wants URLs to be opened first, and the client can open them. */
  wantsUrls(response: RpcText, request: ClientRequest): boolean {
    return urlsIn(response, request) !== undefined;
  }

  /** Takes over what a response wants to be opened; false where it is not about that. */
  takeUrls(response: RpcText, request: ClientRequest): boolean {
    const urls = urlsIn(response, request);
    if (urls === undefined) return false;
    this.refuse(OVER);
    for (const url of urls) {
      this.#questions.addUrl(url);
      this.#urls.add(url);
    }
    this.#repeats = true;
    return true;
  }

  /** An elicitation is complete; false where it is none of these. */
  completed(elicitation: Key): boolean {
    return this.#urls.completed(elicitation);
  }

  /** What the request ends with for a client that does not agree to open all of it; undefined where it agrees. */
  disagreement(idText: string, answers: ReadonlyMap<string, string>): Told | undefined {
    return disagreement(idText, this.answeredBy(answers).map(([, answer]) => answer));
  }

  /** Resolves when all was opened, or has taken too long. */
  async opened(): Promise<void> {
    const { clock, firstMessageMs, bounds: { elicitationMs } } = this.#options.settings;
    // The answer needs its time too.
    await this.#urls.done(clock, Math.min(elicitationMs, firstMessageMs / 2));
  }

  /** The request is sent again: nothing is asked about that yet. */
  repeated(): void {
    this.#repeats = false;
  }

  /** Nothing is waited for any more. */
  forget(): void {
    this.#urls.forget();
  }
}

/** Why nobody answers a question of a request that has its response. */
export const OVER = "The request is over.";

/** What the user has to open before the request is sent again; undefined where it is not about that. */
function urlsIn(
  response: RpcText,
  { method, declared: { capabilities } }: ClientRequest,
): readonly string[] | undefined {
  if (at(response.value, "error", "code") !== URL_ELICITATION_REQUIRED) return undefined;
  const canOpen = canTake(capabilities, "elicitation/create", { mode: "url" });
  return canOpen && CAN_ASK.has(method) ? urlElicitations(response) : undefined;
}
