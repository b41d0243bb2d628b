import { assertEquals } from "@std/assert";
import { seededRandom as seeded } from "../http1/fuzz_cases.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import * as share from "../testing/share.ts";
import { sharedUpstream } from "./mod.ts";

const { eventOf, FakeServer, messagesIn, SharedClient, sharedOptions } = share;

const MEMBERS = 100;
const REQUESTS = 100;

Deno.test("R78 100 clients with 100 requests each in flight, equal ids and tokens: 0 misrouted", async () => {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const shared = sharedUpstream(server, sharedOptions(clock, { maxServerRequests: REQUESTS }));
  const clients = await Promise.all(
    Array.from(
      { length: MEMBERS },
      () => SharedClient.join(shared, { capabilities: { roots: {} } }),
    ),
  );
  const held: { call: share.FakeCall; give: (answer: ReturnType<typeof server.json>) => void }[] =
    [];
  server.script = (call) => {
    if (call.message.method !== "tools/call") return undefined;
    const { promise, resolve } = Promise.withResolvers<ReturnType<typeof server.json>>();
    held.push({ call, give: resolve });
    return promise;
  };
  const reading = clients.flatMap((client, member) =>
    Array.from({ length: REQUESTS }, async (_, id) => {
      // Half of the ids are strings, all of them the same for every client.
      const name = id % 2 === 0 ? id : `${id}`;
      const params = { _meta: { progressToken: name }, asker: `${member}/${id}` };
      const { body, kind } = await client.exchange({
        jsonrpc: "2.0",
        id: name,
        method: "tools/call",
        params,
      });
      const text = await share.textOf(body);
      return { kind, text, name, asker: params.asker, client };
    })
  );
  await relay.settled();
  assertEquals([held.length, shared.stats().inFlight], [10_000, 10_000]);
  const upstreamIds = new Set(held.map(({ call }) => JSON.stringify(call.message.id)));
  assertEquals(upstreamIds.size, 10_000);

  const random = seeded(20_260_731);
  for (let at = held.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [held[at], held[other]] = [held[other]!, held[at]!];
  }
  for (const [at, { call: { message: { id, params } }, give }] of held.entries()) {
    const { asker, _meta } = params!;
    const response = { jsonrpc: "2.0", id, result: { asker } };
    if (at % 3 === 0) {
      give(server.json(response));
      continue;
    }
    const { answer, filled } = server.events();
    const progressToken = _meta!.progressToken;
    filled.send(eventOf({
      jsonrpc: "2.0",
      method: "notifications/progress",
      params: { progressToken, message: asker },
    }));
    filled.send(eventOf({ jsonrpc: "2.0", id: at, method: "roots/list", params: { asker } }));
    filled.send(eventOf(response));
    filled.body.finish();
    give(answer);
  }

  const asked = new Map<share.SharedClient, { id: unknown; asker: unknown }[]>();
  for (const { kind, text, name, asker, client } of await Promise.all(reading)) {
    if (kind === "json") {
      assertEquals(JSON.parse(text), { jsonrpc: "2.0", id: name, result: { asker } });
      continue;
    }
    const stream = relay.sourceReader(server.json(text).body);
    await stream.readAll();
    const [progress, question, response] = messagesIn(stream);
    assertEquals(progress!.params, { progressToken: name, message: asker });
    assertEquals(question!.params, { asker });
    assertEquals(response, { jsonrpc: "2.0", id: name, result: { asker } });
    asked.set(client, [...asked.get(client) ?? [], { id: question!.id, asker }]);
  }

  // What each answers goes to the request that it was asked.
  server.script = () => undefined;
  const expected = new Map<unknown, unknown>();
  for (const [at, { call }] of held.entries()) {
    if (at % 3 !== 0) expected.set(at, call.message.params!.asker);
  }
  for (const [client, questions] of asked) {
    for (const { id, asker } of questions) {
      await client.notify({ jsonrpc: "2.0", id, result: { asker } });
    }
  }
  let misrouted = 0;
  const answered = server.calls.filter(({ message }) => message.result !== undefined);
  for (const { message: { id, result } } of answered) {
    if ((result as { asker: unknown }).asker !== expected.get(id)) misrouted++;
  }
  assertEquals([misrouted, answered.length], [0, expected.size]);
  assertEquals(shared.stats().inFlight, 0);
  await shared.close();
});
