/**
 * 2026-07-28: discovery, lists, calls, and input asked for in rounds.
 *
 * Source: 2026-07-28 server/*, basic/patterns/mrtr, basic/patterns/subscriptions,
 * basic/transports/streamable-http "Request Metadata".
 *
 * @module
 */

import { LOG_LEVEL_META_KEY } from "@modelcontextprotocol/client";
import { casesOf, type RecordCase } from "../case.ts";
import { type Answers, type ConnectedV2, fails, v2 } from "../official.ts";
import { delay, SETTLE_MS } from "../waiting.ts";

const REVISION = "2026-07-28";
const WATCHED = "test://watched-resource";
const ROOTS = [{ uri: "file:///projects/loom", name: "Loom" }];

function talk(run: (connected: ConnectedV2) => Promise<unknown>, answers: Answers = {}) {
  return v2(REVISION, run, { answers });
}

function call(name: string, args: Record<string, unknown> = {}, answers: Answers = {}) {
  return talk(({ client }) => client.callTool({ name, arguments: args }), answers);
}

async function lists({ client }: ConnectedV2): Promise<void> {
  await client.listPrompts();
  await client.listResources();
  await client.listResourceTemplates();
}

async function resources({ client }: ConnectedV2): Promise<void> {
  await client.readResource({ uri: "test://static-text" });
  await client.readResource({ uri: "test://static-binary" });
  await client.readResource({ uri: "test://template/7/data" });
}

async function prompts({ client }: ConnectedV2): Promise<void> {
  await client.getPrompt({ name: "test_simple_prompt" });
  await client.getPrompt({
    name: "test_prompt_with_arguments",
    arguments: { arg1: "warp", arg2: "weft" },
  });
}

async function completion({ client }: ConnectedV2): Promise<void> {
  const ref = { type: "ref/prompt" as const, name: "test_prompt_with_arguments" };
  await client.complete({ ref, argument: { name: "arg1", value: "pa" } });
}

async function logging({ client }: ConnectedV2): Promise<void> {
  const name = "test_logging_tool";
  await client.callTool({ name });
  await client.callTool({ name, _meta: { [LOG_LEVEL_META_KEY]: "info" } });
}

async function requestErrors({ client }: ConnectedV2): Promise<void> {
  await fails(client.callTool({ name: "no-such-tool" }));
  await fails(client.getPrompt({ name: "no-such-prompt" }));
  await fails(client.readResource({ uri: "test://no-such-resource" }));
}

/** The client has to know the tool's schema before it can repeat arguments in fields. */
async function paramFields({ client }: ConnectedV2): Promise<void> {
  await client.listTools();
  for (const region of ["eu-west", "Zürich", " spaces "]) {
    await client.callTool({ name: "test_x_mcp_header", arguments: { region, level: 3 } });
  }
  await client.callTool({ name: "test_x_mcp_header", arguments: {} });
}

async function unicode({ client }: ConnectedV2): Promise<void> {
  const values = ["Gunta Stölzl, 織物, 👩🏽‍🚀", "\u2028 and \u2029", "CRLF\r\nLF\nCR\r", '" \\ \ud800'];
  for (const value of values) await client.callTool({ name: "test_echo", arguments: { value } });
}

async function subscription({ client, received, watch, signal }: ConnectedV2): Promise<void> {
  const subscription = await client.listen({
    toolsListChanged: true,
    resourceSubscriptions: [WATCHED],
  });
  await watch.answered("subscriptions/listen", signal);
  for (const name of ["trigger_prompt_change", "trigger_tool_change", "touch_watched_resource"]) {
    await client.callTool({ name: `test_${name}` });
  }
  await received.first(({ method }) => method === "notifications/resources/updated", signal);
  await subscription.close();
}

/** Two subscriptions at once; each gets only what it asked for. */
async function twoSubscriptions({ client, received, signal }: ConnectedV2): Promise<void> {
  const tools = await client.listen({ toolsListChanged: true });
  const prompts = await client.listen({ promptsListChanged: true });
  await client.callTool({ name: "test_trigger_tool_change" });
  await received.first(({ method }) => method === "notifications/tools/list_changed", signal);
  await client.callTool({ name: "test_trigger_prompt_change" });
  await received.first(({ method }) => method === "notifications/prompts/list_changed", signal);
  await tools.close();
  await delay(SETTLE_MS, signal);
  await prompts.close();
}

/** Leaving the stream is the cancellation in this revision. */
async function cancel({ client, signal }: ConnectedV2): Promise<void> {
  const abort = new AbortController();
  await fails(client.callTool({ name: "test_tool_with_progress" }, {
    signal: abort.signal,
    onprogress: () => abort.abort("changed my mind"),
  }));
  await delay(SETTLE_MS, signal);
  await client.callTool({ name: "test_simple_text" });
}

/** Two calls at once; the later is answered first. */
async function outOfOrder({ client, signal }: ConnectedV2): Promise<void> {
  const slow = client.callTool({ name: "test_wait", arguments: { ms: 500 } });
  await delay(SETTLE_MS, signal);
  await client.callTool({ name: "test_simple_text" });
  await slow;
}

const CALLS = casesOf(REVISION, "modern", [
  ["discover", "server/discover", talk(() => Promise.resolve())],
  ["tools-list", "tools/list with its cache hints", talk(({ client }) => client.listTools())],
  ["lists", "Prompts, resources and templates are listed, with cache hints", talk(lists)],
  ["call", "A call", call("test_simple_text")],
  [
    "call-content-kinds",
    "A result of text, image and resource",
    call("test_multiple_content_types"),
  ],
  [
    "call-progress",
    "A call answered by SSE: progress, then the result",
    talk(({ client }) =>
      client.callTool({ name: "test_tool_with_progress" }, { onprogress: () => {} })
    ),
  ],
  [
    "call-logging",
    "A request that names a log level gets log lines, another does not",
    talk(logging),
  ],
  ["call-tool-error", "A tool fails: a result with isError", call("test_error_handling")],
  ["call-unicode", "Arguments and results with all kinds of characters", talk(unicode)],
  ["calls-out-of-order", "Two calls at once; the later is answered first", talk(outOfOrder)],
  ["cancel-call", "The client closes the stream of its call, which cancels it", talk(cancel)],
  [
    "param-fields",
    "Arguments repeated in Mcp-Param fields, in base64 where needed",
    talk(paramFields),
  ],
  ["resources-read", "Texts and bytes are read, with cache hints", talk(resources)],
  ["prompts-get", "Prompts with and without arguments", talk(prompts)],
  ["completion", "Completion of a prompt's argument", talk(completion)],
  ["request-errors", "Unknown tool, prompt and resource: -32602", talk(requestErrors)],
]);

const SUBSCRIPTIONS = casesOf(REVISION, "modern-own", [
  [
    "subscription",
    "subscriptions/listen: acknowledged, told of changes, closed by the client",
    talk(subscription),
  ],
  ["subscriptions-two", "Two subscriptions, each with its own filter", talk(twoSubscriptions)],
]);

const ROUNDS = casesOf(REVISION, "modern", [
  [
    "input-elicitation",
    "input_required: the user is asked, and the call is repeated",
    call("test_input_required_result_elicitation", {}, { elicited: { name: "Anni" } }),
  ],
  [
    "input-declined",
    "The user declines, and the server asks again until the client stops",
    talk(
      async ({ client }) => {
        await fails(client.callTool({ name: "test_input_required_result_elicitation" }));
      },
      { elicited: null },
    ),
  ],
  [
    "input-sampling",
    "input_required: the model is asked",
    call("test_input_required_result_sampling", {}, { sampled: "Paris" }),
  ],
  [
    "input-roots",
    "input_required: the client's roots are asked for",
    call("test_input_required_result_list_roots", {}, { roots: ROOTS }),
  ],
  [
    "input-state",
    "input_required with a requestState that the client hands back",
    call("test_input_required_result_request_state", {}, { elicited: { ok: true } }),
  ],
  [
    "input-two-rounds",
    "Two rounds, each with its own requestState",
    call(
      "test_input_required_result_multi_round",
      {},
      { elicited: { name: "Anni", color: "indigo" } },
    ),
  ],
  [
    "input-three-at-once",
    "User, model and roots in one round",
    call(
      "test_input_required_result_multiple_inputs",
      {},
      { elicited: { name: "Anni" }, sampled: "Good day", roots: ROOTS },
    ),
  ],
  [
    "input-prompt",
    "prompts/get that needs input",
    talk(
      ({ client }) => client.getPrompt({ name: "test_input_required_result_prompt" }),
      { elicited: { context: "weaving" } },
    ),
  ],
  [
    "missing-capability",
    "A call that needs what the client did not declare: 400, -32021",
    talk(
      ({ client }) => fails(client.callTool({ name: "test_missing_capability" })),
    ),
  ],
]);

/** The cases of this module. */
export const MODERN_CALLS: readonly RecordCase[] = [...CALLS, ...SUBSCRIPTIONS, ...ROUNDS];
