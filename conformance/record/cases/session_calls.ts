/**
 * 2025-11-25 over Streamable HTTP: the client asks and the server answers.
 *
 * Source: 2025-11-25 basic/lifecycle, basic/utilities, server/*.
 *
 * @module
 */

import { casesOf, type RecordCase } from "../case.ts";
import { type ConnectedV1, fails, v1 } from "../official.ts";
import { EmptyResultSchema } from "../sdk_v1.ts";
import { delay, SETTLE_MS } from "../waiting.ts";

const WATCHED = "test://watched-resource";

/** One tool call of a client that is connected. */
function call(name: string, args: Record<string, unknown> = {}) {
  return ({ client }: ConnectedV1) => client.callTool({ name, arguments: args });
}

async function lists({ client }: ConnectedV1): Promise<void> {
  await client.listTools();
  await client.callTool({ name: "test_simple_text", arguments: {} });
}

async function progress({ client }: ConnectedV1): Promise<void> {
  await client.callTool({ name: "test_tool_with_progress", arguments: {} }, undefined, {
    onprogress: () => {},
  });
}

async function logging({ client }: ConnectedV1): Promise<void> {
  await client.setLoggingLevel("error");
  await client.callTool({ name: "test_tool_with_logging", arguments: {} });
  await client.setLoggingLevel("info");
  await client.callTool({ name: "test_tool_with_logging", arguments: {} });
}

async function resources({ client }: ConnectedV1): Promise<void> {
  await client.listResources();
  await client.listResourceTemplates();
  await client.readResource({ uri: "test://static-text" });
  await client.readResource({ uri: "test://static-binary" });
  await client.readResource({ uri: "test://template/7/data" });
}

async function prompts({ client }: ConnectedV1): Promise<void> {
  await client.listPrompts();
  await client.getPrompt({ name: "test_simple_prompt" });
  await client.getPrompt({
    name: "test_prompt_with_arguments",
    arguments: { arg1: "warp", arg2: "weft" },
  });
}

async function completion({ client }: ConnectedV1): Promise<void> {
  const ref = { type: "ref/prompt" as const, name: "test_prompt_with_arguments" };
  await client.complete({ ref, argument: { name: "arg1", value: "pa" } });
  await client.complete({ ref, argument: { name: "arg1", value: "zz" } });
}

async function requestErrors({ client }: ConnectedV1): Promise<void> {
  await fails(client.callTool({ name: "no-such-tool", arguments: {} }));
  await fails(client.getPrompt({ name: "no-such-prompt" }));
  await fails(client.getPrompt({ name: "test_prompt_with_arguments", arguments: { arg1: "a" } }));
  await fails(client.readResource({ uri: "test://no-such-resource" }));
}

/** The v1 client sends notifications/cancelled; the server does not answer the call any more. */
async function cancel({ client, watch, signal }: ConnectedV1): Promise<void> {
  const abort = new AbortController();
  const slow = client.callTool({ name: "test_wait", arguments: { ms: 60_000 } }, undefined, {
    signal: abort.signal,
  });
  const ended = fails(slow);
  await watch.answered("tools/call", signal);
  // The answer's first event is to be there before the client changes its mind.
  await delay(SETTLE_MS, signal);
  abort.abort("changed my mind");
  await ended;
  await watch.answered("notifications/cancelled", signal);
  await client.ping();
}

/** The head of the slow call's answer is there before the quick call is sent. */
async function outOfOrder({ client, watch, signal }: ConnectedV1): Promise<void> {
  const slow = client.callTool({ name: "test_wait", arguments: { ms: 500 } });
  await watch.answered("tools/call", signal);
  await client.callTool({ name: "test_simple_text", arguments: {} });
  await slow;
}

async function unicode({ client }: ConnectedV1): Promise<void> {
  const values = [
    "Gunta Stölzl, Ὀδυσσεύς, 織物, नमस्ते, שלום",
    "👩🏽‍🚀 and 𝄞, beyond the basic plane",
    "\u2028 and \u2029 and \u0085 and \ufeff end no line",
    "CRLF\r\nLF\nCR\rtab\tNUL\u0000 and \u001b",
    'quotes " and \\ and / and \ud800, which stands alone',
  ];
  for (const value of values) await client.callTool({ name: "test_echo", arguments: { value } });
}

const WORDED = "data: not a field\nid: 7\nevent: endpoint\nretry: 1\n\n: no comment";

/** Against `conformance/servers/session.ts`. */
const SESSION = casesOf("2025-11-25", "session", [
  [
    "initialize-list-call",
    "A session begins, lists tools and calls one; answers by SSE",
    v1(lists),
  ],
  ["ping", "The client pings the server", v1(({ client }) => client.ping())],
  [
    "call-content-kinds",
    "A result of text, image and resource",
    v1(call("test_multiple_content_types")),
  ],
  ["call-progress", "Progress on the stream of the call", v1(progress)],
  ["call-logging", "Log lines on the stream of a call, as far as the level lets them", v1(logging)],
  ["call-tool-error", "A tool fails: a result with isError", v1(call("test_error_handling"))],
  ["call-unicode", "Arguments and results with all kinds of characters", v1(unicode)],
  [
    "call-like-sse",
    "A text that looks like fields of an event stream",
    v1(call("test_echo", { value: WORDED })),
  ],
  [
    "calls-out-of-order",
    "Two calls at once in one session; the later is answered first",
    v1(outOfOrder),
  ],
  [
    "cancel-call",
    "notifications/cancelled for a call; its stream stays without an answer",
    v1(cancel),
  ],
  ["resources", "Resources and templates are listed, and texts and bytes read", v1(resources)],
  ["prompts", "Prompts are listed and got, with and without arguments", v1(prompts)],
  ["completion", "Completion of a prompt's argument", v1(completion)],
  [
    "request-errors",
    "Unknown tool, prompt and resource, and a missing argument",
    v1(requestErrors),
  ],
  [
    "unknown-method",
    "A method no server knows: -32601",
    v1(({ client }) => fails(client.request({ method: "test/unknown" }, EmptyResultSchema))),
  ],
  [
    "resource-subscribe-unsubscribe",
    "resources/subscribe and its end, with nothing to tell",
    v1(
      async ({ client }) => {
        await client.subscribeResource({ uri: WATCHED });
        await client.unsubscribeResource({ uri: WATCHED });
        await client.callTool({ name: "test_touch_watched_resource", arguments: {} });
      },
    ),
  ],
]);

/** Against servers that answer in other ways. */
const OTHERS = [
  ...casesOf("2025-11-25", "json", [
    ["json-initialize-list-call", "A server that answers by application/json alone", v1(lists)],
    ["json-large-text", "A JSON answer of 30 KiB", v1(call("test_large_text"))],
    ["json-tool-error", "A JSON answer with isError", v1(call("test_error_handling"))],
  ]),
  ...casesOf("2025-11-25", "without-event-ids", [
    ["sse-without-ids", "A server without an event store: events have no ids", v1(progress)],
    ["sse-large-text", "An event of 30 KiB", v1(call("test_large_text"))],
  ]),
  ...casesOf("2025-11-25", "crlf", [
    ["sse-crlf", "An event stream whose lines end with CRLF", v1(progress)],
  ]),
  ...casesOf("2025-11-25", "stateless", [
    ["stateless-list-call", "A server without sessions; GET is refused with 405", v1(lists)],
    ["stateless-progress", "Progress from a server without sessions", v1(progress)],
  ]),
  ...casesOf("2025-11-25", "stateless-json", [
    ["stateless-json-call", "A server without sessions that answers by JSON", v1(lists)],
  ]),
  ...casesOf("2025-11-25", "everything", [
    [
      "everything-list-call",
      "The reference server: list and call",
      v1(async ({ client }) => {
        await client.listTools();
        await client.callTool({ name: "get-sum", arguments: { a: 19, b: 23 } });
      }),
    ],
    [
      "everything-annotations",
      "Content with annotations, from the reference server",
      v1(call("get-annotated-message", { messageType: "error", includeImage: false })),
    ],
    [
      "everything-invalid-arguments",
      "Arguments that the tool's schema refuses",
      v1(call("get-sum", { a: "19" })),
    ],
  ]),
];

/** The cases of this module. */
export const SESSION_CALLS: readonly RecordCase[] = [...SESSION, ...OTHERS];
