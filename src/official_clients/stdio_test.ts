/**
 * The official v1 client over Streamable HTTP to the reference server on stdio: sessions of their own, and
 * two clients on one.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import * as processes from "../testing/processes.ts";
import { type TestProxy, testProxy } from "../testing/proxy.ts";
import { type SessionClient, textOf } from "./session_client.ts";
import { REFERENCE } from "./session_targets.ts";
import { connectV1 } from "./session_v1.ts";

const UPDATED = "notifications/resources/updated";
const LOG = "notifications/message";

/** What a case works with. */
interface Setup {
  readonly proxy: TestProxy;
  /** A client that answers as `name`. */
  connect(name: string): Promise<SessionClient>;
}

type Sessions = "dedicated" | "shared";

async function withReference(sessions: Sessions, test: (setup: Setup) => Promise<void>) {
  const marker = `SWITCHYARD_TEST_MARK=${crypto.randomUUID()}`;
  const [name, value] = marker.split("=") as [string, string];
  const stdio = processes.stdioReference();
  {
    await using stack = new AsyncDisposableStack();
    const proxy = await testProxy({
      upstreamConfig: {
        sessions,
        stdio: { ...stdio, env: { ...stdio.env, [name]: value }, closeMs: 200 },
      },
    });
    stack.defer(async () => void await proxy.stop());
    await test({
      proxy,
      connect: async (who) => {
        const answers = { sampled: who, elicited: { name: who }, roots: REFERENCE.answers.roots };
        const client = await connectV1(proxy.endpoint, { answers });
        stack.defer(() => client.close());
        return client;
      },
    });
    assert(processes.marked(marker).length > 0);
  }
  await processes.noneLeft(() => processes.marked(marker));
}

async function calls(client: SessionClient): Promise<void> {
  const { tools } = await client.methods.listTools() as { tools: { name: string }[] };
  assert(tools.some(({ name }) => name === "echo"));
  assertStringIncludes(textOf(await client.call(REFERENCE.echo("Ghent"))), "Ghent");
  const echoes = Array.from({ length: 50 }, async (_, n) => {
    assertStringIncludes(textOf(await client.call(REFERENCE.echo(`n${n}.`))), `n${n}.`);
  });
  await Promise.all(echoes);
  await assertRejects(() => client.unknownMethod(), Error, "Method not found");
  await client.methods.readResource({ uri: REFERENCE.resource });
  await client.methods.getPrompt({ ...REFERENCE.prompt });
  const { completion } = await client.methods.complete(REFERENCE.completion) as {
    completion: { values: string[] };
  };
  assertEquals(completion.values, [...REFERENCE.completed]);
}

async function progress(client: SessionClient): Promise<void> {
  const seen: number[] = [];
  await client.call(REFERENCE.progress, { onprogress: ({ progress }) => void seen.push(progress) });
  assertEquals(seen, [...REFERENCE.progressSteps]);
}

async function questions(client: SessionClient, name: string): Promise<void> {
  assertStringIncludes(textOf(await client.call(REFERENCE.sample)), name);
  assertStringIncludes(textOf(await client.call(REFERENCE.elicit)), name);
}

async function logging(client: SessionClient): Promise<void> {
  await client.watch.listening();
  await client.methods.setLoggingLevel("debug");
  await client.call(REFERENCE.log);
  await client.received.first("a log line", ({ method }) => method === LOG);
  await client.call(REFERENCE.log);
}

async function updates(client: SessionClient): Promise<void> {
  const uri = REFERENCE.watched;
  await client.watch.listening();
  await client.methods.subscribeResource({ uri });
  await client.call(REFERENCE.touch);
  const { params } = await client.received.first("an update", ({ method }) => method === UPDATED);
  assertEquals(params!.uri, uri);
  await client.call(REFERENCE.touch);
}

async function cancellation(client: SessionClient): Promise<void> {
  const control = new AbortController();
  const begun = Promise.withResolvers<void>();
  const calling = client.call({ ...REFERENCE.slow, arguments: { duration: 20, steps: 100 } }, {
    signal: control.signal,
    onprogress: () => begun.resolve(),
  });
  const failed = assertRejects(() => calling);
  await begun.promise;
  control.abort();
  await failed;
  await client.methods.ping();
}

Deno.test("v1 client, reference server on stdio", async (t) => {
  await withReference("dedicated", async ({ connect }) => {
    const client = await connect("Anni Albers");
    await t.step("list, call, error, resource, prompt, completion", () => calls(client));
    await t.step("progress", () => progress(client));
    await t.step("sampling and elicitation", () => questions(client, "Anni Albers"));
    await t.step("roots", async () => {
      await client.asked.first("roots/list", (method) => method === "roots/list");
    });
    await t.step("logging", () => logging(client));
    await t.step("resource updates", () => updates(client));
    await t.step("cancellation", () => cancellation(client));
  });
});

Deno.test("v1 clients have a process each, and one that ends its session ends its process", async () => {
  await withReference("dedicated", async ({ connect }) => {
    const [one, other] = [await connect("a"), await connect("b")];
    await one.terminate();
    await progress(other);
  });
});

Deno.test("two v1 clients share one process of the reference server on stdio", async (t) => {
  await withReference("shared", async ({ connect }) => {
    const names = ["Anni Albers", "Gunta Stölzl"] as const;
    const clients = [await connect(names[0]), await connect(names[1])] as const;
    await Promise.all(clients.map(({ watch }) => watch.listening()));
    await t.step("calls", async () => void await Promise.all(clients.map(calls)));
    await t.step("progress", async () => void await Promise.all(clients.map(progress)));
    await t.step("questions go to whoever caused them", async () => {
      for (const at of [1, 0, 1] as const) await questions(clients[at], names[at]);
    });
    await t.step("logging", () => logging(clients[1]));
    await t.step("resource updates go to whoever subscribed", async () => {
      await updates(clients[1]);
      await clients[0].methods.ping();
      assert(!clients[0].received.items.some(({ method }) => method === UPDATED));
    });
    await t.step("cancellation", () => cancellation(clients[0]));
  });
});
