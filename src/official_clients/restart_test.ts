/**
 * R66 with real servers and clients: the process of the server is killed and started again on the same
 * port, and the official clients go on through the proxy as if nothing had happened.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { testProxy } from "../testing/proxy.ts";
import { killableServer } from "./killable_server.ts";
import { type Relay, startRelay } from "./relay.ts";
import { type Connect, outcome, type SessionClient } from "./session_client.ts";
import { FIXTURE, REFERENCE, type SessionTarget } from "./session_targets.ts";
import { connectV1 } from "./session_v1.ts";
import { connectV2 } from "./session_v2.ts";

const SERVERS = [
  ["reference server, which says 400 and -32000", REFERENCE, "../cli/reference_server.ts"],
  ["session server, which says 404", FIXTURE, "./session_server.ts"],
] as const;

/** Long enough for a server to start on a busy machine. */
const RECONNECT = { attempts: 100, initialDelayMs: 100, maxDelayMs: 500 };

const CLIENTS: readonly (readonly [string, Connect])[] = [["v1", connectV1], ["v2", connectV2]];

for (const [server, target, module] of SERVERS) {
  for (const [client, connect] of CLIENTS) {
    Deno.test(`R66 ${client} client goes on when the ${server}, is restarted`, () =>
      restartInTheMiddle(target, import.meta.resolve(module), connect));
  }
}

async function restartInTheMiddle(
  target: SessionTarget,
  module: string,
  connect: Connect,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await killableServer(module));
  const relay = stack.use(await startRelay(server.url));
  const upstreamConfig = { reconnect: RECONNECT };
  const proxy = await testProxy({ upstream: relay.url, upstreamConfig });
  stack.defer(async () => void await proxy.stop());
  const client = await connect(proxy.endpoint, { answers: target.answers });
  stack.defer(() => client.close());
  await client.watch.listening();
  await client.methods.setLoggingLevel("debug");
  await client.methods.subscribeResource({ uri: target.watched });
  const tools = await client.methods.listTools();
  const { sessionId } = client;
  const interrupted = outcome(client.call(target.slow));
  // Killed ahead of the head it would be a 502, and rightly.
  await client.watch.begun.first("the call", ({ what }) => what === "tools/call");
  await server.kill();
  await server.start();
  const { error } = await interrupted as { error?: string };
  assert(error !== undefined, "a call that was under way has a result");
  await streamsOpened(relay, 2);
  const before = client.received.items.length;
  assertEquals(await client.methods.listTools(), tools);
  await callWithProgress(client, target);
  await client.call(target.touch);
  await client.call(target.log);
  await receivedAfter(client, before, "notifications/resources/updated");
  await receivedAfter(client, before, "notifications/message");
  assertEquals(client.sessionId, sessionId);
  const initialized = relay.arrived.items.filter(({ message }) => message?.method === "initialize");
  assertEquals(initialized.length, 2);
  // What the server had asked it may have been killed ahead of hearing.
  const refused = client.watch.begun.items.filter(({ what, status }) =>
    status >= 400 && what !== "response"
  );
  assertEquals(refused, []);
}

/** Resolves once the server has opened so many GET streams. */
async function streamsOpened(relay: Relay, count: number): Promise<void> {
  await relay.exchanges.take(
    count,
    "a GET stream",
    ({ method, answerHeaders }) =>
      method === "GET" && (answerHeaders.get("content-type") ?? "").includes("event-stream"),
  );
}

async function callWithProgress(client: SessionClient, target: SessionTarget): Promise<void> {
  const steps: number[] = [];
  await client.call(target.progress, { onprogress: ({ progress }) => void steps.push(progress) });
  assertEquals(steps, target.progressSteps);
}

async function receivedAfter(client: SessionClient, before: number, method: string): Promise<void> {
  await client.received.first(
    method,
    (one) => one.method === method && client.received.items.indexOf(one) >= before,
  );
}
