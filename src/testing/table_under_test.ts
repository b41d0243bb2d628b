/**
 * A table of sessions as its tests use it, and a store that can be watched, slowed and broken.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  deriveKey,
  makeSecret,
  MemorySessionStore,
  Sealer,
  type Session,
  SessionIds,
  type SessionRecord,
  type SessionStore,
  SessionTable,
  type SessionTableLimits,
  storeIdleMs,
} from "../session/mod.ts";
import { ProxyError } from "../errors.ts";
import { ManualClock } from "./manual_clock.ts";

/** Limits that a test need not think about. */
export const TABLE_LIMITS: SessionTableLimits = {
  maxSessions: 1_000,
  maxSessionsPerPrincipal: 1_000,
  sessionIdleTimeoutMs: 600_000,
  sessionLifetimeMs: 86_400_000,
  sessionEvictIdleMs: 60_000,
};

type Method = "load" | "save" | "touch" | "delete" | "update" | "lock" | "sweep";

/** A store in front of another, which counts what it is asked, and answers later, or never, or fails. */
export class WatchedStore implements SessionStore {
  /** How often each method was called. */
  readonly calls: Record<Method, number> = {
    load: 0,
    save: 0,
    touch: 0,
    delete: 0,
    update: 0,
    lock: 0,
    sweep: 0,
  };
  /** Methods that fail. */
  readonly failing = new Set<Method>();
  /** The store behind it: what is done there is done by another instance. */
  readonly inner: SessionStore;
  /** Whether it answers with promises. */
  readonly #isLater: boolean;
  readonly #held = new Map<Method, { readonly until: Promise<void>; readonly isOnce: boolean }>();
  #tell: (key: string | undefined) => void = () => {};

  constructor(inner: SessionStore, isLater: boolean) {
    this.inner = inner;
    this.#isLater = isLater;
  }

  get size(): number | undefined {
    return this.inner.size;
  }

  /** How many calls there were in all. */
  get total(): number {
    return Object.values(this.calls).reduce((sum, count) => sum + count);
  }

  /** Has what this method answers from now on, or once, held back until the result is called. */
  hold(method: Method, isOnce = false): () => Promise<void> {
    const { promise: until, resolve } = Promise.withResolvers<void>();
    this.#held.set(method, { until, isOnce });
    return async () => {
      this.#held.delete(method);
      resolve();
      await settled();
    };
  }

  /** Tells the table that another instance has changed a record. */
  change(key: string | undefined): void {
    this.#tell(key);
  }

  load(key: string) {
    return this.#do("load", () => this.inner.load(key));
  }

  save(record: SessionRecord) {
    return this.#do("save", () => this.inner.save(record));
  }

  touch(key: string, lastUsedMs: number) {
    return this.#do("touch", () => this.inner.touch(key, lastUsedMs));
  }

  delete(key: string) {
    return this.#do("delete", () => this.inner.delete(key));
  }

  update(key: string, to: (record: SessionRecord) => SessionRecord | undefined) {
    return this.#do("update", () => this.inner.update(key, to));
  }

  lock(key: string, holdMs: number) {
    return this.#do("lock", () => this.inner.lock(key, holdMs));
  }

  sweep() {
    return this.#do("sweep", () => this.inner.sweep());
  }

  onChange(listener: (key: string | undefined) => void): void {
    this.#tell = listener;
  }

  close() {
    return this.inner.close();
  }

  #do<T>(method: Method, act: () => T | Promise<T>): T | Promise<T> {
    this.calls[method]++;
    const answer = () => {
      if (this.failing.has(method)) throw new Error(`${method} fails`);
      return act();
    };
    return this.#isLater ? this.#later(method, answer) : answer();
  }

  /** What is asked happens there and then; the answer takes its time. */
  async #later<T>(method: Method, answer: () => T | Promise<T>): Promise<T> {
    const held = this.#held.get(method);
    if (held?.isOnce) this.#held.delete(method);
    const result = await answer();
    await held?.until;
    return result;
  }
}

/** What a test of the table has at hand. */
export interface TableUnderTest {
  readonly clock: ManualClock;
  readonly store: WatchedStore;
  readonly table: SessionTable;
  readonly ids: SessionIds;
  /** Sessions that the table has told to be abandoned. */
  readonly abandoned: Session[];
  /** What the table has told of the store. */
  readonly failures: unknown[];
  /** A new session on the route `r`, after making sure that there is room. */
  open(principal?: string): Promise<Session>;
  /** Whether the client's next request finds its session. */
  isThere(session: Session): Promise<boolean>;
}

/** A table in front of a store of which a test can see all. */
export function tableUnderTest(
  limits: Partial<SessionTableLimits> = {},
  isLater = false,
  given: { clock?: ManualClock; ids?: SessionIds; inner?: SessionStore } = {},
): TableUnderTest {
  const all = { ...TABLE_LIMITS, ...limits };
  const clock = given.clock ?? new ManualClock();
  const ids = given.ids ?? new SessionIds(new Sealer([deriveKey(makeSecret(clock))], clock), clock);
  const inner = given.inner ?? new MemorySessionStore(clock, {
    idleTimeoutMs: storeIdleMs(all.sessionIdleTimeoutMs),
    lifetimeMs: all.sessionLifetimeMs,
  });
  const store = new WatchedStore(inner, isLater);
  const [abandoned, failures]: [Session[], unknown[]] = [[], []];
  const table = new SessionTable({
    clock,
    ids,
    store,
    limits: all,
    onAbandoned: (session) => void abandoned.push(session),
    onStoreFailure: (error) => void failures.push(error),
  });
  let opened = 0;
  return {
    clock,
    store,
    table,
    ids,
    abandoned,
    failures,
    async open(principal = "p") {
      table.reserve(principal)();
      return await table.open({ route: "r", principal, upstreamId: `up-${++opened}` });
    },
    async isThere({ id, principal }) {
      const found = await (async () => await table.find("r", principal, id))()
        .catch((error) => assertEquals(error.kind, "session_not_found"));
      return found !== undefined;
    },
  };
}

/** Registers a test with a store that answers at once, and with one that answers later. */
export function tableTest(name: string, run: (isLater: boolean) => Promise<void>): void {
  for (const isLater of [false, true]) {
    Deno.test(`${name} (store answers ${isLater ? "later" : "at once"})`, () => run(isLater));
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await undefined;
}

/** The kind of error that asking ends with, at once or later. */
export async function refusal(ask: () => unknown): Promise<ProxyError> {
  try {
    await ask();
  } catch (error) {
    assert(error instanceof ProxyError, String(error));
    return error;
  }
  throw new Error("it was not refused");
}

/** Fails unless both are one and the same session. */
export function assertSame(actual: Session, expected: Session): void {
  assert(actual === expected, `it is ${actual.key}, and not ${expected.key}`);
}

/** Lets time pass bit by bit, so that what is asked of a store is answered soon after. */
export async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let step = 0; step < 100; step++) {
    clock.advance(ms / 100);
    await settled();
  }
}
