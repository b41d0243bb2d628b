/**
 * The features of the matrix: each says of one client whether it gets what the server offers.
 *
 * Source: 2025-11-25 and 2026-07-28, the pages that each feature names.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { outcome, textOf } from "../session_client.ts";
import { within } from "../wait.ts";
import type { ListKind, MatrixClient } from "./client.ts";
import type { RunningServer } from "./servers.ts";
import type { Asking, Switch, Target } from "./targets.ts";

/** How long one notification or question may take, in milliseconds. */
const EVENT_MS = 6_000;

const CONCURRENT_CALLS = 8;

/** What a feature works with. */
export interface Subject {
  readonly client: MatrixClient;
  readonly server: RunningServer;
  readonly target: Target;
}

/** One column of the matrix. */
export interface Feature {
  readonly name: string;
  /** Left out where the server has it always. */
  readonly offeredBy?: (target: Target) => boolean;
  readonly run: (subject: Subject) => Promise<void>;
}

async function list({ client, target }: Subject): Promise<void> {
  for (const [kind, names] of Object.entries(target.lists) as [ListKind, readonly string[]][]) {
    const listed = await client.list(kind);
    for (const name of names) assert(listed.includes(name), `${name} is not among the ${kind}`);
    assertEquals(new Set(listed).size, listed.length, `${kind} are listed twice`);
  }
}

async function call({ client, target }: Subject): Promise<void> {
  const values = Array.from({ length: CONCURRENT_CALLS }, (_, at) => `value-${at}.`);
  const results = await Promise.all(values.map((value) => client.call(target.echo(value))));
  results.forEach((result, at) => assertStringIncludes(textOf(result), values[at]!));
}

async function readAndGet({ client, target }: Subject): Promise<void> {
  const { contents } = await client.read(target.resource) as { contents: { uri: string }[] };
  assertEquals(contents.map(({ uri }) => uri), [target.resource]);
  const { messages } = await client.prompt(target.prompt) as { messages: unknown[] };
  for (const value of Object.values(target.prompt.arguments)) {
    assertStringIncludes(JSON.stringify(messages), value);
  }
}

/** A server may ask for the roots at any time, and the v2 SDK then tells of its own round as progress. */
function isOwnRound({ message }: { readonly message?: string | undefined }): boolean {
  return message?.startsWith("Fulfilling input") === true;
}

async function progress({ client, target }: Subject): Promise<void> {
  const seen: number[] = [];
  await client.call(target.progress, {
    onprogress: (step) => {
      if (!isOwnRound(step)) seen.push(step.progress);
    },
  });
  const steps = target.progressSteps;
  const isLastLate = target.lastStepWithResult && seen.length === steps.length - 1;
  assertEquals(seen, isLastLate ? steps.slice(0, -1) : steps);
}

async function logging({ client, server, target }: Subject): Promise<void> {
  const isLine = ({ method }: { method: string }) => method === "notifications/message";
  const lines = () => client.received.items.filter(isLine).length;
  if (client.era === "modern") {
    await client.call(target.log.use);
    await switchOff(client, target.log);
    assertEquals(lines(), 0, "a line came to a client that asked for none");
  } else {
    const stop = await client.listen({});
    await server.listening();
    await stop();
  }
  const before = lines();
  await client.logFrom("debug");
  await client.call(target.log.use);
  const found = await client.received.take(before + 1, "a log line", isLine, EVENT_MS);
  assertEquals(typeof found.at(-1)?.params?.["level"], "string");
  await switchOff(client, target.log);
}

async function switchOff(client: MatrixClient, { use, goesOn }: Switch): Promise<void> {
  if (goesOn) await client.call(use);
}

/** Calls a tool that asks, and looks at what was asked and at what came of the answers. */
async function ask({ client }: Subject, { use, asks, tells }: Asking): Promise<void> {
  const from = client.asked.items.length;
  const result = await client.call(use);
  assertStringIncludes(textOf(result), tells);
  // A server may ask for the roots at any time.
  const isAnswer = (question: string) => asks.includes(question) || question !== "roots/list";
  assertEquals(client.asked.items.slice(from).filter(isAnswer).toSorted(), [...asks].toSorted());
}

/** The roots may have been asked for ahead of the call, and be known since. */
async function roots({ client, target }: Subject): Promise<void> {
  assertStringIncludes(textOf(await client.call(target.roots.use)), target.roots.tells);
  assert(client.asked.items.includes("roots/list"), "the client was not asked for its roots");
}

async function pageFirst(subject: Subject): Promise<void> {
  const { client, target } = subject;
  const asking = target.pageFirst!;
  if (client.era === "modern") return await askAll(client, asking);
  const { code } = await outcome(client.call(asking.use)) as { code?: unknown };
  assertEquals(code, -32042);
  assertStringIncludes(textOf(await client.call(asking.use)), asking.tells);
}

/** The error becomes a question, and a server may ask one of its own behind it. */
async function askAll(client: MatrixClient, { use, asks, tells }: Asking): Promise<void> {
  const from = client.asked.items.length;
  assertStringIncludes(textOf(await client.call(use)), tells);
  const asked = client.asked.items.slice(from).filter((question) => question !== "roots/list");
  assert(asked.length > 0 && asked.every((question) => asks.includes(question)), String(asked));
}

async function update({ client, server, target }: Subject): Promise<void> {
  const isUpdate = ({ method }: { method: string }) => method === "notifications/resources/updated";
  const stop = await client.listen({ resource: target.watched });
  await server.listening();
  await client.call(target.touch.use);
  const { params } = await client.received.first("the update", isUpdate, EVENT_MS);
  assertEquals(params?.["uri"], target.watched);
  await switchOff(client, target.touch);
  await stop();
}

async function listChanged({ client, server, target }: Subject): Promise<void> {
  const stop = await client.listen({ lists: true });
  await server.listening();
  await client.call(target.changeLists.use);
  for (const sent of target.changeLists.sends) {
    await client.received.first(sent, ({ method }) => method === sent, EVENT_MS);
  }
  await stop();
}

async function cancel({ client, server, target }: Subject): Promise<void> {
  const control = new AbortController();
  const begun = Promise.withResolvers<void>();
  const calling = client.call(target.slow, {
    signal: control.signal,
    onprogress: (step) => {
      if (!isOwnRound(step)) begun.resolve();
    },
  });
  const failed = assertRejects(() => calling);
  try {
    await within(begun.promise, "the beginning of the call", EVENT_MS);
  } finally {
    control.abort("changed my mind");
    await within(failed, "the end of the aborted call", EVENT_MS);
  }
  await within(server.cancelled(), "the server's notice of the cancellation", EVENT_MS);
  await client.call(target.echo("still there"));
}

async function errors({ client, target }: Subject): Promise<void> {
  const codeOf = async (request: Promise<unknown>) =>
    (await outcome(request) as { code?: unknown }).code;
  assertEquals(await codeOf(client.unknownMethod()), -32601, "an unknown method");
  assertEquals(client.statuses.at(-1) === 404, client.era === "modern", "its status");
  const name = "no-such-tool";
  if (target.unknownTool === "result") {
    assertEquals((await client.call({ name, arguments: {} })).isError, true, "an unknown tool");
  } else {
    assertEquals(await codeOf(client.call({ name, arguments: {} })), -32602, "an unknown tool");
  }
  const missing = await codeOf(client.read("test://no-such-resource"));
  // -32002 until 2025-11-25, which only recommends it; -32602 since, which is demanded.
  const allowed = client.era === "modern" ? [-32602] : [-32002, -32602];
  assert(allowed.includes(missing as number), `an unknown resource is ${missing}`);
  assertEquals(await codeOf(client.prompt({ name: target.prompt.name })), -32602, "bad params");
}

async function complete({ client, target }: Subject): Promise<void> {
  assertEquals(await client.complete(target.completion), target.completed);
}

/** The columns, in order. The server is cancelled last: it may be busy for a while. */
export const FEATURES: readonly Feature[] = [
  { name: "list", run: list },
  { name: "call", run: call },
  { name: "read, get", run: readAndGet },
  { name: "completion", run: complete },
  { name: "errors", run: errors },
  { name: "progress", run: progress },
  { name: "elicit form", run: (subject) => ask(subject, subject.target.form) },
  { name: "elicit url", run: (subject) => ask(subject, subject.target.url) },
  {
    name: "url first",
    offeredBy: ({ pageFirst }) => pageFirst !== undefined,
    run: pageFirst,
  },
  {
    name: "rounds",
    offeredBy: ({ rounds }) => rounds !== undefined,
    run: (subject) => ask(subject, subject.target.rounds!),
  },
  {
    name: "several",
    offeredBy: ({ several }) => several !== undefined,
    run: (subject) => ask(subject, subject.target.several!),
  },
  { name: "sampling", run: (subject) => ask(subject, subject.target.sampling) },
  { name: "roots", run: roots },
  { name: "update", run: update },
  { name: "list changed", run: listChanged },
  { name: "logging", run: logging },
  { name: "cancel", run: cancel },
];
