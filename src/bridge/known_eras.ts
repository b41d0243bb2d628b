/**
 * What is known of the eras that a server speaks: found out when somebody has to know, remembered, and found out
 * again when it stops being true.
 *
 * Source: 2026-07-28 basic/versioning "Backward Compatibility": the era is a property of the server, to be
 * cached, and to be probed again when the assumption fails.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { again, type KeptAnswer } from "../rpc/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { idOf } from "./era_signs.ts";
import { probe, type ProbeOptions, type ProbeResult } from "./probe.ts";

/** Which eras a server speaks; undefined for what nobody knows yet. */
export interface ServerEras {
  /** 2026-07-28 and later. */
  readonly modern: boolean | undefined;
  /** Revisions with `initialize`. */
  readonly session: boolean | undefined;
}

const UNKNOWN: ServerEras = { modern: undefined, session: undefined };

/** What finding out works with. */
export interface KnownErasOptions extends ProbeOptions {
  /** What the config says of the server, which is then not asked. */
  readonly pinned?: ServerEras | undefined;
}

/** The eras of one server. */
export class KnownEras {
  /** What is known now. */
  now: ServerEras;
  readonly #server: Upstream;
  readonly #options: KnownErasOptions;
  #probing: Promise<ProbeResult> | undefined;

  /** Nothing is known of `server` yet but what is pinned. */
  constructor(server: Upstream, options: KnownErasOptions) {
    this.#server = server;
    this.#options = options;
    this.now = options.pinned ?? UNKNOWN;
  }

  /** What a probe finds; one of this caller's own where another caller's says nothing about this one. */
  async find(call: UpstreamCall): Promise<ProbeResult> {
    const joined = this.#probing !== undefined;
    const found = await this.#probe(call);
    const isOthers = joined && found.era === undefined && isAboutCaller(found.refusal);
    return isOthers ? await probe(this.#server, call, this.#options) : found;
  }

  /** Finds out what the server speaks; gives what stood in the way where that fails. */
  async learn(call: UpstreamCall, body?: Uint8Array): Promise<UpstreamAnswer | undefined> {
    const found = await this.find(call);
    if (found.era === undefined) return refusalFor(found.refusal, this.#options, body);
    this.remember(found.era);
    return undefined;
  }

  /** What the server was found to speak. */
  remember(era: "modern" | "session"): void {
    this.now = era === "modern" ? { ...this.now, modern: true } : { modern: false, session: true };
  }

  /** Something speaks against what is known. */
  forget(): void {
    if (this.#options.pinned === undefined) this.now = UNKNOWN;
  }

  /** Asks the server, once for all who want to know. */
  #probe(call: UpstreamCall): Promise<ProbeResult> {
    return this.#probing ??= probe(this.#server, call, this.#options)
      .finally(() => this.#probing = undefined);
  }
}

/** What stood in the way of a probe, as the answer to the call for which it was made. */
function refusalFor(
  refusal: Extract<ProbeResult, { era: undefined }>["refusal"],
  { clock }: ProbeOptions,
  body: Uint8Array | undefined,
): UpstreamAnswer {
  const idText = body && idOf(body);
  if (refusal instanceof ProxyError) throw refusal.withId(idText);
  return again(clock, refusal, idText);
}

/** Whether what stood in the way of a probe is about who has asked, or that they have left. */
function isAboutCaller(refusal: KeptAnswer | ProxyError): boolean {
  return refusal instanceof ProxyError ? refusal.kind === "client_closed" : refusal.status < 500;
}
