/** The resources and prompts of the 2026-07-28 fixture server. */
import {
  completable,
  type GetPromptResult,
  INVALID_PARAMS,
  type McpServer,
  ProtocolError,
  ResourceTemplate,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { askContext, enteredText } from "./modern_input_tools.ts";
import {
  completionsFor,
  embedded,
  image,
  resourcePage,
  RESOURCES,
  TEMPLATE,
  templateBody,
  text,
} from "./samples.ts";

/** How long a client may keep a fixed resource. */
const RESOURCE_TTL_MS = 60_000;

/** Registers the fixed resources, which are listed in pages, and the template. */
export function registerResources(server: McpServer): void {
  for (const { uri, name, description, mimeType, body } of RESOURCES) {
    server.registerResource(name, uri, {
      description,
      mimeType,
      cacheHint: { ttlMs: RESOURCE_TTL_MS, cacheScope: "public" },
    }, () => ({ contents: [{ uri, mimeType, ...body }] }));
  }
  const { uriTemplate, name, description, mimeType } = TEMPLATE;
  const template = new ResourceTemplate(uriTemplate, {
    list: undefined,
    complete: { id: completionsFor },
  });
  server.registerResource(name, template, { description, mimeType }, (uri, { id }) => ({
    contents: [{ uri: uri.href, mimeType, text: templateBody(String(id)) }],
  }));
  server.server.setRequestHandler("resources/list", ({ params }) => {
    const page = resourcePage(params?.cursor);
    if (page === undefined) throw new ProtocolError(INVALID_PARAMS, "Unknown cursor");
    return page;
  });
}

function userMessages(
  ...content: GetPromptResult["messages"][number]["content"][]
): GetPromptResult {
  return { messages: content.map((block) => ({ role: "user", content: block })) };
}

/** Registers the prompts. */
export function registerPrompts(server: McpServer): void {
  server.registerPrompt(
    "test_simple_prompt",
    { description: "One fixed message" },
    () => userMessages(text("A simple prompt.")),
  );
  server.registerPrompt("test_prompt_with_arguments", {
    description: "A message made of two arguments",
    argsSchema: z.object({ arg1: completable(z.string(), completionsFor), arg2: z.string() }),
  }, ({ arg1, arg2 }) => userMessages(text(`First ${arg1}, then ${arg2}.`)));
  server.registerPrompt("test_prompt_with_embedded_resource", {
    description: "A message with a resource in it",
    argsSchema: z.object({ resourceUri: z.string() }),
  }, ({ resourceUri }) =>
    userMessages(
      embedded(resourceUri, "The resource named by the caller."),
      text("Sum up the resource."),
    ));
  server.registerPrompt(
    "test_prompt_with_image",
    { description: "A message with an image in it" },
    () => userMessages(image(), text("Describe the image.")),
  );
  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "Asks for a context first" },
    (ctx) => {
      const context = enteredText(ctx, "user_context", "context");
      return context === undefined ? askContext() : userMessages(text(`In context: ${context}.`));
    },
  );
}
