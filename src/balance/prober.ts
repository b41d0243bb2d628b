/**
 * Asks a target at intervals how it is.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import type { HealthConfig } from "../config/mod.ts";
import { type ErrorKind, toProxyError } from "../errors.ts";
import { CLIENT_INFO } from "../rpc/mod.ts";
import {
  type HttpClient,
  type HttpClientFactory,
  type HttpTarget,
  type HttpTimeouts,
  streamableHttpUpstream,
} from "../upstream/mod.ts";
import type { TargetHealth } from "./health.ts";
import { random, withinATenth } from "./jitter.ts";
import { ASK, type Asking, chosenProbe, kindOfProbe } from "./probes.ts";

/** Which target is asked, and how. */
export interface ProbeOptions {
  /** Where it listens. */
  readonly target: HttpTarget;
  /** Path of its endpoint. */
  readonly path: string;
  /** The configured query with its `?`, or empty. */
  readonly query: string;
  /** What is spoken there. */
  readonly transport: "streamable-http" | "http+sse";
  /** Fields that the config has sent with each request. */
  readonly headers: Readonly<Record<string, string>>;
  /** What is asked, how often, and how long an answer may take. */
  readonly settings: Pick<HealthConfig, "probe" | "intervalMs" | "timeoutMs">;
  /** How many targets the upstream has: `auto` asks only where there are several. */
  readonly targets: number;
  /** Time, and randomness. Intervals differ from each other: shared timers are of no use here. */
  readonly clock: Clock;
  /** Is told how each probe ended. */
  readonly health: Pick<TargetHealth, "probed">;
  /** Makes the prober's own connection, which no pool of calls can keep waiting. */
  readonly makeClient: HttpClientFactory;
}

/**
 * A target that failed is asked again after this part of an interval, so that it is soon known whether it is
 * down, and later that it is back.
 */
const AFTER_FAILURE = 1 / 5;

/** Probes that go on until they are stopped. */
export interface Probing {
  /**
   * There is reason for doubt: makes the next probe now, unless one is under way or began less than a fifth of
   * an interval ago.
   */
  hurry(): void;
  /** Ends them; a probe under way is given up, and nothing is told any more. Any number of times. */
  stop(): Promise<void>;
}

/** Begins at a random point of the first interval, so that many targets are not asked together. */
export function startProbes(options: ProbeOptions): Probing {
  const { settings, targets, transport } = options;
  const probe = chosenProbe(settings.probe, targets);
  const kind = kindOfProbe(probe, transport);
  if (kind === "off") return { hurry: () => {}, stop: () => Promise.resolve() };
  return new Prober(options, kind, probe);
}

class Prober implements Probing {
  readonly #options: ProbeOptions;
  readonly #kind: keyof typeof ASK;
  readonly #client: HttpClient;
  readonly #asking: Omit<Asking, "signal">;
  #timer: Timer;
  #underWay: { readonly abort: AbortController; readonly over: Promise<void> } | undefined;
  #begunMs = -Infinity;
  #isStopped = false;

  constructor(options: ProbeOptions, kind: keyof typeof ASK, probe: string) {
    const { clock, settings: { intervalMs } } = options;
    this.#options = options;
    this.#kind = kind;
    this.#client = clientOf(options);
    this.#asking = askingOf(options, this.#client, probe);
    this.#timer = clock.after(random(clock) * intervalMs, () => this.#begin());
  }

  hurry(): void {
    const { clock, settings: { intervalMs } } = this.#options;
    if (this.#isStopped || this.#underWay !== undefined) return;
    if (clock.monotonicMs() - this.#begunMs < intervalMs * AFTER_FAILURE) return;
    this.#timer.cancel();
    this.#begin();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#timer.cancel();
    this.#underWay?.abort.abort();
    await this.#client.close();
    await this.#underWay?.over;
  }

  #begin(): void {
    const abort = new AbortController();
    this.#begunMs = this.#options.clock.monotonicMs();
    this.#underWay = { abort, over: this.#probe(abort) };
  }

  /**
   * Never rejects. The next one begins an interval after this one began, or a part of one where this one failed,
   * and when this one is over.
   */
  async #probe(abort: AbortController): Promise<void> {
    const { clock, settings: { intervalMs, timeoutMs }, health } = this.#options;
    const deadline = clock.after(timeoutMs, () => abort.abort());
    let wrong: string | undefined;
    let isAboutProxy = false;
    try {
      wrong = await ASK[this.#kind]({ ...this.#asking, signal: abort.signal });
    } catch (error) {
      wrong = reasonOf(error, timeoutMs);
      isAboutProxy = WITHOUT_TOKEN.has(toProxyError(error).kind);
    } finally {
      deadline.cancel();
    }
    this.#underWay = undefined;
    if (this.#isStopped) return;
    const isGood = wrong === undefined;
    if (!isAboutProxy) health.probed(isGood, wrong);
    const waitMs = withinATenth(isGood ? intervalMs : intervalMs * AFTER_FAILURE, clock);
    const pauseMs = Math.max(0, this.#begunMs + waitMs - clock.monotonicMs());
    this.#timer = clock.after(pauseMs, () => this.#begin());
  }
}

/** One connection for each probe: one that was kept might be closed by the server at that very moment. */
function clientOf({ target, clock, makeClient, settings: { timeoutMs } }: ProbeOptions) {
  return makeClient({
    target,
    connectTimeoutMs: timeoutMs,
    maxConnections: 1,
    maxStreams: 1,
    maxQueued: 1,
    queueTimeoutMs: timeoutMs,
    keepAliveMs: 0,
    clock,
  });
}

function askingOf(options: ProbeOptions, client: HttpClient, probe: string) {
  const { path, query, headers, settings: { timeoutMs } } = options;
  // Behind the head the probe's own deadline is enough.
  const behind = { totalMs: Infinity, bodyIdleMs: Infinity, streamIdleMs: Infinity };
  const timeouts: HttpTimeouts = { headersMs: timeoutMs, ...behind };
  const upstream = streamableHttpUpstream(client, {
    path,
    query,
    headers,
    forwardCredentials: false,
    withheld: [],
    timeouts,
  });
  return { client, upstream, path: probe, fields: ownFields(headers), timeouts };
}

/** What the proxy says of itself, where the config says nothing else, and what the config says. */
function ownFields(headers: ProbeOptions["headers"]): string[] {
  const configured = Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), value] as const);
  const agent = ["user-agent", `${CLIENT_INFO.name}/${CLIENT_INFO.version}`];
  const isReplaced = configured.some(([name]) => name === "user-agent");
  return [...(isReplaced ? [] : agent), ...configured.flat()];
}

/** What kept an answer from coming, in a few words that name no address. */
function reasonOf(thrown: unknown, timeoutMs: number): string {
  const { kind, cause } = toProxyError(thrown);
  if (cause instanceof Deno.errors.ConnectionRefused) return "refused";
  if (cause instanceof Deno.errors.NotCapable) return lacking(cause);
  return REASONS[kind] ?? `no answer in ${timeoutMs} ms`;
}

/** Deno names the flag, and the address as well, which is kept from the pages. */
function lacking({ message }: Error): string {
  const flag = /--allow-[a-z]+/.exec(message)?.[0];
  return `the proxy lacks a permission${flag === undefined ? "" : ` (${flag})`}`;
}

/**
 * Where the proxy has no token to show: the target was not asked, or has refused an older one. With a fresh one that is
 * refused, a probe is answered.
 */
const WITHOUT_TOKEN: ReadonlySet<ErrorKind> = new Set([
  "server_token_unavailable",
  "server_access_refused",
]);

const REASONS: Readonly<Partial<Record<ErrorKind, string>>> = {
  upstream_unreachable: "no connection",
  upstream_closed: "no whole answer",
  upstream_protocol: "no valid answer",
  upstream_status: "no valid answer",
  internal: "no valid answer",
};
