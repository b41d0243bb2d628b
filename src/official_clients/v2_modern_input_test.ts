/**
 * The official v2 client, pinned to 2026-07-28, through the proxy to the modern server: input that
 * the server asks for in rounds, and subscriptions.
 *
 * Source: 2026-07-28 basic/patterns/mrtr and basic/patterns/subscriptions.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type ModernSetup, withModern } from "./modern_case.ts";
import { type Answers, textOf } from "./session_client.ts";
import { within } from "./wait.ts";

const WATCHED = "test://watched-resource";
const ROOTS = [{ uri: "file:///projects/loom", name: "Loom" }];

interface Round {
  readonly tool: string;
  readonly answers: Partial<Answers>;
  readonly asked: readonly string[];
  readonly result: string;
}

/** Each tool that asks in one round, what it asks for, and what it makes of the answer. */
const ROUNDS: readonly Round[] = [
  {
    tool: "test_input_required_result_elicitation",
    answers: { elicited: { name: "Anni" } },
    asked: ["elicitation/create"],
    result: "Good day, Anni.",
  },
  {
    tool: "test_input_required_result_sampling",
    answers: { sampled: "Paris" },
    asked: ["sampling/createMessage"],
    result: "The model said: Paris",
  },
  {
    tool: "test_input_required_result_list_roots",
    answers: { roots: ROOTS },
    asked: ["roots/list"],
    result: "The client has 1 root(s).",
  },
  {
    tool: "test_input_required_result_multiple_inputs",
    answers: { elicited: { name: "Anni" }, sampled: "Good day", roots: ROOTS },
    asked: ["elicitation/create", "roots/list", "sampling/createMessage"],
    result: "Good day Anni, with 1 root(s).",
  },
];

/** The tool calls that reached the server. */
function calls({ relay }: ModernSetup) {
  return relay.arrived.items.flatMap(({ message }) =>
    message?.method === "tools/call" ? [message] : []
  );
}

for (const { tool, answers, asked, result } of ROUNDS) {
  Deno.test(`v2 client, modern server: ${tool} gets its input in a second round`, () =>
    withModern(async (setup) => {
      const connected = await setup.connect({ answers });
      assertEquals(textOf(await connected.client.callTool({ name: tool })), result);
      assertEquals(connected.asked.items.toSorted(), asked);
      const [first, second, ...more] = calls(setup);
      assertEquals(more, []);
      assertEquals(first?.params?.["inputResponses"], undefined);
      assert(second?.params?.["inputResponses"] !== undefined);
    }));
}

Deno.test("v2 client, modern server: a tool asks in two rounds, each with its own state", () =>
  withModern(async (setup) => {
    const { client, asked } = await setup.connect({
      answers: { elicited: { name: "Anni", color: "indigo" } },
    });
    const result = await client.callTool({ name: "test_input_required_result_multi_round" });
    assertEquals(textOf(result), "Anni likes indigo.");
    assertEquals(asked.items, ["elicitation/create", "elicitation/create"]);
    const [none, one, two, ...more] = calls(setup).map(({ params }) => params?.["requestState"]);
    assertEquals([none, more], [undefined, []]);
    assertEquals([typeof one, typeof two], ["string", "string"]);
    assertNotEquals(one, two);
  }));

Deno.test("v2 client, modern server: a prompt gets its input in a second round", () =>
  withModern(async ({ connect }) => {
    const { client } = await connect({ answers: { elicited: { context: "weaving" } } });
    const { messages } = await client.getPrompt({ name: "test_input_required_result_prompt" });
    assertEquals(messages[0]?.content, { type: "text", text: "In context: weaving." });
  }));

Deno.test("v2 client, modern server: a subscription gets what its filter names, and no more", () =>
  withModern(async ({ connect }) => {
    const { client, received } = await connect();
    const subscription = await client.listen({
      toolsListChanged: true,
      resourceSubscriptions: [WATCHED],
    });
    assertEquals(subscription.honoredFilter, {
      toolsListChanged: true,
      resourceSubscriptions: [WATCHED],
    });
    for (const name of ["prompt_change", "tool_change"]) {
      await client.callTool({ name: `test_trigger_${name}` });
    }
    await client.callTool({ name: "test_touch_watched_resource" });
    await received.take(2, "two notifications", () => true);
    assertEquals(received.items.map(({ method }) => method), [
      "notifications/tools/list_changed",
      "notifications/resources/updated",
    ]);
    assertEquals(received.items[1]?.params?.["uri"], WATCHED);
    await subscription.close();
    assertEquals(await subscription.closed, "local");
  }));

Deno.test("v2 client, modern server: a closed subscription closes the server's stream", () =>
  withModern(async ({ connect, relay }) => {
    const { client } = await connect();
    const subscription = await client.listen({ promptsListChanged: true });
    await subscription.close();
    await relay.abandoned.first(
      "the end of the server's stream",
      ({ message }) => message?.method === "subscriptions/listen",
    );
  }));

Deno.test("v2 client, modern server: two clients' subscriptions of equal ids do not mix", () =>
  withModern(async ({ connect }) => {
    const [one, two] = [await connect(), await connect()];
    await one.client.listen({ toolsListChanged: true });
    await two.client.listen({ promptsListChanged: true });
    await one.client.callTool({ name: "test_trigger_prompt_change" });
    await two.client.callTool({ name: "test_trigger_tool_change" });
    await one.received.first("the tools' change", () => true);
    await two.received.first("the prompts' change", () => true);
    assertEquals(one.received.items.map(({ method }) => method), [
      "notifications/tools/list_changed",
    ]);
    assertEquals(two.received.items.map(({ method }) => method), [
      "notifications/prompts/list_changed",
    ]);
  }));

Deno.test("v2 client, modern server: a server that ends its subscriptions ends them for clients", () =>
  withModern(async ({ connect, direct, stopServer }) => {
    const subscriptions = [
      await (await direct()).client.listen({ toolsListChanged: true }),
      await (await connect()).client.listen({ toolsListChanged: true }),
    ];
    await stopServer();
    const ends = Promise.all(subscriptions.map(({ closed }) => closed));
    assertEquals(await within(ends, "the end of both subscriptions"), ["graceful", "graceful"]);
  }));
