import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { NEVER_ABORTED } from "../http/mod.ts";
import { openAnswer, wholeAnswer } from "../testing/upstream_answer.ts";
import { firstResult } from "./first_result.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{"a":1}}';
const ERROR = '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}';
const NOTE = '{"jsonrpc":"2.0","method":"notifications/message","params":{"result":1}}';

Deno.test("firstResult() reads a result from JSON, however it comes in pieces", async () => {
  const answer = wholeAnswer({}, RESULT.slice(0, 9), RESULT.slice(9));
  assertEquals(await firstResult(answer, NEVER_ABORTED), { a: 1 });
});

Deno.test("firstResult() has none of an error, of no JSON, of another status", async () => {
  for (const text of [ERROR, "", "null", '{"result"', '{"result":null}', '{"result":7}']) {
    assertEquals(await firstResult(wholeAnswer({}, text), NEVER_ABORTED), undefined, text);
  }
  for (const status of [201, 202, 400, 500]) {
    const { answer, isGivenUp } = openAnswer({ status }, RESULT);
    assertEquals([await firstResult(answer, NEVER_ABORTED), isGivenUp], [undefined, false]);
  }
  assertEquals(await firstResult(wholeAnswer({ kind: "other" }, RESULT), NEVER_ABORTED), undefined);
});

Deno.test("firstResult() reads a stream up to its result and gives the rest up", async () => {
  const open = openAnswer({ kind: "sse" }, `data: ${NOTE}\n\nid: 1\ndata:\n\ndata: ${RESULT}\n\n`);
  assertEquals(await firstResult(open.answer, NEVER_ABORTED), { a: 1 });
  assertEquals(open.isGivenUp, true);
  const ended = wholeAnswer({ kind: "sse" }, `data: ${NOTE}\n\ndata: ${ERROR}\n\n`);
  assertEquals(await firstResult(ended, NEVER_ABORTED), undefined);
});

Deno.test("firstResult() reads 1 MiB and no more", async () => {
  const json = openAnswer({}, RESULT + " ".repeat(1_048_576));
  assertEquals(await firstResult(json.answer, NEVER_ABORTED), undefined);
  assertEquals(json.isGivenUp, true);
  const line = " ".repeat(65_530);
  // One event, many events, nothing but comments.
  for (const piece of [`data:${line}\n`, `data:${line}\n\n`, `:${line}\n`]) {
    const sse = openAnswer({ kind: "sse" });
    const reading = firstResult(sse.answer, NEVER_ABORTED);
    for (let at = 0; at < 17; at++) sse.push(piece);
    assertEquals([await reading, sse.isGivenUp], [undefined, true]);
  }
});

Deno.test("firstResult() tells of an answer that breaks off, and of one that takes too long", async () => {
  for (const kind of ["json", "sse"] as const) {
    const broken = openAnswer({ kind });
    const reading = firstResult(broken.answer, NEVER_ABORTED);
    broken.body.fail(new ProxyError("upstream_closed", "It broke."));
    await assertRejects(() => reading, ProxyError, "It broke.");
    const control = new AbortController();
    const silent = openAnswer({ kind }, ":\n");
    const waiting = firstResult(silent.answer, control.signal);
    control.abort();
    await assertRejects(() => waiting, ProxyError);
    assertEquals(silent.isGivenUp, true);
    const late = openAnswer({ kind });
    await assertRejects(() => firstResult(late.answer, AbortSignal.abort()), ProxyError);
  }
});
