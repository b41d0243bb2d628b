import { assertEquals } from "@std/assert";
import { Pending } from "./pending.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function settling(ids: readonly string[], ...data: string[]): number {
  const pending = new Pending(ids);
  for (const text of data) pending.settle(bytes(text));
  return pending.size;
}

Deno.test("R58 a response settles the one request there is, however its id is spelled", () => {
  for (const id of ["1", '"1"', "1.0", "null", "9007199254740993"]) {
    assertEquals(settling(["1"], `{"jsonrpc":"2.0","id":${id},"result":{}}`), 0);
    assertEquals(settling(["1"], `{"jsonrpc":"2.0","id":${id},"error":{"code":1}}`), 0);
  }
});

Deno.test("R24 of several requests a response settles the one with its id", () => {
  const ids = ["1", '"1"', '"a"', "1.5"];
  assertEquals(settling(ids, '{"id":1,"result":{}}'), 3);
  assertEquals(settling(ids, '{"id":"1","result":{}}', '{"id":1,"result":{}}'), 2);
  assertEquals(settling(ids, '{"id":"b","result":{}}', '{"id":15e-1,"result":{}}'), 3);
  assertEquals(settling(ids, '{"id":1,"result":{}}', '{"id":1,"result":{}}'), 3);
});

Deno.test("R29 a batch settles all requests that it answers", () => {
  const batch = '[{"id":1,"result":{}},{"method":"n"},{"id":"a","error":{}},3,null]';
  assertEquals(settling(["1", '"a"', "2"], batch), 1);
});

Deno.test("R47 what is no response settles nothing", () => {
  const others = [
    '{"jsonrpc":"2.0","method":"n","params":{"result":1,"id":1}}',
    '{"method":"ping","id":1}',
    '{"id":1,"method":"sampling/createMessage","params":{"error":1}}',
    '{"id":1,"result":',
    '{"result":{}}',
    '"result"',
    "\xff",
    "",
  ];
  assertEquals(settling(["1"], ...others), 1);
});

Deno.test("a text that begins as a request does and says more is looked into unless the method comes first", () => {
  assertEquals(settling(["1"], '{"jsonrpc":"2.0","id":1,"result":{"method":"x"}}'), 0);
  assertEquals(settling(["1"], '{"jsonrpc":"2.0", "method":"n","params":{"result":1}}'), 1);
});

Deno.test("takeAll() gives the exact texts of what has no answer, once", () => {
  const pending = new Pending(["1", '"a"', '"\\u0061"']);
  pending.settle(bytes('{"id":1,"result":{}}'));
  assertEquals(pending.takeAll(), ['"a"', '"\\u0061"']);
  assertEquals([pending.takeAll(), pending.size], [[], 0]);
});
