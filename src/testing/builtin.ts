/**
 * Built-in interceptors in tests: made of their options, called with texts.
 *
 * @module
 */

import {
  builtins,
  createPipeline,
  type InterceptContext,
  type LineWriter,
  parseMessages,
} from "../intercept/mod.ts";
import { interceptContext, keptLog } from "./intercept.ts";
import { ManualClock } from "./manual_clock.ts";

/** A built-in interceptor in a pipeline of its own, with a clock and the lines it wrote. */
export function builtinUnderTest(name: keyof typeof builtins, options: unknown = {}) {
  const clock = new ManualClock();
  const log = keptLog();
  const lines: string[] = [];
  const openLines = (): LineWriter => ({
    write: (line) => void lines.push(line),
    close: () => Promise.resolve(void lines.push("(closed)")),
  });
  const interceptor = builtins[name].create(options, { clock, log, openLines });
  const pipeline = createPipeline([{ interceptor, timeoutMs: 1, onError: "fail" }], { clock, log });
  const contextOf = (changes: Partial<InterceptContext>) => interceptContext(changes);
  return {
    clock,
    log,
    lines,
    pipeline,
    /** What becomes of a message of the client: `same`, `drop`, what is sent, or what is answered. */
    client(message: object, changes: Partial<InterceptContext> = {}): unknown {
      const outcome = pipeline.clientMessage(frozen(message), contextOf(changes));
      if (outcome instanceof Promise) throw new Error("a built-in interceptor made a promise");
      if (outcome.kind === "drop") return "drop";
      if (outcome.kind === "answer") return { answer: plain(outcome.message) };
      return outcome.changed ? plain(outcome.message) : "same";
    },
    /** What becomes of a message of the server: `same`, or what the client gets. */
    server(message: object, changes: Partial<InterceptContext> = {}): unknown {
      const outcome = pipeline.serverMessage(frozen(message), contextOf(changes));
      if (outcome instanceof Promise) throw new Error("a built-in interceptor made a promise");
      return outcome.changed ? outcome.messages.map(plain) : "same";
    },
  };
}

function frozen(message: object) {
  return parseMessages(JSON.stringify({ jsonrpc: "2.0", ...message })).messages[0]!;
}

/** A message without its `jsonrpc`, for shorter tests. */
function plain(message: object): unknown {
  const { jsonrpc: _, ...rest } = JSON.parse(JSON.stringify(message));
  return rest;
}
