/**
 * What the server says of itself, asked once for all who want to know at a time and kept while it is fresh.
 *
 * Source: 2026-07-28 server/discover and server/utilities/caching.
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import { NEVER_ABORTED } from "../../http/mod.ts";
import { at, CLIENT_INFO, type KeptAnswer, type RpcText } from "../../rpc/mod.ts";
import type { UpstreamCall } from "../../upstream/mod.ts";
import { BoundedTable } from "../bounded_table.ts";
import { audienceOf, freshMs } from "./kept.ts";
import type { ModernServer } from "./modern_call.ts";
import type { Settings } from "./options.ts";
import { MODERN, modernFields, ownRequest, type Speaker } from "./requests.ts";

/** What came of asking: the response with the result, or the refusal of a server that wants something else first. */
export type Discovered =
  | { readonly response: RpcText; readonly refusal?: undefined }
  | { readonly response?: undefined; readonly refusal: KeptAnswer };

const METHOD = "server/discover";

/** The proxy asks for many clients, so it says no more of them than its own name. */
const PROXY: Speaker = {
  clientInfo: JSON.stringify(CLIENT_INFO),
  capabilities: "{}",
  logLevel: undefined,
};

interface Fresh {
  readonly discovered: Discovered;
  readonly untilMs: number;
}

/** Asks and keeps. */
export class Discovery {
  readonly #server: ModernServer;
  readonly #settings: Settings;
  readonly #kept: BoundedTable<Fresh>;
  readonly #underWay = new Map<string, Promise<Discovered>>();

  /** Nothing is known yet. */
  constructor(server: ModernServer, settings: Settings) {
    this.#server = server;
    this.#settings = settings;
    this.#kept = new BoundedTable(settings.limits.maxKept);
  }

  /**
   * What the server says to whoever makes this call.
   *
   * @throws {ProxyError} where it cannot be asked, or does not speak 2026-07-28
   */
  ask(call: UpstreamCall): Promise<Discovered> {
    const { everybody, caller } = audienceOf(call, this.#settings);
    const nowMs = this.#settings.clock.monotonicMs();
    for (const key of [caller, everybody]) {
      const kept = this.#kept.get(key);
      if (kept === undefined) continue;
      if (nowMs < kept.untilMs) return Promise.resolve(kept.discovered);
      this.#kept.delete(key);
    }
    const waiting = this.#underWay.get(caller);
    if (waiting !== undefined) return waiting;
    const asking = this.#askServer(call).finally(() => this.#underWay.delete(caller));
    this.#underWay.set(caller, asking);
    return asking;
  }

  async #askServer(call: UpstreamCall): Promise<Discovered> {
    const outcome = await this.#server.ask({
      call,
      fields: modernFields(call.headers, METHOD, {}),
      text: ownRequest(METHOD, '"switchyard-discover"', PROXY),
      // Others may wait for it too; the server's own deadlines hold.
      signal: NEVER_ABORTED,
    });
    if (outcome.refusal !== undefined) return outcome;
    const result = at(outcome.response.value, "result");
    const versions = at(result, "supportedVersions");
    if (!Array.isArray(versions) || !versions.includes(MODERN)) {
      this.#settings.onDoubt();
      const sentence =
        `The upstream server does not say that it speaks ${MODERN}; try again later.`;
      throw new ProxyError("upstream_protocol", sentence);
    }
    const forMs = freshMs(at(result, "ttlMs"));
    if (forMs > 0) {
      const { everybody, caller } = audienceOf(call, this.#settings);
      // What does not say that it is for everybody is not.
      const key = at(result, "cacheScope") === "public" ? everybody : caller;
      const untilMs = this.#settings.clock.monotonicMs() + forMs;
      this.#kept.set(key, { discovered: outcome, untilMs });
    }
    return outcome;
  }
}
