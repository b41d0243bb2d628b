/**
 * Requests of 2026-07-28 whose fields or bodies are changed, and what is to come of them: served, or
 * refused for a true reason.
 *
 * @module
 */

import { type MockScript, modernServer } from "../mock/mod.ts";
import {
  type Answer,
  type Call,
  type Context,
  expect,
  expectOneOf,
  type Scenario,
} from "../suite/mod.ts";
import { MARK, reached } from "./probe.ts";

/** The error of 2026-07-28 for fields that are not those of the body. */
export const HEADER_MISMATCH = -32020;

/** The error of JSON-RPC for what is no request. */
export const INVALID_REQUEST = -32600;

/** A modern request whose fields are changed; null leaves one out. */
interface Variant {
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly fields?: Readonly<Record<string, string | null>>;
}

/** Arguments by which `reached` knows a call. */
export const ARGUMENTS = { mark: MARK };

/** The tool that is called. */
export const TOOL = "get weather";

/** A call of that tool. */
export const CALL = { method: "tools/call", params: { name: TOOL, arguments: ARGUMENTS } };

/** The call of a variant. */
export function modernCall(context: Context, variant: Variant): Call {
  const { method = CALL.method, params = CALL.params, fields } = variant;
  const call = context.modern(method, params);
  return { ...call, fields: { ...call.fields, ...fields } };
}

/** Sends each; an intermediary may say why it refuses as it likes (4xx), but only truly. */
export function refusing(
  variants: Readonly<Record<string, Variant>>,
  codes: readonly number[] = [HEADER_MISMATCH],
): Scenario["run"] {
  return async (context) => {
    context.mock.use(modernServer());
    for (const [what, variant] of Object.entries(variants)) {
      expectRefusal(context, await context.send(modernCall(context, variant)), what, codes);
    }
  };
}

/** Fails unless an answer refuses, with one of these codes or none, what never reached the server. */
export function expectRefusal(
  context: Context,
  answer: Answer,
  what: string,
  codes: readonly number[],
): void {
  const { status } = answer;
  expect(status >= 400 && status < 500, `${what} got ${status}, expected 400`);
  const code = codeOf(answer);
  if (code !== undefined) expectOneOf(code, codes, `the error code for ${what}`);
  expect(reached(context).length === 0, `${what} was refused, but reached the server`);
}

/** Sends each; the server has to answer it. */
export function serving(variants: Readonly<Record<string, Variant>>): Scenario["run"] {
  return async (context) => {
    context.mock.use(modernServer({ "prompts/get": done, "resources/read": done }));
    for (const [what, variant] of Object.entries(variants)) {
      const { status, text } = await context.send(modernCall(context, variant));
      expect(status === 200, `${what} got ${status}, expected 200: ${text.slice(0, 200)}`);
    }
  };
}

const done: MockScript = (_, reply) =>
  reply.json({ jsonrpc: "2.0", id: 1, result: { resultType: "complete" } });

/** The code of the error in an answer; undefined where there is none. */
export function codeOf({ message }: Answer): unknown {
  if (typeof message !== "object" || message === null || !("error" in message)) return undefined;
  const { error } = message;
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return error.code;
}

/** The `_meta` that names a version. */
export const version = (value: unknown) => ({ "io.modelcontextprotocol/protocolVersion": value });
