/**
 * What a session-era case gets, and how it is run: the server behind a relay behind the proxy, and
 * a client connected through all of it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type TestProxy, testProxy } from "../testing/proxy.ts";
import { type Relay, startRelay } from "./relay.ts";
import type { Connect, SessionClient } from "./session_client.ts";
import type { SessionTarget } from "./session_targets.ts";

/** What a case works with. */
export interface Setup {
  readonly target: SessionTarget;
  readonly proxy: TestProxy;
  /** What the proxy sends upstream. */
  readonly relay: Relay;
  /** A client connected through the proxy. */
  readonly client: SessionClient;
  /** One more client through the proxy; closed after the case. */
  another(sessionId?: string): Promise<SessionClient>;
  /** A client connected to the server itself; closed after the case. */
  direct(): Promise<SessionClient>;
}

/** One case of the table. */
export interface SessionCase {
  readonly name: string;
  /** The one server it is for; both if left out. */
  readonly only?: SessionTarget;
  /** Whether it holds only where a client has the upstream session to itself. */
  readonly dedicated?: boolean;
  /** Whether its clients come back for streams that ended without an answer. */
  readonly resumes?: boolean;
  readonly run: (setup: Setup) => Promise<void>;
}

/** Runs one case against the server at `upstream`. */
export async function runCase(
  { run, resumes }: SessionCase,
  target: SessionTarget,
  upstream: string,
  connect: Connect,
  sessions: "dedicated" | "shared",
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const relay = stack.use(await startRelay(upstream));
  const proxy = await testProxy({ upstream: relay.url, upstreamConfig: { sessions } });
  stack.defer(async () => void await proxy.stop());
  const { answers } = target;
  const open = async (endpoint: string, sessionId?: string) => {
    const client = await connect(endpoint, { answers, sessionId, resumes });
    stack.defer(() => client.close());
    return client;
  };
  await run({
    target,
    proxy,
    relay,
    client: await open(proxy.endpoint),
    another: (sessionId) => open(proxy.endpoint, sessionId),
    direct: () => open(upstream),
  });
}

/** Asserts that the proxy's client gets what a direct one gets, and returns it. */
export async function sameAsDirect<T>(
  { client, direct }: Setup,
  ask: (client: SessionClient) => T | Promise<T>,
): Promise<T> {
  const expected = await ask(await direct());
  const actual = await ask(client);
  assertEquals(actual, expected);
  return actual;
}
