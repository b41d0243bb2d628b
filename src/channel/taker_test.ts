/**
 * To whom goes what the server asks: 2025-11-25 basic/transports, "Sending Messages to the Server", 6.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { channel as testing, relay, share } from "../testing/mod.ts";

const { FakeChannels } = testing;
const { sourceReader } = relay;
const { messagesIn } = share;

const ASK = { jsonrpc: "2.0", id: 9, method: "elicitation/create", params: {} };
const CHANGED = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };

for (const shared of [false, true]) {
  const where = shared ? "a shared" : "an own";

  Deno.test(`${where} session: a request of the server goes to the only one in flight, also beside GET, a notification to GET`, async () => {
    const fake = new FakeChannels({ shared });
    const { client, channel } = await fake.join();
    // Its client may have left: the proxy keeps the stream for one that comes back (R57).
    const listening = sourceReader((await client.listen()).body);
    const answering = client.ask(1);
    channel.say(CHANGED);
    channel.say(ASK);
    channel.answer("tools/call");
    const reader = sourceReader((await answering).body);
    await reader.readAll();
    await listening.readAll();
    assertEquals(messagesIn(reader).map(({ method, id }) => method ?? id), [ASK.method, 1]);
    assertEquals(messagesIn(listening), [CHANGED]);
  });

  Deno.test(`${where} session: with several in flight a request of the server goes to the newest GET stream`, async () => {
    const fake = new FakeChannels({ shared });
    const { client, channel } = await fake.join();
    const streams = [await client.listen(), await client.listen()]
      .map(({ body }) => sourceReader(body));
    const answering = [client.ask(1), client.ask(2)];
    channel.say(ASK);
    for (const id of [1, 2]) channel.say({ jsonrpc: "2.0", id, result: {} });
    for (const answer of await Promise.all(answering)) assertEquals(answer.kind, "json");
    for (const stream of streams) await stream.readAll();
    assertEquals(streams.map(messagesIn), [[], [ASK]]);
  });

  Deno.test(`${where} session: with several in flight and no GET a request of the server goes to the newest, whose client is there`, async () => {
    const fake = new FakeChannels({ shared });
    const { client, channel } = await fake.join();
    // Its client may have gone, which nobody says here of one that may come back (R54).
    const older = client.ask(1);
    const newer = client.ask(2);
    const gone = client.ask(3, "tools/call", { _meta: { progressToken: 3 } });
    const progress = { progressToken: 3, progress: 1 };
    channel.say({ jsonrpc: "2.0", method: "notifications/progress", params: progress });
    (await gone).body.discard();
    channel.say(ASK);
    const reader = sourceReader((await newer).body);
    for (const id of [1, 2]) channel.say({ jsonrpc: "2.0", id, result: {} });
    await reader.readAll();
    assertEquals(messagesIn(reader).map(({ method, id }) => method ?? id), [ASK.method, 2]);
    assertEquals((await older).kind, "json");
  });
}
