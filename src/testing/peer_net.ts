/**
 * Instances in one process that send each other messages, which a test can lose.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Fields, NEVER_ABORTED } from "../http/mod.ts";
import {
  type InstanceMessages,
  type PeerCallBounds,
  PeerCalls,
  type PeerService,
} from "../peers/mod.ts";
import type { UpstreamCall } from "../upstream/mod.ts";
import { ManualClock } from "./manual_clock.ts";

/** What a test looks at of a message. */
export interface NetMessage {
  readonly to: string;
  readonly from: string;
  readonly say: string;
  readonly [member: string]: unknown;
}

/** One instance. */
export class NetMember implements InstanceMessages {
  readonly calls: PeerCalls;
  readonly service: PeerService;
  /** Whether it runs; what does not neither sends nor hears. */
  runs = true;
  /** Whether messages to it reach it. */
  hears = true;
  listener: ((text: string) => void) | undefined;

  constructor(readonly net: PeerNet, readonly instance: string, bounds: Partial<PeerCallBounds>) {
    this.calls = new PeerCalls({ messages: this, clock: net.clock, bounds });
    this.service = this.calls.service("s", (headers) => Fields.from(headers).list);
  }

  async send(to: string, text: string): Promise<boolean> {
    await this.net.delay;
    if (!this.runs) return true;
    const message: NetMessage = { ...JSON.parse(text), to };
    this.net.sent.push(message);
    const other = this.net.members.get(to);
    if (this.net.fails(message)) throw new Error("Nobody knows.");
    if (other?.runs !== true || !other.hears) return false;
    if (!this.net.loses(message)) queueMicrotask(() => other.runs && other.listener?.(text));
    return true;
  }

  listen(listener: (text: string) => void): void {
    this.listener = listener;
  }

  isAlive(instance: string): Promise<boolean> {
    return Promise.resolve(this.net.members.get(instance)?.runs === true);
  }

  /** A call as another instance makes it. */
  call(more: Partial<UpstreamCall> = {}): UpstreamCall {
    return {
      headers: new Fields(["x-a", "1"]),
      sessionId: undefined,
      principal: "p",
      query: "",
      signal: NEVER_ABORTED,
      ...more,
    };
  }
}

/** All of them. */
export class PeerNet {
  readonly clock = new ManualClock();
  readonly members = new Map<string, NetMember>();
  /** Every message that was sent, in order. */
  readonly sent: NetMessage[] = [];
  /** What is waited for before a message leaves. */
  delay: Promise<void> = Promise.resolve();
  /** Which messages are lost, though somebody is said to have heard them. */
  loses: (message: NetMessage) => boolean = () => false;
  /** Of which messages nobody knows whether they were heard. */
  fails: (message: NetMessage) => boolean = () => false;

  /** Another instance. */
  join(instance: string, bounds: Partial<PeerCallBounds> = {}): NetMember {
    const member = new NetMember(this, instance, bounds);
    this.members.set(instance, member);
    return member;
  }

  /** How often something was said. */
  said(say: string): number {
    return this.sent.filter((message) => message.say === say).length;
  }

  /** Ends all; no call and no timer may be left. */
  async close(): Promise<void> {
    for (const { calls } of this.members.values()) await calls.close();
    const sizes = [...this.members.values()].map(({ calls }) => calls.size);
    assertEquals(sizes, sizes.map(() => ({ outgoing: 0, incoming: 0 })), "calls are left");
    assertEquals(this.clock.timers, 0, "timers are left");
  }
}
