import { assertEquals } from "@std/assert";
import { requestsById } from "./requests_by_id.ts";
import { readBody } from "./text.ts";

/** The keys of those that may go on, and the ids and codes of the errors for the others. */
function sorted(body: unknown, ...inFlight: string[]) {
  const read = readBody(JSON.stringify(body))!;
  const { asked, refused } = requestsById(read, (key) => inFlight.includes(key));
  const errors = refused.values().map((text) => JSON.parse(text));
  return [[...asked.keys()], [...errors.map(({ id, error }) => [id, error.code])]];
}

const ask = (id: unknown) => ({ jsonrpc: "2.0", id, method: "tools/list" });
const answer = (id: unknown) => ({ jsonrpc: "2.0", id, result: {} });

Deno.test("requestsById() finds requests by their ids, and nothing else", () => {
  const told = { jsonrpc: "2.0", method: "notifications/initialized" };
  assertEquals(sorted([ask(1), told, ask("a"), answer(2)]), [["n1", "sa"], []]);
});

Deno.test("requestsById() refuses a request whose id is in flight, or was in the body before", () => {
  const body = [ask(1), ask(2), answer(1), ask(2), ask("2")];
  assertEquals(sorted(body, "n1"), [["n2", "s2"], [[1, -32600], [2, -32600]]]);
});

Deno.test("requestsById() refuses a request whose id is neither a string nor a number", () => {
  assertEquals(sorted(ask(true)), [[], [[true, -32600]]]);
});
