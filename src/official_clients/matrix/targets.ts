/**
 * What a server of the matrix has to exercise each feature: the names of its tools, prompts and resources.
 *
 * @module
 */

import type { CompletionParams, ToolUse } from "../session_client.ts";
import { REFERENCE } from "../session_targets.ts";
import type { ListKind } from "./client.ts";

/** A tool that asks, what it asks, and what its result tells then. */
export interface Asking {
  readonly use: ToolUse;
  /** As {@linkcode MatrixClient.asked} notes it. */
  readonly asks: readonly string[];
  readonly tells: string;
}

/** A tool that does something once, or goes on with it until it is called again. */
export interface Switch {
  readonly use: ToolUse;
  readonly goesOn: boolean;
}

/** A server and how to get it to do what a feature is about. */
export interface Target {
  /** Some of each list; of a list in pages, from the last page too. */
  readonly lists: Readonly<Record<ListKind, readonly string[]>>;
  /** Answers with a text that contains `value`. */
  readonly echo: (value: string) => ToolUse;
  readonly progress: ToolUse;
  /** The values of `progress` it reports, in order. */
  readonly progressSteps: readonly number[];
  /**
   * Whether the last of them comes in one piece with the result, so that the SDK may hand it on too late; see
   * `http_sse_front_test.ts`.
   */
  readonly lastStepWithResult: boolean;
  /** Logs at least one line once the level is debug. */
  readonly log: Switch;
  readonly form: Asking;
  readonly url: Asking;
  readonly sampling: Asking;
  readonly roots: Asking;
  /** Asks in two rounds. */
  readonly rounds?: Asking;
  /** Asks for three things at once. */
  readonly several?: Asking;
  /** Sends the user to a page with error -32042, and goes through the second time. */
  readonly pageFirst?: Asking;
  /** Takes longer than a test, and reports progress when it has begun. */
  readonly slow: ToolUse;
  readonly watched: string;
  /** Makes the server say that `watched` changed. */
  readonly touch: Switch;
  /** Makes the server say that lists changed, and which notifications it sends. */
  readonly changeLists: { readonly use: ToolUse; readonly sends: readonly string[] };
  readonly resource: string;
  readonly prompt: { readonly name: string; readonly arguments: Record<string, string> };
  readonly completion: CompletionParams;
  readonly completed: readonly string[];
  /** What an unknown tool comes to: an error, or a result that says so. */
  readonly unknownTool: "error" | "result";
}

function use(name: string, args: Record<string, unknown> = {}): ToolUse {
  return { name, arguments: args };
}

/** The fixture server that asks in either era. */
export const FIXTURE_TARGET: Target = {
  lists: {
    tools: ["test_simple_text", "test_touch_watched_resource"],
    prompts: ["test_simple_prompt", "test_prompt_with_image"],
    resources: ["test://static-text", "test://watched-resource"],
    templates: ["test://template/{id}/data"],
  },
  echo: (message) => use("test_echo", { message }),
  progress: use("test_tool_with_progress"),
  progressSteps: [0, 50, 100],
  lastStepWithResult: false,
  log: { use: use("test_logging_tool"), goesOn: false },
  form: {
    use: use("test_input_required_result_elicitation"),
    asks: ["elicitation/create form"],
    tells: "Good day, Gunta Stölzl.",
  },
  url: {
    use: use("test_elicitation_url"),
    asks: ["elicitation/create url"],
    tells: "The user chose accept.",
  },
  sampling: {
    use: use("test_sampling", { prompt: "Name a weaver." }),
    asks: ["sampling/createMessage"],
    tells: "The model said: Anni Albers",
  },
  roots: {
    use: use("test_input_required_result_list_roots"),
    asks: ["roots/list"],
    tells: "The client has 1 root(s).",
  },
  rounds: {
    use: use("test_input_required_result_multi_round"),
    asks: ["elicitation/create form", "elicitation/create form"],
    tells: "Gunta Stölzl likes indigo.",
  },
  several: {
    use: use("test_input_required_result_multiple_inputs"),
    asks: ["elicitation/create form", "roots/list", "sampling/createMessage"],
    tells: "Anni Albers Gunta Stölzl, with 1 root(s).",
  },
  pageFirst: {
    use: use("test_url_elicitation_required"),
    asks: ["elicitation/create url"],
    tells: "The account is connected.",
  },
  slow: use("test_wait", { ms: 60_000 }),
  watched: "test://watched-resource",
  touch: { use: use("test_touch_watched_resource"), goesOn: false },
  changeLists: {
    use: use("test_change_lists"),
    sends: [
      "notifications/tools/list_changed",
      "notifications/prompts/list_changed",
      "notifications/resources/list_changed",
    ],
  },
  resource: "test://static-binary",
  prompt: { name: "test_prompt_with_arguments", arguments: { arg1: "warp", arg2: "weft" } },
  completion: {
    ref: { type: "ref/prompt", name: "test_prompt_with_arguments" },
    argument: { name: "arg1", value: "pa" },
  },
  completed: ["paris", "parma"],
  unknownTool: "error",
};

const { pageFirst: _, ...withoutPageFirst } = FIXTURE_TARGET;

/** The fixture server of 2026-07-28, which has no error -32042. */
export const MODERN_TARGET: Target = withoutPageFirst;

/** The npm package server-everything, which has nothing that asks twice. */
export const REFERENCE_TARGET: Target = {
  lists: {
    tools: ["echo", "get-sum"],
    prompts: ["simple-prompt", "args-prompt"],
    resources: ["demo://resource/static/document/features.md"],
    templates: ["demo://resource/dynamic/text/{resourceId}"],
  },
  echo: REFERENCE.echo,
  progress: REFERENCE.progress,
  progressSteps: REFERENCE.progressSteps,
  lastStepWithResult: true,
  log: { use: REFERENCE.log, goesOn: true },
  form: {
    use: REFERENCE.elicit,
    asks: ["elicitation/create form"],
    tells: "Gunta Stölzl",
  },
  url: {
    use: use("trigger-url-elicitation", { url: "https://example.com/connect" }),
    asks: ["elicitation/create url"],
    tells: "User completed the URL elicitation flow",
  },
  sampling: {
    use: REFERENCE.sample,
    asks: ["sampling/createMessage"],
    tells: "Anni Albers",
  },
  roots: { use: use("get-roots-list"), asks: ["roots/list"], tells: "file:///projects/loom" },
  pageFirst: {
    use: use("trigger-url-elicitation", { url: "https://example.com/connect", errorPath: true }),
    asks: ["elicitation/create url"],
    tells: "User completed the URL elicitation flow",
  },
  slow: use("trigger-long-running-operation", { duration: 60, steps: 600 }),
  watched: REFERENCE.watched,
  touch: { use: REFERENCE.touch, goesOn: true },
  changeLists: { use: REFERENCE.changeLists, sends: REFERENCE.listChanges },
  resource: REFERENCE.resource,
  prompt: REFERENCE.prompt,
  completion: REFERENCE.completion,
  completed: REFERENCE.completed,
  unknownTool: "result",
};
