/**
 * Session-era cases in which the client asks and the server answers.
 *
 * Source: 2025-11-25 basic/lifecycle, server/tools, server/prompts, server/resources,
 * server/utilities/completion, basic/utilities/progress, basic/utilities/cancellation.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { outcome, textOf } from "./session_client.ts";
import { sameAsDirect, type SessionCase, type Setup } from "./session_case.ts";
import { within } from "./wait.ts";

const CONCURRENT_CALLS = 50;

/** Values of which none is contained in another. */
function values(prefix: string, count = CONCURRENT_CALLS): string[] {
  return Array.from({ length: count }, (_, at) => `${prefix}-${String(at).padStart(3, "0")}.`);
}

async function echoAll({ client }: Pick<Setup, "client">, { target }: Setup, all: string[]) {
  const results = await Promise.all(all.map((value) => client.call(target.echo(value))));
  results.forEach((result, at) => assertStringIncludes(textOf(result), all[at]!));
}

async function callInParallel(setup: Setup): Promise<void> {
  await echoAll(setup, setup, values("parallel"));
}

async function callFromTwoClients(setup: Setup): Promise<void> {
  const other = await setup.another();
  await Promise.all([
    echoAll(setup, setup, values("one")),
    echoAll({ client: other }, setup, values("two")),
  ]);
  assertEquals(setup.client.watch.ids, other.watch.ids);
}

async function reportProgress({ client, target }: Setup): Promise<void> {
  const seen: number[] = [];
  const result = await client.call(target.progress, {
    onprogress: ({ progress }) => seen.push(progress),
  });
  assert(result.isError !== true);
  assertEquals(seen, target.progressSteps);
}

async function cancel({ client, target, relay }: Setup): Promise<void> {
  const abort = new AbortController();
  const call = client.call(target.slow, { signal: abort.signal });
  const rejected = assertRejects(() => call);
  const { message } = await relay.exchanges.first(
    "the call's arrival at the server",
    (exchange) => exchange.message?.method === "tools/call",
  );
  abort.abort("changed my mind");
  await within(rejected, "the end of the aborted call");
  const cancelled = await relay.arrived.first(
    "the cancellation's arrival at the server",
    (request) => request.message?.method === "notifications/cancelled",
  );
  assertEquals(cancelled.message?.params?.["requestId"], message?.id);
  assertMatch(String(cancelled.message?.params?.["reason"]), /changed my mind/);
  await client.methods.ping();
}

/** Cases in which the client asks and the server answers. */
export const CALLS: readonly SessionCase[] = [
  {
    name: "initialize gives the server's own name, capabilities, instructions and revision",
    run: async (setup) => {
      const { revision } = await sameAsDirect(setup, ({ methods, revision }) => ({
        info: methods.getServerVersion(),
        capabilities: methods.getServerCapabilities(),
        instructions: methods.getInstructions(),
        revision,
      }));
      assertEquals(revision, "2025-11-25");
    },
  },
  {
    name: "tools, prompts, resources and templates are listed as by the server itself",
    // A server may list more where the proxy has declared more.
    dedicated: true,
    run: async (setup) => {
      await sameAsDirect(setup, async ({ methods }) => [
        await methods.listTools(),
        await methods.listPrompts(),
        await methods.listResources(),
        await methods.listResourceTemplates(),
      ]);
    },
  },
  {
    name: "tools/call, prompts/get, resources/read and ping answer as the server itself does",
    run: async (setup) => {
      const { target } = setup;
      await sameAsDirect(setup, async (client) => [
        await client.call(target.fixed),
        await client.methods.getPrompt(target.prompt),
        await client.methods.readResource({ uri: target.resource }),
        await client.methods.ping(),
      ]);
    },
  },
  {
    name: "completion/complete answers as the server itself does",
    run: async (setup) => {
      const { target } = setup;
      const result = await sameAsDirect(
        setup,
        ({ methods }) => methods.complete(target.completion),
      ) as { completion: { values: string[] } };
      assertEquals(result.completion.values, target.completed);
    },
  },
  {
    name: "an unknown tool, prompt, resource and method fail as with the server itself",
    run: async (setup) => {
      const outcomes = await sameAsDirect(setup, (client) =>
        Promise.all([
          outcome(client.call({ name: "no-such-tool", arguments: {} })),
          outcome(client.methods.getPrompt({ name: "no-such-prompt" })),
          outcome(client.methods.readResource({ uri: "test://no-such-resource" })),
          outcome(client.unknownMethod()),
        ]));
      const codes = outcomes.map((each) => (each as { code?: unknown }).code);
      assertEquals(codes.at(-1), -32601);
      assertEquals(codes[1], -32602);
    },
  },
  { name: "progress reaches onprogress in the order the server sent it", run: reportProgress },
  { name: "fifty calls at once on one client each get their own answer", run: callInParallel },
  { name: "two clients whose requests have the same ids do not mix", run: callFromTwoClients },
  { name: "an aborted call cancels the server's request by its id", run: cancel },
];
