import { assert, assertEquals } from "@std/assert";
import {
  entry,
  errorOf,
  interceptContext,
  messageOf as message,
  pipelineUnderTest as pipeline,
} from "../testing/intercept.ts";
import { MAX_MESSAGE_DEPTH } from "./codec.ts";
import type { JsonRpcMessage } from "./types.ts";

const REQUEST = '{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"n":1.0}}';
const NOTE = '{"jsonrpc":"2.0","method":"notifications/x"}';

const CONTEXT = interceptContext();

const RUBBISH: readonly unknown[] = [
  null,
  1,
  "pass",
  [],
  {},
  { pass: true },
  { drop: 1 },
  { drop: "" },
  { replace: null },
  { replace: 1 },
  { replace: [] },
  { replace: {} },
  { replace: { jsonrpc: "2.0", method: "m", params: { f() {} } } },
  { replace: { jsonrpc: "2.0", method: "m", params: { at: new Date() } } },
  { replace: { jsonrpc: "2.0", method: "m", params: { n: NaN } } },
  { replace: { jsonrpc: "2.0", method: "m", params: { n: 1n } } },
  { replace: { jsonrpc: "2.0", method: "m", params: [undefined] } },
  { drop: "a", replace: {} },
  { answer: { result: {} } },
  { expand: [] },
];

Deno.test("R48 rubbish is an error that names the interceptor and says what it may return", () => {
  for (const verdict of RUBBISH) {
    const { clientMessage, log } = pipeline(entry({ clientMessage: () => verdict as never }));
    assertEquals(clientMessage(message(NOTE), CONTEXT), { kind: "drop" });
    const [[level, , fields]] = log.lines as [[string, string, Record<string, unknown>]];
    assertEquals([level, fields.interceptor, fields.hook], ["warn", "x", "clientMessage"]);
    assert(typeof fields.why === "string" && fields.why.length > 20, String(fields.why));
  }
  for (const answer of [{}, 1, { result: undefined }, { error: {} }, { result: 1, error: 1 }]) {
    const { clientMessage, log } = pipeline(entry({ clientMessage: () => ({ answer } as never) }));
    const outcome = clientMessage(message(REQUEST), CONTEXT) as { message: JsonRpcMessage };
    assertEquals(errorOf(outcome.message), ["9007199254740993", -31500]);
    assertEquals(log.lines.length, 1);
  }
});

Deno.test("R26 what an interceptor makes is nested no deeper than what it is shown", () => {
  const made = (depth: number) => {
    let params: Record<string, unknown> = {};
    for (let n = 0; n < depth; n++) params = { params };
    const replace = { jsonrpc: "2.0", method: "m", params };
    const { clientMessage, log } = pipeline(entry({ clientMessage: () => ({ replace }) }));
    clientMessage(message(NOTE), CONTEXT);
    return log.lines.map(([, , { why }]) => why);
  };
  assertEquals(made(MAX_MESSAGE_DEPTH - 2), []);
  assertEquals(made(MAX_MESSAGE_DEPTH - 1), ["gave a value nested more than 512 deep"]);
});

Deno.test("R48 rubbish that refers to itself, or throws when it is read, is an error too", async () => {
  const circle: Record<string, unknown> = { jsonrpc: "2.0", method: "m" };
  circle.params = circle;
  const trap = {
    get replace() {
      throw new Error("trap");
    },
  };
  const thenable = {
    get then() {
      throw new Error("trap");
    },
  };
  for (const verdict of [{ replace: circle }, trap, thenable]) {
    for (const given of [verdict, Promise.resolve(verdict === thenable ? trap : verdict)]) {
      const { clientMessage, log } = pipeline(entry({ clientMessage: () => given as never }));
      assertEquals(await clientMessage(message(NOTE), CONTEXT), { kind: "drop" });
      assertEquals(log.lines.length, 1);
    }
  }
});
