/** The resources and prompts of the session-era fixture server. */
import {
  ErrorCode,
  type GetPromptResult,
  McpError,
  type Prompt,
  type ReadResourceResult,
} from "./sdk_v1.ts";
import { enteredText } from "./session_input_tools.ts";
import type { Extra } from "./session_tool.ts";
import { embedded, image, RESOURCES, TEMPLATE, templateBody, text } from "./samples.ts";

/** The code the session-era revisions give to a resource that is not there. */
const RESOURCE_NOT_FOUND = -32002;

interface SessionPrompt {
  readonly description: string;
  readonly arguments: readonly string[];
  readonly messages: (
    args: Record<string, string>,
    extra: Extra,
  ) => GetPromptResult["messages"] | Promise<GetPromptResult["messages"]>;
}

const SESSION_PROMPTS: Readonly<Record<string, SessionPrompt>> = {
  test_simple_prompt: {
    description: "One fixed message",
    arguments: [],
    messages: () => [{ role: "user", content: text("A simple prompt.") }],
  },
  test_prompt_with_arguments: {
    description: "A message made of two arguments",
    arguments: ["arg1", "arg2"],
    messages: ({ arg1, arg2 }) => [{ role: "user", content: text(`First ${arg1}, then ${arg2}.`) }],
  },
  test_prompt_with_embedded_resource: {
    description: "A message with a resource in it",
    arguments: ["resourceUri"],
    messages: ({ resourceUri }) => [
      { role: "user", content: embedded(String(resourceUri), "The resource named by the caller.") },
      { role: "user", content: text("Sum up the resource.") },
    ],
  },
  test_prompt_with_image: {
    description: "A message with an image in it",
    arguments: [],
    messages: () => [
      { role: "user", content: image() },
      { role: "user", content: text("Describe the image.") },
    ],
  },
  test_input_required_result_prompt: {
    description: "Asks for a context first",
    arguments: [],
    messages: async (_, extra) => {
      const context = await enteredText(extra, "In which context?", "context");
      return [{ role: "user", content: text(`In context: ${context}.`) }];
    },
  },
};

/** The prompts as prompts/list shows them. */
export function listSessionPrompts(): Prompt[] {
  return Object.entries(SESSION_PROMPTS).map(([name, prompt]) => ({
    name,
    description: prompt.description,
    arguments: prompt.arguments.map((argument) => ({ name: argument, required: true })),
  }));
}

/** One prompt; unknown names and missing arguments are -32602. */
export async function getSessionPrompt(
  name: string,
  args: Record<string, string>,
  extra: Extra,
): Promise<GetPromptResult> {
  const prompt = Object.hasOwn(SESSION_PROMPTS, name) ? SESSION_PROMPTS[name] : undefined;
  if (prompt === undefined) throw new McpError(ErrorCode.InvalidParams, `Unknown prompt ${name}`);
  const missing = prompt.arguments.filter((argument) => !(argument in args));
  if (missing.length > 0) {
    throw new McpError(ErrorCode.InvalidParams, `Missing argument ${missing.join(", ")}`);
  }
  return { description: prompt.description, messages: await prompt.messages(args, extra) };
}

/** The content of a resource; an unknown one is -32002 with the uri as data. */
export function readSessionResource(uri: string): ReadResourceResult {
  const resource = RESOURCES.find((candidate) => candidate.uri === uri);
  if (resource !== undefined) {
    return { contents: [{ uri, mimeType: resource.mimeType, ...resource.body }] };
  }
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  if (id === undefined) throw new McpError(RESOURCE_NOT_FOUND, "Resource not found", { uri });
  return { contents: [{ uri, mimeType: TEMPLATE.mimeType, text: templateBody(id) }] };
}
