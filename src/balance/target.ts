/**
 * One target: what is under way there, and what its calls say of its health.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { UNNAMED } from "../http/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamBody } from "../upstream/mod.ts";
import { Draining } from "./draining.ts";
import type { Outcome, TargetHealth } from "./health.ts";
import type { Interruption } from "./interruption.ts";
import { isFailure, outcomeOfAnswer, outcomeOfEnd, outcomeOfError } from "./outcomes.ts";
import type { Choice } from "./policies.ts";
import { ask, isListening, outwardAnswer, type Request } from "./request.ts";
import type { TargetSpec, Watch } from "./target_spec.ts";
import type { TargetTold } from "./told.ts";

/** What a target is given. */
export interface TargetParts {
  /** As the config has it. */
  readonly spec: TargetSpec;
  /** Opened. */
  readonly upstream: Upstream;
  /** Time. */
  readonly clock: Clock;
  /** Told each time when nothing is under way any more. */
  readonly onIdle: () => void;
  /** Told when it was drained so long that its sessions go elsewhere. */
  readonly onEmptied: () => void;
}

/** A target in use. */
export class Target implements Choice {
  readonly name: string;
  readonly place: string;
  readonly #parts: TargetParts;
  readonly #draining: Draining;
  readonly #waiting = new Set<Interruption>();
  /** Streams on which the server speaks first. */
  readonly #listening = new Set<UpstreamBody>();
  #configured: number;
  #health: TargetHealth | undefined;
  #watch: Watch | undefined;
  #watchKey: string | undefined;
  #unwatched: Promise<void> | undefined;
  #underWay = 0;
  #calls = 0;
  #failures = 0;
  #gone = false;

  /** A target that has no health yet. */
  constructor(parts: TargetParts) {
    const { spec, clock, onEmptied } = parts;
    this.#parts = parts;
    this.#draining = new Draining(clock, onEmptied);
    this.name = spec.name;
    this.place = spec.place;
    this.#configured = spec.weight;
  }

  /** Begins to look after it. */
  begin(health: TargetHealth): void {
    this.#health = health;
    this.adjust(this.#parts.spec);
  }

  /** Its health, from `begin` on. */
  get health(): TargetHealth {
    return this.#health!;
  }

  /** See `Choice`: what it comes to with its health. */
  get weight(): number {
    return this.#configured * this.health.share;
  }

  /** The config says this of it now. */
  adjust({ weight, watching }: TargetSpec): void {
    this.#configured = weight;
    if (watching?.key === this.#watchKey) return;
    void this.#watch?.stop();
    this.#watchKey = watching?.key;
    this.#watch = watching?.begin(this.health);
  }

  /** See `Choice`. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Whether it gets no new work. */
  get draining(): boolean {
    return this.#draining.isOn;
  }

  /** Whether calls may go there that belong nowhere. */
  get isOpen(): boolean {
    return !this.draining && this.health.isAvailable;
  }

  /** Whether sessions may come here that another target has lost: to one that merely is ejected, too. */
  get mayTakeOver(): boolean {
    return !this.draining && !this.isDown;
  }

  /** Whether nobody answers there. */
  get isDown(): boolean {
    return this.health.state === "down";
  }

  /** Whether it was drained long enough for its sessions to go elsewhere. */
  get isEmptied(): boolean {
    return this.#draining.isEmptied;
  }

  /** See `RouteTargets`. */
  drain(moveAfterMs = Infinity): void {
    this.#draining.begin(moveAfterMs);
  }

  /** See `RouteTargets`. */
  resume(): void {
    this.#draining.end();
  }

  /** For the admin pages. */
  told(): TargetTold {
    return {
      ...this.health.told(),
      name: this.name,
      weight: this.#configured,
      draining: this.draining,
      underWay: this.#underWay,
      calls: this.#calls,
      failures: this.#failures,
    };
  }

  /**
   * Makes a call that its health has admitted, `sentMs` on the clock's monotonic scale.
   *
   * @throws what the upstream throws
   */
  async send(
    request: Request,
    sentMs = this.#parts.clock.monotonicMs(),
  ): Promise<UpstreamAnswer> {
    const { clock } = this.#parts;
    const { interruption, call: { sent } } = request;
    if (sent !== undefined && this.name !== UNNAMED) sent.target = this.name;
    this.#calls++;
    this.#underWay++;
    if (interruption !== undefined) this.#waiting.add(interruption);
    let answer: UpstreamAnswer;
    try {
      answer = await ask(this.#parts.upstream, this.name, request);
      if (isUnreached(answer.failure)) throw answer.failure;
    } catch (error) {
      const failure = interruption?.isCut === true ? wentDown(error) : error;
      const nowMs = clock.monotonicMs();
      const outcome = failure === error ? outcomeOfError(error, nowMs - sentMs, clock) : undefined;
      this.#judge(outcome, sentMs, nowMs);
      this.#leave();
      throw failure;
    } finally {
      if (interruption !== undefined) this.#waiting.delete(interruption);
    }
    const answeredMs = clock.monotonicMs();
    const head = outcomeOfAnswer(answer, answeredMs - sentMs, clock);
    this.#judge(head, sentMs, answeredMs);
    const isJudged = head !== undefined && isFailure(head);
    this.#listen(request, answer);
    answer.body.whenOver((failure) => {
      const end = isJudged ? undefined : outcomeOfEnd(failure);
      if (end !== undefined) this.#brokeOff(request, end, sentMs);
      this.#leave();
    });
    return outwardAnswer(this.name, answer);
  }

  /** A call has failed: it is looked at now. */
  doubt(): void {
    this.#watch?.hurry();
  }

  /** Takes the calls back that may run elsewhere and wait here for an answer. */
  cut(): void {
    for (const interruption of [...this.#waiting]) interruption.cut();
  }

  /**
   * Breaks off the streams on which the server speaks first, because it does `why`: whoever reads one opens it
   * again, and then elsewhere. A server that hangs would leave them open, and say nothing on them.
   */
  dismiss(why: "is down" | "is drained"): void {
    for (const body of [...this.#listening]) body.breakOff(notUsed(why));
  }

  /** It is a target no more: nothing that comes of it counts, and nobody looks after it. */
  retire(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#draining.forget();
    void this.#unwatch();
    this.health.remove();
  }

  /** Closes its connections. */
  async close(): Promise<void> {
    this.#gone = true;
    this.#draining.forget();
    await Promise.all([this.#unwatch(), this.#parts.upstream.close()]);
  }

  #judge(
    outcome: Outcome | undefined,
    sentMs: number,
    nowMs = this.#parts.clock.monotonicMs(),
  ): void {
    if (this.#gone) return;
    const agoMs = nowMs - sentMs;
    if (outcome === undefined) return this.health.forget(agoMs);
    if (isFailure(outcome)) this.#failures++;
    this.health.record(outcome.kind === "answered" ? outcome : { ...outcome, agoMs }, nowMs);
  }

  /**
   * An answer has broken off. That on which a server speaks first may be closed at any time (2025-11-25
   * basic/transports, "Listening for Messages from the Server"; 2026-07-28 basic/patterns/subscriptions): it is no
   * failed call, but a reason to look.
   */
  #brokeOff(request: Request, outcome: Outcome, sentMs: number): void {
    if (!isListening(request)) return this.#judge(outcome, sentMs);
    if (!this.#gone) this.doubt();
  }

  #listen(request: Request, { kind, body }: UpstreamAnswer): void {
    if (kind !== "sse" || !isListening(request)) return;
    this.#listening.add(body);
    body.whenOver(() => this.#listening.delete(body));
  }

  #unwatch(): Promise<void> | undefined {
    return this.#unwatched ??= this.#watch?.stop();
  }

  #leave(): void {
    this.#underWay--;
    if (this.#underWay === 0) this.#parts.onIdle();
  }
}

/** Whether there was no connection for a message on a channel, whose session may go on elsewhere. */
function isUnreached(failure: ProxyError | null | undefined): boolean {
  return failure?.kind === "upstream_unreachable" && failure.retrySafe;
}

function notUsed(why: string): ProxyError {
  const progress = { requestSent: true, answerBegun: true };
  return new ProxyError("upstream_closed", `The upstream server ${why}.`, { progress });
}

/** The failure of a call that was taken back: its client has not gone. */
function wentDown(cause: unknown): ProxyError {
  const sentence = "The upstream server went down before it answered.";
  const progress = { requestSent: true, answerBegun: false };
  return new ProxyError("upstream_unreachable", sentence, { cause, progress });
}
