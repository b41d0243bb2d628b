import { assertEquals } from "@std/assert";
import { readBody } from "../rpc/mod.ts";
import { cancellation, CANCELLED, cancelledIds } from "./cancellation.ts";

Deno.test("cancellation() names a request by the very text of its id", () => {
  const text = cancellation('"a\\u0062"', 'It is "over".');
  assertEquals(cancelledIds(readBody(text)!), ['"a\\u0062"']);
  assertEquals(JSON.parse(text), {
    jsonrpc: "2.0",
    method: CANCELLED,
    params: { requestId: "ab", reason: 'It is "over".' },
  });
});

Deno.test("cancelledIds() are those of the cancellations in a batch that name a request", () => {
  const body = [
    { jsonrpc: "2.0", method: CANCELLED, params: { requestId: 1 } },
    { jsonrpc: "2.0", id: 2, method: "ping", params: { requestId: 3 } },
    { jsonrpc: "2.0", method: CANCELLED },
    { jsonrpc: "2.0", method: CANCELLED, params: { requestId: "4" } },
  ];
  assertEquals(cancelledIds(readBody(JSON.stringify(body))!), ["1", '"4"']);
});
