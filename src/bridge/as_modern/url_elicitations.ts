/**
 * What a user has to open before a request is sent again (-32042): what the client answers to it, and the
 * wait until it is done, which shows in no answer.
 *
 * Source: 2025-11-25 client/elicitation, "URL Elicitation Required Error", "Response Actions" and "Completion
 * Notifications for URL Mode Elicitation".
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { errorBody, ProxyError } from "../../errors.ts";
import { type Key, keyOf } from "../../rpc/mod.ts";
import { memberOf } from "./text_edits.ts";
import type { Told } from "./toward_client.ts";

/** The notification that one is done. */
export const ELICITATION_COMPLETE = "notifications/elicitation/complete";

/** Those of one request; no more than one message of the server names. */
export class UrlElicitations {
  readonly #open = new Set<Key>();
  #wait: PromiseWithResolvers<void> | undefined;

  /** Adds one, by its text. What has no id is never said to be done. */
  add(elicitation: string): void {
    const id = keyOf(memberOf(elicitation, "elicitationId"));
    if (id !== undefined) this.#open.add(id);
  }

  /** One is done; false where it is none of these. */
  completed(id: Key): boolean {
    if (!this.#open.delete(id)) return false;
    if (this.#open.size === 0) this.#wait?.resolve();
    return true;
  }

  /** Resolves when all are done, after so many milliseconds, or with `forget`; what was there is forgotten. */
  async done(clock: Clock, forMs: number): Promise<void> {
    if (this.#open.size === 0) return;
    this.#wait = Promise.withResolvers();
    const timer = clock.after(forMs, this.#wait.resolve);
    await this.#wait.promise;
    timer.cancel();
    this.forget();
  }

  /** Nobody waits any more. */
  forget(): void {
    this.#open.clear();
    this.#wait?.resolve();
    this.#wait = undefined;
  }
}

/** What ends a request whose client does not agree to open what it has to; undefined where it agrees to all. */
export function disagreement(idText: string, answers: readonly string[]): Told | undefined {
  const actions = answers.map((answer) => memberOf(answer, "action"));
  if (actions.some((action) => !ACTIONS.has(action))) {
    const sentence = "The action of an answer to an elicitation is accept, decline or cancel.";
    const error = new ProxyError("invalid_params", sentence, { idText });
    return { status: error.status, text: errorBody(error) };
  }
  const refusal = actions.find((action) => action !== ACCEPT);
  if (refusal === undefined) return undefined;
  const sentence =
    `The server wants a URL to be opened first, and the client has answered that with ${refusal}.`;
  // With nothing wrong about the POST.
  return { status: 200, text: errorBody(new ProxyError("bad_request", sentence, { idText })) };
}

const ACCEPT = '"accept"';
const ACTIONS: ReadonlySet<string | undefined> = new Set([ACCEPT, '"decline"', '"cancel"']);
