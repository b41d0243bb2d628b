/**
 * Official clients on shared sessions: the table of cases, and three of them on one session of the
 * reference server, of whom each gets its own and no other's.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startReferenceServer } from "../cli/reference.ts";
import { testProxy } from "../testing/proxy.ts";
import { type Relay, startRelay } from "./relay.ts";
import { type SessionClient, textOf } from "./session_client.ts";
import { testSessionEra } from "./session_suite.ts";
import { REFERENCE } from "./session_targets.ts";
import { connectV1 } from "./session_v1.ts";
import { connectV2 } from "./session_v2.ts";

interface Setup {
  readonly clients: readonly [SessionClient, SessionClient, SessionClient];
  readonly relay: Relay;
  readonly direct: SessionClient;
}

const UPDATED = "notifications/resources/updated";
const LOG = "notifications/message";
const NAMES = ["Anni Albers", "Gunta Stölzl", "Otti Berger"];
const LEVELS = ["error", "critical", "alert", "emergency"];

function answersOf(name: string) {
  return { sampled: name, elicited: { name }, roots: REFERENCE.answers.roots };
}

async function withClients(upstream: string, test: (setup: Setup) => Promise<void>): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const relay = stack.use(await startRelay(upstream));
  const proxy = await testProxy({
    upstream: relay.url,
    upstreamConfig: { sessions: "shared" },
  });
  stack.defer(async () => void await proxy.stop());
  const open = async (connect: typeof connectV1, name: string, endpoint = proxy.endpoint) => {
    const client = await connect(endpoint, { answers: answersOf(name) });
    stack.defer(() => client.close());
    return client;
  };
  await test({
    clients: [
      await open(connectV1, NAMES[0]!),
      await open(connectV2, NAMES[1]!),
      await open(connectV1, NAMES[2]!),
    ],
    relay,
    direct: await open(connectV1, "direct", upstream),
  });
}

async function namesOfTools({ methods }: SessionClient): Promise<string[]> {
  const { tools } = await methods.listTools() as { tools: { name: string }[] };
  return tools.map(({ name }) => name);
}

async function lists({ clients, relay, direct }: Setup): Promise<void> {
  const [first, ...others] = await Promise.all(clients.map(namesOfTools));
  for (const names of others) assertEquals(names, first);
  // The proxy declares more than one client does, so there may be more.
  for (const name of await namesOfTools(direct)) assert(first!.includes(name), name);
  const opened = relay.arrived.items.filter(({ message }) => message?.method === "initialize");
  assertEquals(opened.length, 1);
  assertEquals(new Set(clients.map(({ sessionId }) => sessionId)).size, 3);
}

async function echoes({ clients }: Setup): Promise<void> {
  const calls = clients.flatMap((client, at) =>
    Array.from({ length: 30 }, async (_, n) => {
      const value = `${at}-${n}.`;
      assertStringIncludes(textOf(await client.call(REFERENCE.echo(value))), value);
    })
  );
  await Promise.all(calls);
}

async function progress({ clients }: Setup): Promise<void> {
  const steps = await Promise.all(clients.map(async (client) => {
    const seen: number[] = [];
    const onprogress = ({ progress }: { progress: number }) => void seen.push(progress);
    await client.call(REFERENCE.progress, { onprogress });
    return seen;
  }));
  for (const seen of steps) assertEquals(seen, REFERENCE.progressSteps);
}

async function questions({ clients }: Setup): Promise<void> {
  await Promise.all(clients.map(async (client, at) => {
    const [sampled, elicited] = await Promise.all([
      client.call(REFERENCE.sample),
      client.call(REFERENCE.elicit),
    ]);
    for (const result of [sampled, elicited]) assertStringIncludes(textOf(result), NAMES[at]!);
    const asked = client.asked.items.filter((method) => method !== "roots/list").toSorted();
    assertEquals(asked, ["elicitation/create", "sampling/createMessage"]);
  }));
}

async function levels({ clients: [errors, all, third] }: Setup): Promise<void> {
  await Promise.all([errors, all, third].map(({ watch }) => watch.listening()));
  await errors.methods.setLoggingLevel("error");
  // What the server has logged before, as of the roots of its clients, is of any level.
  const before = errors.received.items.length;
  await all.methods.setLoggingLevel("debug");
  await third.call(REFERENCE.log);
  for (const { received } of [all, third]) {
    await received.first("a log line", ({ method }) => method === LOG);
  }
  await errors.methods.ping();
  const got = errors.received.items.slice(before).filter(({ method }) => method === LOG);
  for (const { params } of got) assert(LEVELS.includes(params!.level as string));
  await third.call(REFERENCE.log);
}

async function updates({ clients: [one, other, third], relay }: Setup): Promise<void> {
  const uri = REFERENCE.watched;
  await Promise.all([one, other, third].map(({ watch }) => watch.listening()));
  await one.methods.subscribeResource({ uri });
  await third.methods.subscribeResource({ uri });
  const sent = relay.arrived.items.filter(({ message }) =>
    message?.method === "resources/subscribe"
  );
  assertEquals(sent.length, 1);
  await other.call(REFERENCE.touch);
  for (const { received } of [one, third]) {
    const { params } = await received.first("the update", ({ method }) => method === UPDATED);
    assertEquals(params, { uri });
  }
  await other.methods.ping();
  assert(!other.received.items.some(({ method }) => method === UPDATED));
}

testSessionEra("v1 client, shared session", connectV1, "shared");
testSessionEra("v2 client, shared session", connectV2, "shared");

Deno.test("three official clients share one session of the reference server", async (t) => {
  const server = await startReferenceServer();
  const cases = { lists, echoes, progress, questions, levels, updates };
  try {
    for (const [name, run] of Object.entries(cases)) {
      await t.step(name, () => withClients(server.url, run));
    }
  } finally {
    await server.stop();
  }
});
