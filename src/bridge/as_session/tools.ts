/**
 * Which parameters of which tools are mirrored into header fields: learnt from lists of tools that go by, and
 * asked for where a call names a tool that no list had.
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Custom Headers from Tool Parameters".
 *
 * @module
 */

import { at, type HeaderParam, headerParams, type RpcText, textAt } from "../../rpc/mod.ts";
import type { UpstreamCall } from "../../upstream/mod.ts";
import { BoundedTable } from "../bounded_table.ts";
import type { NewMember } from "./edits.ts";
import { inTime } from "./in_time.ts";
import { audienceOf, freshMs } from "./kept.ts";
import type { ModernServer } from "./modern_call.ts";
import type { Settings } from "./options.ts";
import { modernFields, ownRequest, type Speaker } from "./requests.ts";

/** Who asks. */
export interface Asking {
  /** A call of the client. */
  readonly call: UpstreamCall;
  /** What it is. */
  readonly speaker: Speaker;
}

/**
 * How long a list is used at least, in milliseconds, also where its `ttlMs` is less: a tool that has changed
 * meanwhile is refused with -32020, and asked for again then.
 */
const LEAST_MS = 60_000;

/** Characters of the name of a tool that are logged. */
const MAX_TOLD_CHARACTERS = 128;

const METHOD = "tools/list";

/** What is known of the tools that one caller, or everybody, can see. */
interface View {
  readonly tools: Map<string, readonly HeaderParam[]>;
  untilMs: number;
  /** Whether a tool that is not in it does not exist. */
  whole: boolean;
}

/** What is known of tools. */
export class Tools {
  readonly #server: ModernServer;
  readonly #settings: Settings;
  readonly #views: BoundedTable<View>;
  readonly #underWay = new Map<string, Promise<void>>();
  /** Until when a caller's list that could not be had whole is not asked for again for want of a tool. */
  readonly #asked: BoundedTable<number>;
  readonly #rejected: BoundedTable<string>;

  /** Nothing is known yet. */
  constructor(server: ModernServer, settings: Settings) {
    this.#server = server;
    this.#settings = settings;
    this.#views = new BoundedTable(settings.limits.maxKept);
    this.#asked = new BoundedTable(settings.limits.maxKept);
    this.#rejected = new BoundedTable(settings.limits.maxKept);
  }

  /** The parameters of a tool that are mirrored; none where the server cannot be asked for it. */
  async paramsOf(name: string, asking: Asking): Promise<readonly HeaderParam[]> {
    const known = this.#known(name, asking.call);
    if (known !== undefined) return known;
    if (this.#wasAsked(asking)) return [];
    // A call whose own time is half gone is sent without: a server that wants the fields says so.
    const { clock, firstMessageMs } = this.#settings;
    await inTime(clock, firstMessageMs / 2, this.refresh(asking));
    return this.#known(name, asking.call) ?? [];
  }

  /** Asks for the list anew, once for all who want it at a time; what goes wrong is told to nobody. */
  async refresh(asker: Asking): Promise<void> {
    const { caller } = audienceOf(asker.call, this.#settings);
    let asking = this.#underWay.get(caller);
    if (asking === undefined) {
      asking = this.#ask(asker).finally(() => this.#underWay.delete(caller));
      this.#underWay.set(caller, asking);
    }
    await asking;
  }

  /** Learns from a page of the list that answers a call. */
  learn(response: RpcText, call: UpstreamCall): void {
    const view = this.#viewFor(response, call);
    this.#add(view, response);
  }

  /** Tells once of a tool that clients are not shown. */
  reject(name: string, why: string): void {
    if (this.#rejected.get(name) === why) return;
    this.#rejected.set(name, why);
    const tool = name.slice(0, MAX_TOLD_CHARACTERS);
    this.#settings.logger.warn("a tool of an upstream server is left out", { tool, why });
  }

  /** The list has changed: what is known is not true any more. */
  forget(): void {
    this.#views.clear();
    this.#asked.clear();
  }

  /** A server that does not tell all of its tools is not asked for them with each call of one. */
  #wasAsked({ call }: Asking): boolean {
    const untilMs = this.#asked.get(audienceOf(call, this.#settings).caller);
    return untilMs !== undefined && this.#settings.clock.monotonicMs() < untilMs;
  }

  #known(name: string, call: UpstreamCall): readonly HeaderParam[] | undefined {
    const nowMs = this.#settings.clock.monotonicMs();
    const { caller, everybody } = audienceOf(call, this.#settings);
    for (const key of [caller, everybody]) {
      const view = this.#views.get(key);
      if (view === undefined || nowMs >= view.untilMs) continue;
      const params = view.tools.get(name) ?? (view.whole ? [] : undefined);
      if (params !== undefined) return params;
    }
    return undefined;
  }

  async #ask({ call, speaker }: Asking): Promise<void> {
    const { clock, limits: { maxToolPages, toolListMs }, logger } = this.#settings;
    const { caller } = audienceOf(call, this.#settings);
    const untilMs = clock.monotonicMs() + LEAST_MS;
    // Others may wait for it too, so that no call's end is its end.
    const control = new AbortController();
    const timer = clock.after(toolListMs, () => control.abort());
    let view: View | undefined;
    let cursor: string | undefined;
    try {
      for (let page = 1; page <= maxToolPages; page++) {
        const params: NewMember[] = cursor === undefined ? [] : [["cursor", cursor]];
        const { response } = await this.#server.ask({
          call,
          fields: modernFields(call.headers, METHOD, {}),
          text: ownRequest(METHOD, `"switchyard-tools-${page}"`, speaker, params),
          signal: control.signal,
        });
        if (response === undefined || !Array.isArray(at(response.value, "result", "tools"))) break;
        view ??= this.#viewFor(response, call, true);
        this.#add(view, response);
        cursor = textAt(response, ["result", "nextCursor"]);
        if (cursor === undefined || cursor === "null") {
          view.whole = view.tools.size < this.#settings.limits.maxTools;
          break;
        }
      }
    } catch (error) {
      // The call goes without; a server that wants the fields says so.
      logger.debug("the tools of an upstream server could not be asked for", { error });
    }
    timer.cancel();
    if (view?.whole === true) this.#asked.delete(caller);
    else this.#asked.set(caller, untilMs);
  }

  /** The view that a page belongs to, as fresh as the page says. */
  #viewFor(response: RpcText, call: UpstreamCall, anew = false): View {
    const { everybody, caller } = audienceOf(call, this.#settings);
    const isPublic = at(response.value, "result", "cacheScope") === "public";
    const key = isPublic ? everybody : caller;
    const forMs = Math.max(freshMs(at(response.value, "result", "ttlMs")), LEAST_MS);
    const nowMs = this.#settings.clock.monotonicMs();
    const known = this.#views.get(key);
    if (!anew && known !== undefined && nowMs < known.untilMs) return known;
    // What was told to this caller alone would be asked first, for as long as it was fresh.
    if (anew && isPublic) this.#views.delete(caller);
    const view: View = { tools: new Map(), untilMs: nowMs + forMs, whole: false };
    this.#views.set(key, view);
    return view;
  }

  #add(view: View, response: RpcText): void {
    const list = at(response.value, "result", "tools");
    if (!Array.isArray(list)) return;
    for (const tool of list) {
      const name = at(tool, "name");
      const isFull = view.tools.size >= this.#settings.limits.maxTools;
      if (typeof name !== "string" || (isFull && !view.tools.has(name))) continue;
      const params = headerParams(at(tool, "inputSchema"));
      // One whose definition is not valid is not shown to clients, and called without fields.
      view.tools.set(name, typeof params === "string" ? [] : params);
    }
  }
}
