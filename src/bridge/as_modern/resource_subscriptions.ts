/**
 * The resources to which a session is subscribed at the server, and for whom.
 *
 * Source: 2025-11-25 server/resources "Subscriptions".
 *
 * @module
 */

import { at, covers, Turns } from "../../rpc/mod.ts";
import type { Ask } from "./session_levels.ts";

/** Requests under way at once for one who subscribes to many. */
const AT_ONCE = 16;

/** Subscriptions of one session, counted by who has them. */
export class ResourceSubscriptions<Listener extends object> {
  readonly #ask: Ask;
  readonly #onFailed: (method: string) => void;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #turns = new Turns();

  /** None yet; `onFailed` is told what the server did not take. */
  constructor(ask: Ask, onFailed: (method: string) => void) {
    this.#ask = ask;
    this.#onFailed = onFailed;
  }

  /** The resources that anybody has subscribed to, with who has. */
  get all(): ReadonlyMap<string, ReadonlySet<Listener>> {
    return this.#listeners;
  }

  /** Subscribes to resources; those that the server took. */
  async add(uris: readonly string[], listener: Listener): Promise<readonly string[]> {
    const taken = new Set<string>();
    await inGroups(uris, (uri) =>
      this.#turns.take(uri, async () => {
        const listeners = this.#listeners.get(uri);
        if (listeners === undefined) {
          if (!await this.#tell("resources/subscribe", uri)) return;
          this.#listeners.set(uri, new Set([listener]));
        } else {
          listeners.add(listener);
        }
        taken.add(uri);
      }));
    return uris.filter((uri) => taken.has(uri));
  }

  /** Takes all of a listener's back, at the server too where they were the last. */
  async remove(listener: Listener): Promise<void> {
    const uris = [...this.#listeners].flatMap(([uri, all]) => all.has(listener) ? [uri] : []);
    await inGroups(uris, (uri) =>
      this.#turns.take(uri, async () => {
        const listeners = this.#listeners.get(uri);
        listeners?.delete(listener);
        if (listeners?.size !== 0) return;
        this.#listeners.delete(uri);
        await this.#tell("resources/unsubscribe", uri);
      }));
  }

  /** Puts them into a session that has replaced another. */
  async restore(): Promise<void> {
    await inGroups([...this.#listeners.keys()], async (uri) => {
      await this.#tell("resources/subscribe", uri, false);
    });
  }

  /** Who has to hear of a change to a resource. */
  concerned(uri: string): ReadonlySet<Listener> {
    const found = new Set<Listener>();
    for (const [subscribed, listeners] of this.#listeners) {
      if (covers(subscribed, uri)) { for (const listener of listeners) found.add(listener); }
    }
    return found;
  }

  /** Whether the server has taken it. */
  async #tell(method: string, uri: string, recovers = true): Promise<boolean> {
    try {
      const reply = await this.#ask(method, { uri }, recovers);
      if (at(reply.value, "result") !== undefined) return true;
    } catch {
      // Counted below, as what the server refuses is.
    }
    this.#onFailed(method);
    return false;
  }
}

async function inGroups<T>(all: readonly T[], act: (one: T) => Promise<void>): Promise<void> {
  const left = [...new Set(all)];
  while (left.length > 0) await Promise.all(left.splice(0, AT_ONCE).map(act));
}
