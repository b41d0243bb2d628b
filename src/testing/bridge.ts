/**
 * A server of 2026-07-28 that a test scripts, behind a bridge for session-era clients.
 *
 * @module
 */

import { asSession, type AsSessionLimits, type SessionBridge } from "../bridge/mod.ts";
import type { PeerService } from "../peers/mod.ts";
import { nullLogger } from "../telemetry/mod.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";
import { ManualClock } from "./manual_clock.ts";
import { type FilledBody, settled } from "./relay.ts";
import { type ClientOptions, eventOf, type FakeCall, FakeServer, SharedClient } from "./share.ts";

/** The key of `_meta` that says which subscription a message belongs to. */
export const SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId";

/** All that a server can offer. */
export const ALL_OFFERS = {
  logging: {},
  completions: {},
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  tools: { listChanged: true },
};

/** A `subscriptions/listen` that has reached the server. */
export interface FakeSubscription {
  /** Its id, as the bridge has chosen it. */
  readonly id: unknown;
  /** What it asked for. */
  readonly filter: Record<string, unknown>;
  /** Its stream. */
  readonly filled: FilledBody;
}

/** What a test may set. */
export interface ModernFakeOptions {
  readonly offers?: Record<string, unknown>;
  readonly limits?: Partial<AsSessionLimits>;
  readonly maxSessions?: number;
  readonly peers?: PeerService;
}

/** A modern server and the bridge in front of it. */
export class ModernFake {
  readonly clock = new ManualClock();
  readonly server = new FakeServer(this.clock);
  readonly bridge: SessionBridge;
  readonly subscriptions: FakeSubscription[] = [];
  /** How often the bridge doubted that the server is modern. */
  doubts = 0;
  /** What was warned of in the log. */
  readonly warnings: unknown[] = [];
  /** What `server/discover` tells. */
  discovered: Record<string, unknown>;
  /** Answers by methods; a result without an id, a whole answer, or undefined for an empty result. */
  answers: Record<string, (call: FakeCall) => unknown> = {};
  /** Whether subscriptions are acknowledged at once. */
  acknowledges = true;

  constructor(
    { offers = ALL_OFFERS, limits = {}, maxSessions = 8, peers }: ModernFakeOptions = {},
  ) {
    this.discovered = {
      resultType: "complete",
      supportedVersions: ["2026-07-28"],
      capabilities: offers,
      instructions: "Be kind.",
      ttlMs: 0,
      cacheScope: "private",
      _meta: { "io.modelcontextprotocol/serverInfo": { name: "fake", version: "1", title: "F" } },
    };
    this.server.script = (call) => this.#answer(call);
    this.bridge = asSession(this.server, {
      clock: this.clock,
      logger: { ...nullLogger, warn: (_message, fields) => void this.warnings.push(fields) },
      maxEventBytes: 100_000,
      backOff: { attempts: 2, initialDelayMs: 10, maxDelayMs: 100, maxSilentMs: 60_000 },
      streamIdleMs: 60_000,
      firstMessageMs: 10_000,
      onDoubt: () => this.doubts++,
      peers,
      maxSessions,
      sessionIdleMs: 100_000,
      pollingMs: 120_000,
      limits: { answerMs: 30_000, ...limits },
    });
  }

  /** A client with a session. */
  join(options: ClientOptions = {}): Promise<SharedClient<SessionBridge>> {
    return SharedClient.join(this.bridge, options);
  }

  /** The calls of a client's method, without the bridge's own. */
  of(method: string): FakeCall[] {
    return this.server.of(method);
  }

  /** An answer of events that are there already, and then its end. */
  stream(...messages: unknown[]): UpstreamAnswer {
    const { answer, filled } = this.server.events();
    for (const message of messages) filled.send(eventOf(message));
    filled.body.finish();
    return answer;
  }

  /** The newest subscription. */
  get subscription(): FakeSubscription {
    return this.subscriptions.at(-1)!;
  }

  /** Acknowledges a subscription, as far as `honoured` says. */
  async acknowledge(one = this.subscription, honoured: unknown = one.filter): Promise<void> {
    this.tell("notifications/subscriptions/acknowledged", { notifications: honoured }, one);
    await settled();
  }

  /** Says something on a subscription. */
  tell(method: string, params: Record<string, unknown> = {}, one = this.subscription): void {
    const tagged = { ...params, _meta: { [SUBSCRIPTION_ID]: one.id } };
    one.filled.send(eventOf({ jsonrpc: "2.0", method, params: tagged }));
  }

  #answer(call: FakeCall): UpstreamAnswer {
    const { id, method = "", params } = call.message;
    const result = (value: unknown) => this.server.json({ jsonrpc: "2.0", id, result: value });
    if (Object.hasOwn(this.answers, method)) {
      const told = this.answers[method]!(call);
      return isAnswer(told) ? told : result(told ?? { resultType: "complete" });
    }
    if (method === "server/discover") return result(this.discovered);
    if (method !== "subscriptions/listen") return result({ resultType: "complete" });
    const { answer, filled } = this.server.events();
    const filter = params?.["notifications"] as Record<string, unknown>;
    this.subscriptions.push({ id, filter, filled });
    if (this.acknowledges) {
      this.tell("notifications/subscriptions/acknowledged", { notifications: filter });
    }
    return answer;
  }
}

function isAnswer(told: unknown): told is UpstreamAnswer {
  return typeof told === "object" && told !== null && "kind" in told && "body" in told;
}
