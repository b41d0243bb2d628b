/**
 * To whom goes what the server asks: 2025-11-25 basic/transports, "Sending Messages to the Server", 6.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { MemoryEventLog } from "../event_log/mod.ts";
import { LiveStreams, SessionStreams, StreamTally } from "../relay/mod.ts";
import * as testing from "../testing/channel.ts";
import * as relay from "../testing/relay.ts";
import * as share from "../testing/share.ts";

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

  Deno.test(`${where} session: what the server says goes to a stream that is read, ahead of a newer one that is kept (R57)`, async () => {
    const fake = new FakeChannels({ shared });
    const { client, channel } = await fake.join();
    const older = sourceReader((await client.listen()).body);
    const { body } = await client.listen();
    const newer = sourceReader(body);
    body.attend!(false);
    const answering = [client.ask(1), client.ask(2)];
    channel.say(ASK);
    channel.say(CHANGED);
    await older.readAll();
    assertEquals(messagesIn(older), [ASK, CHANGED]);
    // Its client has come back.
    body.attend!(true);
    channel.say(CHANGED);
    await newer.readAll();
    assertEquals(messagesIn(newer), [CHANGED]);
    for (const id of [1, 2]) channel.say({ jsonrpc: "2.0", id, result: {} });
    for (const answer of await Promise.all(answering)) assertEquals(answer.kind, "json");
  });

  Deno.test(`${where} session: where the client of GET has gone, what the server says goes to who waits for an answer`, async () => {
    const fake = new FakeChannels({ shared });
    const { client, channel } = await fake.join();
    const kept = await client.listen();
    const stream = kept.body;
    stream.attend!(false);
    const [older, newer] = [client.ask(1), client.ask(2)];
    channel.say(ASK);
    channel.say(CHANGED);
    const readers = [sourceReader((await older).body), sourceReader((await newer).body)];
    for (const id of [1, 2]) channel.say({ jsonrpc: "2.0", id, result: {} });
    for (const reader of readers) await reader.readAll();
    assertEquals(readers.map((reader) => messagesIn(reader)[0]), [CHANGED, ASK]);
    // Nobody is there any more: it is kept for who comes back.
    channel.say(CHANGED);
    const reader = sourceReader(stream);
    await reader.readAll();
    assertEquals(messagesIn(reader), [CHANGED]);
  });

  Deno.test(`${where} session: where the client of the only one in flight has gone, a request goes to GET that is read`, async () => {
    const fake = new FakeChannels({ shared });
    const { client, channel } = await fake.join();
    const answering = client.ask(1, "tools/call", { _meta: { progressToken: 3 } });
    const params = { progressToken: 3, progress: 1 };
    channel.say({ jsonrpc: "2.0", method: "notifications/progress", params });
    (await answering).body.attend!(false);
    const listening = sourceReader((await client.listen()).body);
    channel.say(ASK);
    await listening.readAll();
    assertEquals(messagesIn(listening), [ASK]);
  });
}

Deno.test("R57 a GET stream that the relay keeps without its client takes nothing that somebody else can be told", async () => {
  const fake = new FakeChannels();
  const { clock } = fake;
  const { client, channel } = await fake.join();
  const limits = {
    clock,
    maxEventBytes: 1_000,
    keepAliveMs: 0,
    resumeWindowMs: 1_000,
    maxAheadBytes: 1_000,
    maxAheadEvents: 100,
  };
  const backOff = { attempts: 1, initialDelayMs: 1, maxDelayMs: 1, maxSilentMs: 60_000 };
  const streams = new SessionStreams({
    log: new MemoryEventLog(clock, relay.ROOMY_LOG),
    limits,
    clock,
    backOff,
    live: new LiveStreams(10),
    session: "s",
    tally: new StreamTally({ bytesOut: 0, events: 0, streams: 0 }, clock),
  });
  const attachment = streams.open({
    body: (await client.listen()).body,
    requestIds: [],
    clientPolls: false,
    listen: () => Promise.reject(new Error("it is not opened again")),
    onSessionGone: () => {},
  });
  attachment.discard();
  const [older, newer] = [client.ask(1), client.ask(2)];
  channel.say(ASK);
  const reader = sourceReader((await newer).body);
  for (const id of [1, 2]) channel.say({ jsonrpc: "2.0", id, result: {} });
  await reader.readAll();
  assertEquals(messagesIn(reader)[0], ASK);
  assertEquals((await older).kind, "json");
  streams.close();
});
