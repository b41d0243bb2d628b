import { assertEquals } from "@std/assert";
import type { UpstreamAnswer } from "../../upstream/mod.ts";
import { ModernFake } from "../../testing/bridge.ts";
import { settled } from "../../testing/relay.ts";
import { eventOf, textOf } from "../../testing/share.ts";

const METHODS = [
  "tools/list",
  "tools/call",
  "prompts/get",
  "resources/read",
  "subscriptions/listen",
  "resources/subscribe",
  "x/y",
];
const STATUSES = [200, 200, 200, 400, 404, 405, 500];
const ATOMS = [
  null,
  1,
  "x",
  true,
  "input_required",
  "complete",
  "__proto__",
  -32020,
  -32601,
  1e300,
];
const KEYS = [
  ..."jsonrpc id method params result error code message data uri name type".split(" "),
  ..."_meta resultType inputRequests requestState notifications supportedVersions".split(" "),
  ..."capabilities tools inputSchema properties x-mcp-header __proto__".split(" "),
];

/** What a server could say, the same in every run. */
class Junk {
  #seed = 7;

  below(count: number): number {
    this.#seed = (this.#seed * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return this.#seed % count;
  }

  value(depth: number): unknown {
    const kind = this.below(4);
    if (depth === 0 || kind === 0) return ATOMS[this.below(ATOMS.length)];
    const some = Array.from({ length: this.below(5) }, () => this.value(depth - 1));
    if (kind === 1) return some;
    return Object.fromEntries(some.map((one) => [KEYS[this.below(KEYS.length)], one]));
  }

  response(id: unknown): unknown {
    if (this.below(3) === 0) return this.value(4);
    const said = this.below(2) === 0 ? { result: this.value(4) } : { error: this.value(2) };
    return { jsonrpc: "2.0", id, ...said };
  }

  answer({ server }: ModernFake, id: unknown): UpstreamAnswer {
    if (this.below(2) === 0) {
      return server.json(this.below(9) === 0 ? "{" : this.response(id), STATUSES[this.below(7)]);
    }
    const { answer, filled } = server.events();
    const method = "notifications/subscriptions/acknowledged";
    for (let left = this.below(3); left > 0; left--) filled.send(eventOf(this.value(3) ?? "{"));
    if (this.below(2) === 0) {
      filled.send(eventOf({ jsonrpc: "2.0", method, params: this.value(2) }));
    }
    if (this.below(2) === 0) filled.send(eventOf(this.response(id)));
    filled.body.finish();
    return answer;
  }
}

Deno.test("whatever a server says, every request is answered and nothing is left behind", async () => {
  const junk = new Junk();
  for (let run = 0; run < 300; run++) {
    const fake = new ModernFake();
    const client = await fake.join({ capabilities: { elicitation: {}, roots: {}, sampling: {} } });
    for (const method of [...METHODS, "server/discover"]) {
      fake.answers[method] = ({ message: { id } }) => junk.answer(fake, id);
    }
    const asks = METHODS.map(async (method, id) => {
      const params = { name: "t", uri: "a:", arguments: {} };
      const { body } = await client.exchange({ jsonrpc: "2.0", id, method, params });
      return await textOf(body);
    });
    const others = [client.listen(), fake.join()].map((one) => one.catch(() => {}));
    for (let waited = 0; waited < 10; waited++) {
      await settled();
      fake.clock.advance(10_000);
    }
    for (const text of await Promise.all(asks)) assertEquals(text === "", false);
    await Promise.all(others);
    await fake.bridge.close();
    await settled();
    fake.clock.advance(2_000);
    await settled();
    const { inFlight, questions, waiting } = fake.bridge.stats();
    assertEquals([inFlight, questions, waiting, fake.clock.timers], [0, 0, 0, 0]);
  }
});
