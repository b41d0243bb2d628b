/**
 * The two session-era servers the table of cases runs against: for each thing a case needs, the
 * tool or name this server has for it.
 *
 * @module
 */

import type { Answers, CompletionParams, ToolUse } from "./session_client.ts";

/** A server and how to get it to do what a case is about. */
export interface SessionTarget {
  /** Answers the same every time. */
  readonly fixed: ToolUse;
  /** Answers with a text that contains `value`. */
  readonly echo: (value: string) => ToolUse;
  readonly progress: ToolUse;
  /** The values of `progress` it reports, in order. */
  readonly progressSteps: readonly number[];
  /** Logs at least one line once the level is debug. */
  readonly log: ToolUse;
  readonly sample: ToolUse;
  readonly elicit: ToolUse;
  /** Takes longer than a test. */
  readonly slow: ToolUse;
  readonly watched: string;
  /** Makes the server say that `watched` changed. */
  readonly touch: ToolUse;
  /** Makes the server say that lists changed, and which notifications it sends. */
  readonly changeLists: ToolUse;
  readonly listChanges: readonly string[];
  readonly prompt: { readonly name: string; readonly arguments: Record<string, string> };
  readonly resource: string;
  readonly completion: CompletionParams;
  readonly completed: readonly string[];
  readonly answers: Answers;
}

function use(name: string, args: Record<string, unknown> = {}): ToolUse {
  return { name, arguments: args };
}

const ROOTS = [{ uri: "file:///projects/loom", name: "Loom" }];

/** The npm package server-everything. */
export const REFERENCE: SessionTarget = {
  fixed: use("get-sum", { a: 19, b: 23 }),
  echo: (message) => use("echo", { message }),
  progress: use("trigger-long-running-operation", { duration: 0.2, steps: 4 }),
  progressSteps: [1, 2, 3, 4],
  log: use("toggle-simulated-logging"),
  sample: use("trigger-sampling-request", { prompt: "Name a weaver." }),
  elicit: use("trigger-elicitation-request"),
  slow: use("trigger-long-running-operation", { duration: 60, steps: 2 }),
  watched: "demo://resource/static/document/features.md",
  touch: use("toggle-subscriber-updates"),
  changeLists: use("gzip-file-as-resource", { name: "a.gz", data: "data:text/plain,abc" }),
  listChanges: ["notifications/resources/list_changed"],
  prompt: { name: "args-prompt", arguments: { city: "Ghent", state: "Flanders" } },
  resource: "demo://resource/static/document/startup.md",
  completion: {
    ref: { type: "ref/prompt", name: "completable-prompt" },
    argument: { name: "department", value: "S" },
  },
  completed: ["Sales", "Support"],
  answers: { sampled: "Anni Albers", elicited: { name: "Gunta Stölzl" }, roots: ROOTS },
};

/** `conformance/servers/session.ts`. */
export const FIXTURE: SessionTarget = {
  fixed: use("test_multiple_content_types"),
  echo: (message) => use("test_echo", { message }),
  progress: use("test_tool_with_progress"),
  progressSteps: [0, 50, 100],
  log: use("test_tool_with_logging"),
  sample: use("test_sampling", { prompt: "Name a weaver." }),
  elicit: use("test_elicitation", { message: "Who are you?" }),
  slow: use("test_wait", { ms: 60_000 }),
  watched: "test://watched-resource",
  touch: use("test_touch_watched_resource"),
  changeLists: use("test_change_lists"),
  listChanges: [
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
  ],
  prompt: { name: "test_prompt_with_arguments", arguments: { arg1: "warp", arg2: "weft" } },
  resource: "test://static-binary",
  completion: {
    ref: { type: "ref/prompt", name: "test_prompt_with_arguments" },
    argument: { name: "arg1", value: "pa" },
  },
  completed: ["paris", "parma"],
  answers: { sampled: "Anni Albers", elicited: { response: "Gunta Stölzl" }, roots: ROOTS },
};
