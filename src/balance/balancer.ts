/**
 * Several targets as one `Upstream`; or one, for what is sent again and for the breaker.
 *
 * A session belongs to the target whose name stands in front of its id. Where that one is gone, or cannot be
 * reached while another can, the answer is 404 without a body, as of a server that has lost the session
 * (2025-11-25 basic/transports, "Session Management"): those above begin it anew, elsewhere (R66).
 *
 * @module
 */

import type { BalanceConfig } from "../config/mod.ts";
import { ProxyError } from "../errors.ts";
import { Fields, targetOfId, UNNAMED } from "../http/mod.ts";
import {
  heldBody,
  isConnectionFailure,
  isSafeRequest,
  mayRepeat,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamCall,
  type WholeAnswer,
} from "../upstream/mod.ts";
import { Choosing, remaining } from "./choosing.ts";
import { Interruption } from "./interruption.ts";
import type { BalancerOptions } from "./options.ts";
import type { Request, Verb } from "./request.ts";
import { RetryBudget } from "./retry_budget.ts";
import { Roster } from "./roster.ts";
import type { Target } from "./target.ts";
import type { TargetSpec } from "./target_spec.ts";
import type { RouteTargets, TargetTold } from "./told.ts";

const NO_BODY = new Uint8Array();

/** Balances the calls of one upstream. */
export class Balancer implements Upstream, RouteTargets {
  readonly #options: BalancerOptions;
  readonly #choosing: Choosing;
  readonly #budget: RetryBudget;
  readonly #roster: Roster;
  #settings: BalanceConfig;
  #retriesMade = 0;
  #retriesRefused = 0;

  /**
   * Opens all targets.
   *
   * @throws what opening one throws; then nothing stays open
   */
  constructor(options: BalancerOptions, settings: BalanceConfig, specs: readonly TargetSpec[]) {
    this.#options = options;
    this.#settings = settings;
    this.#choosing = new Choosing(settings.policy, options.clock);
    this.#budget = new RetryBudget(settings);
    this.#roster = new Roster(options);
    this.#roster.update(specs);
  }

  /** See `RouteTargets`. */
  get route(): string {
    return this.#options.route;
  }

  /** See `Upstream`. */
  exchange = (
    call: UpstreamCall,
    body: Uint8Array,
    onWhole?: WholeAnswer,
  ): Promise<UpstreamAnswer> =>
    this.#take("exchange", call, body, isSafeRequest(call.method), onWhole);

  /** See `Upstream`. */
  notify = (call: UpstreamCall, body: Uint8Array): Promise<UpstreamAnswer> =>
    this.#take("notify", call, body, false);

  /** See `Upstream`. */
  listen = (call: UpstreamCall): Promise<UpstreamAnswer> =>
    this.#take("listen", call, NO_BODY, true);

  /** See `Upstream`. */
  terminate = (call: UpstreamCall): Promise<UpstreamAnswer> =>
    this.#take("terminate", call, NO_BODY, false);

  /**
   * Has other targets, weights and settings from now on. What has the same name and place stays as it is; what
   * is left out gets no calls any more and is closed when its answers are over, at the latest after
   * `closeAfterMs`.
   *
   * @throws what opening a target throws; then nothing has changed
   */
  update(specs: readonly TargetSpec[], settings: BalanceConfig): void {
    this.#roster.update(specs);
    this.#settings = settings;
    this.#budget.settings = settings;
    this.#choosing.change(settings.policy);
  }

  /** See `RouteTargets`. */
  targets(): readonly TargetTold[] {
    return this.#roster.all.map((target) => target.told());
  }

  /** See `RouteTargets`. */
  retries(): { readonly made: number; readonly refused: number } {
    return { made: this.#retriesMade, refused: this.#retriesRefused };
  }

  /** See `RouteTargets`. */
  drain(name: string, moveAfterMs?: number): boolean {
    const target = this.#roster.find(name);
    target?.drain(moveAfterMs);
    return target !== undefined;
  }

  /** See `RouteTargets`. */
  resume(name: string): boolean {
    const target = this.#roster.find(name);
    target?.resume();
    return target !== undefined;
  }

  /** Resolves when no answer is under way: at once where none is, and whatever begins afterwards. */
  whenIdle(): Promise<void> {
    return this.#roster.whenIdle();
  }

  /** See `Upstream`. */
  close(): Promise<void> {
    return this.#roster.close();
  }

  #take(
    verb: Verb,
    call: UpstreamCall,
    body: Uint8Array,
    safe: boolean,
    onWhole?: WholeAnswer,
  ): Promise<UpstreamAnswer> {
    const nowMs = this.#options.clock.monotonicMs();
    this.#budget.called(nowMs);
    const { only } = this.#roster;
    if (only !== undefined) {
      const isElsewhere = call.sessionId !== undefined && targetOfId(call.sessionId) !== UNNAMED;
      if (isElsewhere) return Promise.resolve(lost());
      const request: Request = { verb, call, body, safe, onWhole };
      return safe ? this.#there(request, only) : this.#once(request, only, nowMs);
    }
    const request: Request = {
      verb,
      call,
      body,
      safe,
      onWhole,
      interruption: this.#mayBeCut(safe, call) ? new Interruption(call.signal) : undefined,
    };
    if (call.sessionId === undefined) return this.#anywhere(request);
    const target = this.#roster.find(targetOfId(call.sessionId));
    if (target === undefined || this.#hasMoved(target)) return Promise.resolve(lost());
    return this.#there(request, target);
  }

  /** Whether a call may be taken back from a target that goes down: where it can be made elsewhere. */
  #mayBeCut(safe: boolean, { sessionId }: UpstreamCall): boolean {
    return safe && this.#roster.all.length > 1 &&
      (sessionId !== undefined || this.#settings.retries > 0);
  }

  /** One try, where there is nowhere else to go and nothing may be sent twice. */
  #once(request: Request, target: Target, nowMs: number): Promise<UpstreamAnswer> {
    const waitMs = target.health.admit(nowMs);
    return waitMs === 0 ? target.send(request, nowMs) : Promise.reject(unavailable(waitMs));
  }

  /** A call that belongs to a target: there, once more there where that is safe, or nowhere. */
  async #there(request: Request, target: Target): Promise<UpstreamAnswer> {
    const waitMs = target.health.admit();
    if (waitMs > 0) throw unavailable(waitMs);
    try {
      return await target.send(request);
    } catch (error) {
      if (this.#isLost(request, target, error)) return lost();
      if (!this.#mayGoAgain(request, target, error)) throw error;
    }
    this.#retry();
    try {
      return await target.send({ ...request, fresh: true });
    } catch (error) {
      if (this.#isLost(request, target, error)) return lost();
      throw error;
    }
  }

  /** A call that belongs nowhere: to one target after the other, as far as it may be sent again. */
  async #anywhere(request: Request): Promise<UpstreamAnswer> {
    const chosen = this.#choosing.choose(this.#roster.all, request.call);
    if (chosen.target === undefined) throw unavailable(chosen.waitMs);
    let { target } = chosen;
    let current = request;
    const tried = new Set<Target>();
    for (;;) {
      try {
        return await target.send(current);
      } catch (error) {
        tried.add(target);
        const next = this.#next(current, target, tried, error);
        if (next === undefined) throw error;
        [target, current] = next;
      }
    }
  }

  /** Where a call goes that has failed at `target`: to one not tried yet, or once more to the same. */
  #next(
    request: Request,
    target: Target,
    tried: ReadonlySet<Target>,
    error: unknown,
  ): [Target, Request] | undefined {
    const { safe, call } = request;
    const isDone = request.fresh === true || tried.size > this.#settings.retries;
    if (isDone || call.signal.aborted || !mayRepeat(safe, error)) return undefined;
    // One that is not well is no help where connections are all that is missing: its refusal would be told.
    const others = isSaturation(error)
      ? this.#roster.all.filter(({ health }) => health.isAvailable)
      : this.#roster.all;
    if (remaining(others, tried).length > 0) {
      if (!this.#hasBudget()) return undefined;
      const next = this.#choosing.choose(others, call, tried).target;
      if (next !== undefined) return [next, this.#again(request)];
    }
    return this.#mayGoAgain(request, target, error)
      ? [target, { ...this.#again(request), fresh: true }]
      : undefined;
  }

  /** A request that is sent again: it can be taken back from the new target, too. */
  #again(request: Request): Request {
    this.#retry();
    if (request.interruption === undefined) return request;
    return { ...request, interruption: new Interruption(request.call.signal) };
  }

  /** Whether a call may be made once more at its own target, whose connection was closed; admitted then. */
  #mayGoAgain({ verb, safe, call }: Request, target: Target, error: unknown): boolean {
    if (verb !== "exchange" || this.#settings.retries === 0 || call.signal.aborted) return false;
    if (!isConnectionFailure(error) || !mayRepeat(safe, error)) return false;
    return this.#hasBudget() && target.health.admit() === 0;
  }

  /** Whether what a call in a session has met means that the session has to go elsewhere. */
  #isLost({ call, interruption }: Request, target: Target, error: unknown): boolean {
    if (call.signal.aborted || !this.#roster.hasOther(target)) return false;
    if (interruption?.isCut === true) return true;
    return error instanceof ProxyError && error.kind === "upstream_unreachable" && error.retrySafe;
  }

  /** Whether the sessions of a target go elsewhere. */
  #hasMoved(target: Target): boolean {
    if (target.isDown) return this.#roster.hasOther(target);
    return target.isEmptied && this.#roster.hasBetter(target);
  }

  #hasBudget(): boolean {
    const has = this.#budget.mayRetry(this.#options.clock.monotonicMs());
    if (!has) this.#retriesRefused++;
    return has;
  }

  #retry(): void {
    this.#budget.retried(this.#options.clock.monotonicMs());
    this.#retriesMade++;
  }
}

/** Whether a call found all connections in use that the proxy itself may have to a target. */
function isSaturation(error: unknown): boolean {
  return error instanceof ProxyError && error.kind === "upstream_saturated";
}

/** As of a server that does not know the session. */
function lost(): UpstreamAnswer {
  const body = heldBody(new Uint8Array());
  return {
    status: 404,
    headers: new Fields(),
    sessionId: undefined,
    kind: "other",
    body,
    hasMoved: true,
  };
}

function unavailable(waitMs: number): ProxyError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1_000));
  return new ProxyError(
    "upstream_unavailable",
    "The upstream server has not answered in time repeatedly and is left alone for a while; try again later.",
    {
      headers: { "retry-after": `${seconds}` },
      progress: { requestSent: false, answerBegun: false },
    },
  );
}
