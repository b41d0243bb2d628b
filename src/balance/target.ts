/**
 * One target: what is under way there, and what its calls say of its health.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { inwardId, outwardId, UNNAMED } from "../http/mod.ts";
import type {
  Upstream,
  UpstreamAnswer,
  UpstreamBody,
  UpstreamCall,
  WholeAnswer,
} from "../upstream/mod.ts";
import type { Outcome, TargetHealth } from "./health.ts";
import type { Interruption } from "./interruption.ts";
import { isFailure, outcomeOfAnswer, outcomeOfEnd, outcomeOfError } from "./outcomes.ts";
import type { Choice } from "./policies.ts";
import type { TargetTold } from "./told.ts";

/** A target as the config has it. */
export interface TargetSpec {
  /** Its name; `UNNAMED` for the one target of an upstream without names. */
  readonly name: string;
  /** Its share of the calls beside the others' weights. */
  readonly weight: number;
  /** Where it is: a target with the same name at the same place is the same. */
  readonly place: string;
  /** How it is probed; left out where it is not. */
  readonly watching?: Watching | undefined;
  /** Opens it; what comes back is the target's to close. */
  open(): Upstream;
}

/** How a target is probed. */
export interface Watching {
  /** What differs where it is probed in another way. */
  readonly key: string;
  /** Begins. */
  begin(health: TargetHealth): Watch;
}

/** Probes that are being made. */
export interface Watch {
  /** Makes the next one now. */
  hurry(): void;
  /** Makes no more. */
  stop(): Promise<void>;
}

/** What can be asked of a target: the methods of an upstream. */
export type Verb = "exchange" | "notify" | "listen" | "terminate";

/** One call on its way. */
export interface Request {
  /** What is asked. */
  readonly verb: Verb;
  /** The call as it came from above. */
  readonly call: UpstreamCall;
  /** Its body; empty for `listen` and `terminate`. */
  readonly body: Uint8Array;
  /** Whether it may run twice. */
  readonly safe: boolean;
  /** Told an answer that is whole; see `WholeAnswer`. */
  readonly onWhole?: WholeAnswer | undefined;
  /** What takes it back; left out where nothing does. */
  readonly interruption?: Interruption | undefined;
  /** Whether it goes out on a new connection. */
  readonly fresh?: boolean | undefined;
}

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
  /** From when on its sessions go elsewhere, on the clock's monotonic scale; undefined where it is not drained. */
  #emptyFromMs: number | undefined;
  #emptying: Timer | undefined;
  #gone = false;

  /** A target that has no health yet. */
  constructor(parts: TargetParts) {
    const { spec } = parts;
    this.#parts = parts;
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
    return this.#emptyFromMs !== undefined;
  }

  /** Whether calls may go there that belong nowhere. */
  get isOpen(): boolean {
    return this.#emptyFromMs === undefined && this.health.isAvailable;
  }

  /** Whether sessions may come here that another target has lost: to one that merely is ejected, too. */
  get mayTakeOver(): boolean {
    return this.#emptyFromMs === undefined && !this.isDown;
  }

  /** Whether nobody answers there. */
  get isDown(): boolean {
    return this.health.state === "down";
  }

  /** Whether it was drained long enough for its sessions to go elsewhere. */
  get isEmptied(): boolean {
    return this.#emptyFromMs !== undefined && this.#emptyFromMs <= this.#parts.clock.monotonicMs();
  }

  /** See `RouteTargets`. */
  drain(moveAfterMs = Infinity): void {
    const { clock, onEmptied } = this.#parts;
    this.resume();
    this.#emptyFromMs = clock.monotonicMs() + moveAfterMs;
    if (moveAfterMs < Infinity) this.#emptying = clock.after(moveAfterMs, onEmptied);
  }

  /** See `RouteTargets`. */
  resume(): void {
    this.#emptying?.cancel();
    this.#emptyFromMs = undefined;
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
      answer = await sendTo(
        this.#parts.upstream,
        request,
        this.#inward(request),
        this.#told(request),
      );
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
    return this.#outward(answer);
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
    this.#emptying?.cancel();
    void this.#unwatch();
    this.health.remove();
  }

  /** Closes its connections. */
  async close(): Promise<void> {
    this.#gone = true;
    this.#emptying?.cancel();
    await Promise.all([this.#unwatch(), this.#parts.upstream.close()]);
  }

  /** The call as the server is to see it; the same object where nothing of it differs. */
  #inward({ call, interruption, fresh }: Request): UpstreamCall {
    const isNamed = this.name !== UNNAMED && call.sessionId !== undefined;
    if (!isNamed && interruption === undefined && fresh === undefined) return call;
    return {
      ...call,
      sessionId: isNamed ? inwardId(call.sessionId!) : call.sessionId,
      signal: interruption ?? call.signal,
      fresh,
    };
  }

  /** An answer of the server as it is seen above; the same object where nothing of it differs. */
  #outward(answer: UpstreamAnswer): UpstreamAnswer {
    if (this.name === UNNAMED || answer.sessionId === undefined) return answer;
    return { ...answer, sessionId: outwardId(this.name, answer.sessionId) };
  }

  /** Who is told a whole answer of the server. */
  #told({ onWhole }: Request): WholeAnswer | undefined {
    return this.name === UNNAMED
      ? onWhole
      : onWhole && ((answer) => onWhole(this.#outward(answer)));
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

function sendTo(
  upstream: Upstream,
  { verb, body }: Request,
  call: UpstreamCall,
  onWhole: WholeAnswer | undefined,
): Promise<UpstreamAnswer> {
  switch (verb) {
    case "exchange":
      return upstream.exchange(call, body, onWhole);
    case "notify":
      return upstream.notify(call, body);
    case "listen":
      return upstream.listen(call);
    case "terminate":
      return upstream.terminate(call);
  }
}

/** Whether what is asked for is a stream on which the server speaks first. */
function isListening({ verb, call: { method } }: Request): boolean {
  return verb === "listen" || method === "subscriptions/listen";
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
