/**
 * Which arguments of tools are mirrored into header fields, as the lists of tools say that go by: for messages
 * that interceptors have changed.
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Custom Headers from Tool Parameters".
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { at, type HeaderParam, headerParams, readBody } from "../rpc/mod.ts";

/** Tools with such arguments that are remembered, of one route; of too many the one learnt first goes. */
const MAX_TOOLS = 10_000;

/** Such arguments of one tool, and characters of its name: a request has no room for more of them. */
const MAX_PARAMS = 128;
const MAX_NAME_CHARACTERS = 8_192;

/**
 * How long a list is believed at least and at most, in milliseconds, whatever its `ttlMs`: a newer one may have
 * gone by at another instance.
 */
const LEAST_MS = 60_000;
const MOST_MS = 86_400_000;

interface Tool {
  readonly params: readonly HeaderParam[];
  readonly untilMs: number;
}

/** The mirrored arguments of the tools behind one route. */
export class ListedTools {
  readonly #clock: Pick<Clock, "monotonicMs">;
  /** By principal and name: what one caller is shown need not be what another one is. */
  readonly #tools = new Map<string, Tool>();

  /** Nothing is known yet. */
  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Learns from a message of the server that answers `tools/list`; what is no such result teaches nothing. */
  learn(principal: string, text: string): void {
    for (const { value } of readBody(text)?.messages ?? []) {
      const tools = at(value, "result", "tools");
      if (!Array.isArray(tools)) continue;
      const ttlMs = Number(at(value, "result", "ttlMs")) || 0;
      const untilMs = this.#clock.monotonicMs() + Math.min(Math.max(ttlMs, LEAST_MS), MOST_MS);
      for (const tool of tools) this.#learnTool(principal, tool, untilMs);
    }
  }

  /** The mirrored arguments of a tool; undefined where it is not known to have any. */
  paramsOf(principal: string, name: unknown): readonly HeaderParam[] | undefined {
    if (typeof name !== "string") return undefined;
    const tool = this.#tools.get(keyOf(principal, name));
    return tool !== undefined && this.#clock.monotonicMs() < tool.untilMs ? tool.params : undefined;
  }

  #learnTool(principal: string, tool: unknown, untilMs: number): void {
    const name = at(tool, "name");
    if (typeof name !== "string" || name.length > MAX_NAME_CHARACTERS) return;
    const key = keyOf(principal, name);
    this.#tools.delete(key);
    const params = headerParams(at(tool, "inputSchema"));
    if (typeof params === "string" || params.length === 0 || params.length > MAX_PARAMS) return;
    this.#tools.set(key, { params, untilMs });
    if (this.#tools.size > MAX_TOOLS) this.#tools.delete(this.#tools.keys().next().value!);
  }
}

function keyOf(principal: string, name: string): string {
  return JSON.stringify([principal, name]);
}
