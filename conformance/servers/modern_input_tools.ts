/**
 * The tools of the 2026-07-28 fixture server that need input from the client: each first answers
 * with an `input_required` result, and with its own result once the client comes back.
 */
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  createRequestStateCodec,
  inputRequired,
  type InputRequiredResult,
  inputResponse,
  type RequestStateCodec,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { CONNECT_URL, DEFAULTS_FORM, ENUMS_FORM, text, textForm } from "./samples.ts";
import { type ModernTool, textResult, type ToolAnswer, type ToolCall } from "./modern_tools.ts";

/** What a tool keeps in requestState between two rounds. */
export interface RoundState {
  readonly step: number;
  readonly name?: string;
}

/** Signs what a tool keeps between two rounds, and checks what comes back. */
export type StateCodec = RequestStateCodec<RoundState>;

type InputRequest = ReturnType<typeof inputRequired.elicit>;

const CONFIRM_FORM = {
  type: "object" as const,
  properties: { ok: { type: "boolean" as const } },
  required: ["ok"],
};

/** A codec whose key lives as long as the server; it signs requestState and checks what returns. */
export function createStateCodec(): StateCodec {
  return createRequestStateCodec<RoundState>({ key: crypto.getRandomValues(new Uint8Array(32)) });
}

function askText(message: string, field: string): InputRequest {
  return inputRequired.elicit({ message, requestedSchema: textForm(field) });
}

function askConfirmation(): InputRequest {
  return inputRequired.elicit({ message: "Go on?", requestedSchema: CONFIRM_FORM });
}

function askModel(prompt: string): InputRequest {
  return inputRequired.createMessage({
    messages: [{ role: "user", content: text(prompt) }],
    maxTokens: 50,
  });
}

/** The text a user entered into one field, or undefined if that answer is not there. */
export function enteredText(ctx: ServerContext, key: string, field: string): string | undefined {
  const value = acceptedContent(ctx.mcpReq.inputResponses, key)?.[field];
  return typeof value === "string" ? value : undefined;
}

/** The text a model gave, or undefined if that answer is not there. */
function modelText(ctx: ServerContext, key: string): string | undefined {
  const answer = inputResponse(ctx.mcpReq.inputResponses, key);
  if (answer.kind !== "sampling") return undefined;
  const { content } = answer.result;
  const block = Array.isArray(content) ? content[0] : content;
  return block?.type === "text" ? block.text : undefined;
}

/** How many roots the client listed, or undefined if that answer is not there. */
function rootCount(ctx: ServerContext, key: string): number | undefined {
  const answer = inputResponse(ctx.mcpReq.inputResponses, key);
  return answer.kind === "roots" ? answer.roots.length : undefined;
}

/** The question of the prompt that needs input. */
export function askContext(): InputRequiredResult {
  return inputRequired({
    inputRequests: { user_context: askText("In which context?", "context") },
  });
}

function greetUser({ ctx }: ToolCall): ToolAnswer {
  const name = enteredText(ctx, "user_name", "name");
  if (name !== undefined) return textResult(`Good day, ${name}.`);
  return inputRequired({ inputRequests: { user_name: askText("Who are you?", "name") } });
}

function streamingElicitation({ ctx }: ToolCall): ToolAnswer {
  if (acceptedContent(ctx.mcpReq.inputResponses, "confirm") !== undefined) {
    return textResult("Done.");
  }
  return inputRequired({ inputRequests: { confirm: askConfirmation() } });
}

function askForCapital({ ctx }: ToolCall): ToolAnswer {
  const answer = modelText(ctx, "capital_question");
  if (answer !== undefined) return textResult(`The model said: ${answer}`);
  const capital_question = askModel("Which city is the capital of France?");
  return inputRequired({ inputRequests: { capital_question } });
}

function countRoots({ ctx }: ToolCall): ToolAnswer {
  const count = rootCount(ctx, "client_roots");
  if (count !== undefined) return textResult(`The client has ${count} root(s).`);
  return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
}

/** Asks the user with a form, and tells what came of it. */
function askForm(
  { ctx }: ToolCall,
  message: string,
  requestedSchema: typeof DEFAULTS_FORM | typeof ENUMS_FORM | ReturnType<typeof textForm>,
): ToolAnswer {
  const answer = inputResponse(ctx.mcpReq.inputResponses, "form");
  if (answer.kind === "elicit") {
    return textResult(`The user chose ${answer.action}: ${JSON.stringify(answer.content ?? {})}`);
  }
  return inputRequired({
    inputRequests: { form: inputRequired.elicit({ message, requestedSchema }) },
  });
}

function askGiven({ args, ctx }: ToolCall): ToolAnswer {
  const answer = modelText(ctx, "question");
  if (answer !== undefined) return textResult(`The model said: ${answer}`);
  return inputRequired({ inputRequests: { question: askModel(String(args["prompt"])) } });
}

function sendToPage({ ctx }: ToolCall): ToolAnswer {
  const answer = inputResponse(ctx.mcpReq.inputResponses, "page");
  if (answer.kind === "elicit") return textResult(`The user chose ${answer.action}.`);
  const page = inputRequired.elicitUrl({ message: "Connect your account.", url: CONNECT_URL });
  return inputRequired({ inputRequests: { page } });
}

/** Asks only for what the client said it can give. */
function askWithinCapabilities({ ctx }: ToolCall): ToolAnswer {
  const answered = Object.keys(ctx.mcpReq.inputResponses ?? {});
  if (answered.length > 0) return textResult(`Answered: ${answered.join(", ")}.`);
  const envelope: Readonly<Record<string, unknown>> = ctx.mcpReq.envelope ?? {};
  const declared = envelope[CLIENT_CAPABILITIES_META_KEY] as ClientCapabilities | undefined;
  const inputRequests = {
    ...(declared?.elicitation !== undefined && { elicited: askText("Who are you?", "name") }),
    ...(declared?.sampling !== undefined && { sampled: askModel("Say something.") }),
    ...(declared?.roots !== undefined && { listed: inputRequired.listRoots() }),
  };
  if (Object.keys(inputRequests).length === 0) return textResult("The client can give nothing.");
  return inputRequired({ inputRequests });
}

async function confirmed(codec: StateCodec, { ctx }: ToolCall): Promise<ToolAnswer> {
  const state = ctx.mcpReq.requestState<RoundState>();
  const answer = acceptedContent(ctx.mcpReq.inputResponses, "confirm");
  if (state?.step === 1 && answer?.["ok"] === true) return textResult("state-ok");
  return inputRequired({
    inputRequests: { confirm: askConfirmation() },
    requestState: await codec.mint({ step: 1 }),
  });
}

async function threeAtOnce(codec: StateCodec, { ctx }: ToolCall): Promise<ToolAnswer> {
  const name = enteredText(ctx, "user_name", "name");
  const greeting = modelText(ctx, "greeting");
  const roots = rootCount(ctx, "client_roots");
  const known = ctx.mcpReq.requestState<RoundState>()?.step === 1;
  if (known && name !== undefined && greeting !== undefined && roots !== undefined) {
    return textResult(`${greeting} ${name}, with ${roots} root(s).`);
  }
  return inputRequired({
    inputRequests: {
      user_name: askText("Who are you?", "name"),
      greeting: askModel("Write a greeting."),
      client_roots: inputRequired.listRoots(),
    },
    requestState: await codec.mint({ step: 1 }),
  });
}

async function twoSteps(codec: StateCodec, { ctx }: ToolCall): Promise<ToolAnswer> {
  const state = ctx.mcpReq.requestState<RoundState>();
  const name = state?.name ?? enteredText(ctx, "step1", "name");
  if (state === undefined || name === undefined) {
    return inputRequired({
      inputRequests: { step1: askText("Who are you?", "name") },
      requestState: await codec.mint({ step: 1 }),
    });
  }
  const color = state.step === 2 ? enteredText(ctx, "step2", "color") : undefined;
  if (color !== undefined) return textResult(`${name} likes ${color}.`);
  return inputRequired({
    inputRequests: { step2: askText("Which color do you like?", "color") },
    requestState: await codec.mint({ step: 2, name }),
  });
}

/** The tools whose rounds are tied together by a signed requestState. */
function statefulTools(codec: StateCodec): Record<string, ModernTool> {
  return {
    test_input_required_result_request_state: {
      description: "Asks for a confirmation and recognises its own state",
      run: (call) => confirmed(codec, call),
    },
    test_input_required_result_tampered_state: {
      description: "Asks for a confirmation and refuses a changed state",
      run: (call) => confirmed(codec, call),
    },
    test_input_required_result_multiple_inputs: {
      description: "Asks the user, the model and the client in one round",
      run: (call) => threeAtOnce(codec, call),
    },
    test_input_required_result_multi_round: {
      description: "Asks two questions, one after the other",
      run: (call) => twoSteps(codec, call),
    },
  };
}

/** The tools, by name, in the order they are listed. */
export function inputTools(codec: StateCodec): Record<string, ModernTool> {
  return {
    test_sampling: {
      description: "Asks the client's model",
      inputSchema: textForm("prompt"),
      run: askGiven,
    },
    test_elicitation: {
      description: "Asks the user",
      inputSchema: textForm("message"),
      run: (call) => askForm(call, String(call.args["message"]), textForm("response")),
    },
    test_elicitation_sep1034_defaults: {
      description: "Asks the user with defaults filled in",
      run: (call) => askForm(call, "Are these values right?", DEFAULTS_FORM),
    },
    test_elicitation_sep1330_enums: {
      description: "Asks the user to choose in five ways",
      run: (call) => askForm(call, "Which do you take?", ENUMS_FORM),
    },
    test_elicitation_url: { description: "Sends the user to a page", run: sendToPage },
    test_missing_capability: { description: "Needs the client's model", run: askForCapital },
    test_streaming_elicitation: { description: "Asks the user", run: streamingElicitation },
    test_input_required_result_elicitation: { description: "Asks for a name", run: greetUser },
    test_input_required_result_sampling: { description: "Asks the model", run: askForCapital },
    test_input_required_result_list_roots: { description: "Asks for roots", run: countRoots },
    test_input_required_result_capabilities: {
      description: "Asks for what the client can give",
      run: askWithinCapabilities,
    },
    ...statefulTools(codec),
  };
}
