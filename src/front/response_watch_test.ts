import { assertEquals } from "@std/assert";
import { openAnswer } from "../testing/upstream_answer.ts";
import { type Result, resultOf, watchResult } from "./response_watch.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{"a":"ä"}}';

Deno.test("resultOf() is the object of a response, and of nothing else", () => {
  assertEquals(resultOf(RESULT), { a: "ä" });
  for (
    const text of [
      "",
      "null",
      "[]",
      '"result"',
      '{"result":1}',
      '{"result":null}',
      '{"result"',
      "{}",
    ]
  ) assertEquals(resultOf(text), undefined, text);
  assertEquals(resultOf('{"error":{"code":1,"message":"\\"result\\""}}'), undefined);
});

Deno.test("watchResult() tells of a JSON result once it is whole, and leaves the bytes alone", async () => {
  const told: Result[] = [];
  const open = openAnswer();
  watchResult(open.answer, (result) => told.push(result));
  const bytes = new TextEncoder().encode(RESULT);
  const middle = RESULT.indexOf("ä") + 1;
  open.body.push(bytes.slice(0, middle));
  open.body.push(bytes.slice(middle));
  assertEquals(told, []);
  open.body.finish();
  assertEquals(told, [{ a: "ä" }]);
  assertEquals(await open.body.bytesWithin(1_000), bytes);
});

Deno.test("watchResult() tells of a result in a stream as it goes by, whatever is beside it", () => {
  const told: Result[] = [];
  const open = openAnswer({ kind: "sse" });
  watchResult(open.answer, (result) => told.push(result));
  open.push('data: {"method":"x"}\n\n: a comment\n\ndata: ' + RESULT + "\n");
  assertEquals(told, []);
  open.push("\n");
  assertEquals(told, [{ a: "ä" }]);
});

Deno.test("watchResult() tells nothing of an error, of half an answer, of one over 1 MiB", () => {
  const told: Result[] = [];
  for (
    const text of [
      '{"id":1,"error":{"code":1,"message":"result"}}',
      RESULT.slice(0, -1),
      `${" ".repeat(1_048_577)}${RESULT}`,
    ]
  ) {
    const open = openAnswer();
    watchResult(open.answer, (result) => told.push(result));
    for (let at = 0; at < text.length; at += 65_536) open.push(text.slice(at, at + 65_536));
    open.body.discard();
  }
  assertEquals(told, []);
});
