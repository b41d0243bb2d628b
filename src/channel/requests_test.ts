import { assertEquals } from "@std/assert";
import { NEVER_ABORTED } from "../http/mod.ts";
import { Exchange, type Key, keyOf, readBody, type RpcText, textAt } from "../rpc/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { Requests } from "./requests.ts";

function message(value: Record<string, unknown>): RpcText {
  return readBody(JSON.stringify({ jsonrpc: "2.0", ...value }))!.messages[0]!;
}

/** Requests with these ids, each of an exchange of its own, or all of one. */
function asking(ids: readonly unknown[], together = false) {
  const requests = new Requests();
  const groups = together ? [ids] : ids.map((id) => [id]);
  const exchanges = groups.map((group) => {
    const asked = group.map((id) => message({ id, method: "tools/call" }));
    const named = asked.map((one): [Key, string] => {
      const idText = textAt(one, ["id"])!;
      return [keyOf(idText)!, idText];
    });
    const client = new AbortController();
    const exchange = new Exchange({
      clock: new ManualClock(),
      batch: together,
      asked: new Map(named),
      ready: [],
      firstMessageMs: 1_000,
      signal: together ? NEVER_ABORTED : client.signal,
      openBody: () => {
        throw new Error("nothing is told here");
      },
      onTimeout: () => {},
    });
    for (const [at, one] of asked.entries()) requests.add(named[at]![0], one, exchange);
    return { exchange, leave: () => client.abort() };
  });
  return { requests, exchanges };
}

Deno.test("Requests.takeAnswered() finds a response by its id, once", () => {
  const { requests, exchanges } = asking([1, "1"]);
  const response = message({ id: "1", result: {} });
  const answered = requests.takeAnswered(response)!;
  assertEquals([answered.exchange === exchanges[1]!.exchange, answered.key], [true, "s1"]);
  assertEquals(answered.text, response.text);
  assertEquals([requests.takeAnswered(response), requests.size], [undefined, 1]);
});

Deno.test("Requests.takeAnswered() gives an error without an id to the only request there is, under its id", () => {
  for (const id of [{}, { id: null }]) {
    const { requests } = asking(["a"]);
    const { key, text } = requests.takeAnswered(message({ ...id, error: { code: -32700 } }))!;
    assertEquals([key, JSON.parse(text)], [
      "sa",
      { jsonrpc: "2.0", id: "a", error: { code: -32700 } },
    ]);
    assertEquals(requests.size, 0);
  }
});

Deno.test("Requests.takeAnswered() gives it to nobody where there are several, nobody waits, or it is a result", () => {
  const error = message({ error: { code: -32700 } });
  assertEquals(asking([1, 2]).requests.takeAnswered(error), undefined);
  assertEquals(asking([1, 2], true).requests.takeAnswered(error), undefined);
  const left = asking([1]);
  left.exchanges[0]!.leave();
  assertEquals(left.requests.takeAnswered(error), undefined);
  assertEquals(asking([1]).requests.takeAnswered(message({ result: {} })), undefined);
});

Deno.test("Requests.makeRoom() lets those go for which nobody waits, the oldest first, and as many as have to", () => {
  const { requests, exchanges } = asking([1, 2, 3, 4]);
  for (const at of [1, 3]) exchanges[at]!.leave();
  assertEquals(requests.makeRoom(1, 5), true);
  assertEquals(requests.size, 4);
  assertEquals(requests.makeRoom(1, 4), true);
  assertEquals(["n1", "n2", "n3", "n4"].map((key) => requests.has(key)), [true, false, true, true]);
  assertEquals(requests.makeRoom(2, 3), false);
});
