/**
 * What a replay learns of the client's side: which ids and endpoints the proxy gave it for those that
 * the server gave.
 *
 * @module
 */

import { placeholder } from "../../fixtures/format/mod.ts";
import type { Live } from "./live.ts";
import { blocksOf, fieldOf, type Plan, templateText } from "./plan.ts";
import { comparable, idInUrl, type SeenSession } from "./transcript.ts";
import type { Alias, Values } from "./values.ts";

/** The client's values of one replay, as far as they were learnt. */
export class Learnt {
  readonly #plan: Plan;
  readonly #values: Values;
  readonly #base: URL;
  /** By placeholder. */
  readonly #client = new Map<string, string>();
  /** Endpoints of HTTP+SSE by the number of their session. */
  readonly #endpoints = new Map<number, URL>();

  /** @param base the URL against which endpoints are resolved */
  constructor(plan: Plan, values: Values, base: URL) {
    this.#plan = plan;
    this.#values = values;
    this.#base = base;
  }

  /** Keeps what the proxy gave the client for the placeholders of an exchange. */
  learn({ plan, gotHead, givenBlocks, gotBlocks }: Live): void {
    if (gotHead === undefined || plan.response === undefined) return;
    const given = fieldOf(plan.response.fields, "mcp-session-id");
    const value = fieldOf(gotHead.fields, "mcp-session-id");
    const session = /^\{\{session:(\d+)\}\}$/.exec(given ?? "")?.[1];
    if (session !== undefined && value !== undefined) {
      this.#keep("session", Number(session), value);
    }
    if (!plan.isStream) return;
    const blocks = comparable(givenBlocks, gotBlocks);
    blocksOf(templateText(plan.responsePieces)).forEach(({ id, event, data }, position) => {
      const block = blocks[position];
      if (block === undefined) return;
      const index = /^\{\{event:(\d+)\}\}$/.exec(id ?? "")?.[1];
      if (index !== undefined && block.id !== null) this.#keep("event", Number(index), block.id);
      if (event === "endpoint") this.#learnEndpoint(data ?? "", block.data ?? "");
    });
  }

  /** Whether what was recorded names a session that the server gave and the client has no id of. */
  lacks(recorded: string): boolean {
    const indexes = [...recorded.matchAll(/\{\{session:(\d+)\}\}/g)].map(([, index]) =>
      Number(index)
    );
    return indexes.some((index) =>
      this.#plan.sessionsGiven.has(index) && !this.#client.has(placeholder("session", index))
    );
  }

  /** The endpoint of HTTP+SSE that the client was given for a session. */
  endpoint(session: number): URL | undefined {
    return this.#endpoints.get(session);
  }

  /** The ids of sessions on both sides. */
  sessions(): SeenSession[] {
    return [...this.#plan.sessionsGiven.keys()].map((index) => ({
      index,
      server: this.#values.server("session", index),
      client: this.#client.get(placeholder("session", index)),
    }));
  }

  /** What names the same thing on the two sides: ids of sessions and of events. */
  aliases(): Alias[] {
    const of = (kind: "session" | "event", indexes: Iterable<number>) =>
      [...indexes].map((index) => ({
        name: placeholder(kind, index),
        server: this.#values.server(kind, index),
        client: this.#client.get(placeholder(kind, index)),
      }));
    const { sessionsGiven, eventsGiven } = this.#plan;
    return [...of("session", sessionsGiven.keys()), ...of("event", eventsGiven.keys())];
  }

  #learnEndpoint(template: string, got: string): void {
    const index = Number(/\{\{session:(\d+)\}\}/.exec(template)?.[1]);
    const base = this.#base;
    if (!Number.isInteger(index) || !URL.canParse(got, base)) return;
    this.#endpoints.set(index, new URL(got, base));
    const id = idInUrl(got);
    if (id !== undefined) this.#keep("session", index, id);
  }

  #keep(kind: "session" | "event", index: number, value: string): void {
    const name = placeholder(kind, index);
    // An id that is said again, in a resumed stream, must be the same; the judgements look at that.
    if (this.#client.has(name)) return;
    this.#client.set(name, value);
    this.#values.learn(kind, index, value);
  }
}
