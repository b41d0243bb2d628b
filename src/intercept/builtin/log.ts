/**
 * Logs that a message passed: what kind, which method, how large. No contents, no ids (R96).
 *
 * @module
 */

import { z } from "zod";
import { methodForLog } from "../../json/mod.ts";
import { stringifyMessage } from "../codec.ts";
import type { BuiltinDeps } from "../deps.ts";
import { hasId, kindOf } from "../message.ts";
import type { InterceptContext, Interceptor, JsonRpcMessage } from "../types.ts";

/** Options of `log`. */
export const logOptions = z.strictObject({
  direction: z.enum(["both", "client", "server"], { error: "both, client or server" })
    .default("both").describe("Whose messages are logged."),
});

/** Options of `log`, filled in. */
export type LogOptions = z.output<typeof logOptions>;

/** An interceptor that logs each message, where lines of its level are written at all. */
export function createLog({ direction }: LogOptions, deps?: Pick<BuiltinDeps, "log">): Interceptor {
  const isWritten = deps?.log.enabled("info") ?? true;
  const write = (from: "client" | "server") => (message: JsonRpcMessage, ctx: InterceptContext) => {
    if (!isWritten) return;
    ctx.log({
      from,
      kind: kindOf(message),
      method: methodForLog(Object.hasOwn(message, "method") ? message.method : ctx.method),
      id: idKind(message),
      outcome: outcomeOf(message),
      characters: stringifyMessage(message).length,
    });
  };
  return {
    name: "log",
    ...(direction === "server" ? {} : { clientMessage: write("client") }),
    ...(direction === "client" ? {} : { serverMessage: write("server") }),
  };
}

function idKind(message: JsonRpcMessage): string | undefined {
  if (!hasId(message)) return undefined;
  return typeof message.id === "string" ? "string" : message.id === null ? "null" : "number";
}

function outcomeOf(message: JsonRpcMessage): string | undefined {
  if (kindOf(message) !== "response") return undefined;
  return Object.hasOwn(message, "error") ? "error" : "result";
}
