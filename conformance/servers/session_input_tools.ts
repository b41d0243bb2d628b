/**
 * The tools of the session-era fixture server that ask the client: each sends its requests while its own call
 * is open. They go by the names of those of the 2026-07-28 fixture server, and say the same in the end.
 */
import {
  type CallToolResult,
  CreateMessageResultSchema,
  type ElicitRequestFormParams,
  type ElicitResult,
  ElicitResultSchema,
  ListRootsResultSchema,
  UrlElicitationRequiredError,
} from "./sdk_v1.ts";
import { CONNECT_URL, DEFAULTS_FORM, ENUMS_FORM, text, textForm } from "./samples.ts";
import {
  action,
  type Extra,
  type SessionCall,
  type SessionTool,
  stringArgument,
  textResult,
} from "./session_tool.ts";

const CONFIRM_FORM = {
  type: "object" as const,
  properties: { ok: { type: "boolean" as const } },
  required: ["ok"],
};

async function modelText(extra: Extra, prompt: string): Promise<string> {
  const messages = [{ role: "user" as const, content: text(prompt) }];
  const result = await extra.sendRequest(
    { method: "sampling/createMessage", params: { messages, maxTokens: 100 } },
    CreateMessageResultSchema,
  );
  const block = Array.isArray(result.content) ? result.content[0] : result.content;
  return block?.type === "text" ? block.text : "(no text)";
}

function elicited(
  extra: Extra,
  message: string,
  requestedSchema: ElicitRequestFormParams["requestedSchema"],
): Promise<ElicitResult> {
  const params = { message, requestedSchema };
  return extra.sendRequest({ method: "elicitation/create", params }, ElicitResultSchema);
}

/** The text a user enters into one field. @throws {Error} if the user does not accept */
export async function enteredText(extra: Extra, message: string, field: string): Promise<string> {
  const { action, content } = await elicited(extra, message, textForm(field));
  if (action !== "accept") throw new Error(`the user chose ${action}`);
  return String(content?.[field]);
}

async function confirmed(extra: Extra): Promise<boolean> {
  const { content } = await elicited(extra, "Go on?", CONFIRM_FORM);
  return content?.["ok"] === true;
}

async function rootCount(extra: Extra): Promise<number> {
  const { roots } = await extra.sendRequest({ method: "roots/list" }, ListRootsResultSchema);
  return roots.length;
}

async function elicit(
  { extra }: SessionCall,
  message: string,
  requestedSchema: ElicitRequestFormParams["requestedSchema"],
): Promise<CallToolResult> {
  const { action, content } = await elicited(extra, message, requestedSchema);
  return textResult(`The user chose ${action}: ${JSON.stringify(content ?? {})}`);
}

async function sendToPage({ extra }: SessionCall): Promise<CallToolResult> {
  const elicitationId = crypto.randomUUID();
  const { action } = await extra.sendRequest({
    method: "elicitation/create",
    params: { mode: "url", message: "Connect your account.", url: CONNECT_URL, elicitationId },
  }, ElicitResultSchema);
  return textResult(`The user chose ${action}.`);
}

/** Sends the user away once; the next call goes through. */
function needsPage({ session }: SessionCall): CallToolResult {
  if (session.peers.wasSentAway()) return textResult("The account is connected.");
  throw new UrlElicitationRequiredError([{
    mode: "url",
    message: "Connect your account.",
    url: CONNECT_URL,
    elicitationId: crypto.randomUUID(),
  }]);
}

async function greetUser({ extra }: SessionCall): Promise<CallToolResult> {
  return textResult(`Good day, ${await enteredText(extra, "Who are you?", "name")}.`);
}

async function askForCapital({ extra }: SessionCall): Promise<CallToolResult> {
  const answer = await modelText(extra, "Which city is the capital of France?");
  return textResult(`The model said: ${answer}`);
}

async function countRoots({ extra }: SessionCall): Promise<CallToolResult> {
  return textResult(`The client has ${await rootCount(extra)} root(s).`);
}

/** Asks only for what the client said it can give. */
async function askWithinCapabilities({ extra, session }: SessionCall): Promise<CallToolResult> {
  const { elicitation, sampling, roots } = session.clientCapabilities();
  const answered = [
    ...(elicitation === undefined ? [] : [enteredText(extra, "Who are you?", "name")]),
    ...(sampling === undefined ? [] : [modelText(extra, "Say something.")]),
    ...(roots === undefined ? [] : [rootCount(extra)]),
  ];
  if (answered.length === 0) return textResult("The client can give nothing.");
  return textResult(`Answered: ${(await Promise.all(answered)).join(", ")}.`);
}

async function confirmation({ extra }: SessionCall): Promise<CallToolResult> {
  return textResult(await confirmed(extra) ? "state-ok" : "The user did not confirm.");
}

async function threeAtOnce({ extra }: SessionCall): Promise<CallToolResult> {
  const [name, greeting, roots] = await Promise.all([
    enteredText(extra, "Who are you?", "name"),
    modelText(extra, "Write a greeting."),
    rootCount(extra),
  ]);
  return textResult(`${greeting} ${name}, with ${roots} root(s).`);
}

async function twoSteps({ extra }: SessionCall): Promise<CallToolResult> {
  const name = await enteredText(extra, "Who are you?", "name");
  const color = await enteredText(extra, "Which color do you like?", "color");
  return textResult(`${name} likes ${color}.`);
}

/** The tools that ask, by name, in the order they are listed. */
export const SESSION_INPUT_TOOLS: Readonly<Record<string, SessionTool>> = {
  test_sampling: {
    description: "Asks the client's model",
    inputSchema: textForm("prompt"),
    run: async ({ args, extra }) =>
      textResult(`The model said: ${await modelText(extra, stringArgument(args, "prompt"))}`),
  },
  test_elicitation: {
    description: "Asks the user",
    inputSchema: textForm("message"),
    run: (call) => elicit(call, stringArgument(call.args, "message"), textForm("response")),
  },
  test_elicitation_sep1034_defaults: action(
    "Asks the user with defaults filled in",
    (call) => elicit(call, "Are these values right?", DEFAULTS_FORM),
  ),
  test_elicitation_sep1330_enums: action(
    "Asks the user to choose in five ways",
    (call) => elicit(call, "Which do you take?", ENUMS_FORM),
  ),
  test_elicitation_url: action("Sends the user to a page", sendToPage),
  test_url_elicitation_required: action("Needs a page that the user has visited", needsPage),
  test_missing_capability: action("Needs the client's model", askForCapital),
  test_streaming_elicitation: action("Asks the user", async ({ extra }) => {
    await confirmed(extra);
    return textResult("Done.");
  }),
  test_input_required_result_elicitation: action("Asks for a name", greetUser),
  test_input_required_result_sampling: action("Asks the model", askForCapital),
  test_input_required_result_list_roots: action("Asks for roots", countRoots),
  test_input_required_result_capabilities: action(
    "Asks for what the client can give",
    askWithinCapabilities,
  ),
  test_input_required_result_request_state: action("Asks for a confirmation", confirmation),
  test_input_required_result_tampered_state: action("Asks for a confirmation", confirmation),
  test_input_required_result_multiple_inputs: action(
    "Asks the user, the model and the client at once",
    threeAtOnce,
  ),
  test_input_required_result_multi_round: action(
    "Asks two questions, one after the other",
    twoSteps,
  ),
};
