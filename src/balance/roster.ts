/**
 * The targets that there are: those in use, and those that are none any more but whose answers go on.
 *
 * @module
 */

import type { Timer } from "../clock.ts";
import { UNNAMED } from "../http/mod.ts";
import type { HealthListener } from "./health.ts";
import type { BalancerOptions } from "./options.ts";
import { Target } from "./target.ts";
import type { TargetSpec } from "./target_spec.ts";

/** The targets of one upstream. */
export class Roster {
  readonly #options: BalancerOptions;
  /** Targets no more, and when what goes on there is cut. */
  readonly #retired = new Map<Target, Timer>();
  #all: readonly Target[] = [];
  #byName: ReadonlyMap<string, Target> = new Map();
  #only: Target | undefined;
  #whenIdle: PromiseWithResolvers<void> | undefined;

  /** None yet. */
  constructor(options: BalancerOptions) {
    this.#options = options;
  }

  /** Those in use, in the order of the config. */
  get all(): readonly Target[] {
    return this.#all;
  }

  /** The one target of an upstream whose targets have no names; undefined where they have. */
  get only(): Target | undefined {
    return this.#only;
  }

  /** The one with this name. */
  find(name: string): Target | undefined {
    return this.#byName.get(name);
  }

  /** Whether sessions that `target` has lost can go on at another one. */
  hasOther(target: Target): boolean {
    return this.#all.some((other) => other !== target && other.mayTakeOver);
  }

  /** Whether there is another target that is well. */
  hasBetter(target: Target): boolean {
    return this.#all.some((other) => other !== target && other.isOpen);
  }

  /**
   * Has these targets from now on. What has the same name and place stays as it is.
   *
   * @throws what opening a target throws; then nothing has changed
   */
  update(specs: readonly TargetSpec[]): void {
    const before = this.#all;
    const targets = this.#opened(specs);
    this.#all = targets;
    this.#byName = new Map(targets.map((target) => [target.name, target]));
    this.#only = targets.length === 1 && targets[0]!.name === UNNAMED ? targets[0] : undefined;
    const { fleet } = this.#options;
    for (const [at, target] of targets.entries()) {
      if (before.includes(target)) target.adjust(specs[at]!);
      else target.begin(fleet.add(target.name, this.#listening(target)));
    }
    // Behind the new ones: those that are left alone would come back where nobody else is there.
    for (const target of before) if (!targets.includes(target)) this.#retire(target);
  }

  /** Resolves when no answer is under way: at once where none is, whatever begins afterwards. */
  whenIdle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    this.#whenIdle ??= Promise.withResolvers();
    return this.#whenIdle.promise;
  }

  /** Closes all of them. */
  async close(): Promise<void> {
    const targets = [...this.#all, ...this.#retired.keys()];
    for (const timer of this.#retired.values()) timer.cancel();
    this.#retired.clear();
    await Promise.all(targets.map((target) => target.close()));
  }

  /** The targets of `specs`: those that are there, and others that are opened. */
  #opened(specs: readonly TargetSpec[]): readonly Target[] {
    const added: Target[] = [];
    try {
      return specs.map((spec) => {
        const kept = this.#byName.get(spec.name);
        if (kept?.place === spec.place) return kept;
        const target = this.#open(spec);
        added.push(target);
        return target;
      });
    } catch (error) {
      added.forEach(closeInBackground);
      throw error;
    }
  }

  #open(spec: TargetSpec): Target {
    const target: Target = new Target({
      spec,
      upstream: spec.open(),
      clock: this.#options.clock,
      onIdle: () => this.#idle(target),
      onEmptied: () => this.#emptied(target),
    });
    return target;
  }

  #listening(target: Target): HealthListener {
    return { down: () => this.#down(target), doubted: () => target.doubt() };
  }

  /** What may as well run elsewhere does not wait for a target that is down. */
  #down(target: Target): void {
    if (!this.hasOther(target)) return;
    target.cut();
    target.dismiss("is down");
  }

  /** Sessions that ask for nothing leave a drained target as well: it can be stopped then. */
  #emptied(target: Target): void {
    if (this.hasBetter(target)) target.dismiss("is drained");
  }

  #retire(target: Target): void {
    target.retire();
    if (target.underWay === 0) return closeInBackground(target);
    const { clock, closeAfterMs } = this.#options;
    const timer = clock.after(closeAfterMs, () => this.#drop(target));
    this.#retired.set(target, timer);
  }

  #drop(target: Target): void {
    this.#retired.get(target)?.cancel();
    if (this.#retired.delete(target)) closeInBackground(target);
  }

  #idle(target: Target): void {
    this.#drop(target);
    if (this.#whenIdle === undefined || !this.#isIdle) return;
    this.#whenIdle.resolve();
    this.#whenIdle = undefined;
  }

  get #isIdle(): boolean {
    return this.#retired.size === 0 && this.#all.every(({ underWay }) => underWay === 0);
  }
}

function closeInBackground(target: Target): void {
  target.close().catch(() => {
    // Its connections are gone either way, and no call waits for them.
  });
}
