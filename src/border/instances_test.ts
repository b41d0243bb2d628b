/**
 * Several instances of the proxy with one Redis, as processes of their own: sessions and streams go on at
 * whichever a client comes to, also when one is killed.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import * as eventClient from "../testing/event_client.ts";
import { type EventServer, eventServer } from "../testing/event_server.ts";
import * as messages from "../testing/messages.ts";
import { type ProgramInstance, withProgramInstances } from "../testing/program_instances.ts";
import { exchange, postText } from "../testing/raw_client.ts";
import { redisTest, type TestRedis } from "../testing/redis.ts";

/** Two proxies in front of one server of events. */
async function withInstances(
  redis: TestRedis,
  test: (a: ProgramInstance, b: ProgramInstance, upstream: EventServer) => Promise<void>,
): Promise<void> {
  await using upstream = eventServer();
  await withProgramInstances(redis, { url: upstream.url }, (a, b) => test(a, b, upstream));
}

const progress = (step: number) =>
  `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":${step}}}`;
const result = (id: number) => `{"jsonrpc":"2.0","id":${id},"result":{"content":[]}}`;
const event = (data: string, id?: string) =>
  `${id === undefined ? "" : `id: ${id}\n`}data: ${data}\n\n`;

/** The next event with data, without priming events and comments. */
async function nextData(stream: eventClient.ClientStream): Promise<{ id: string; data: string }> {
  for (;;) {
    const next = await stream.next();
    assert(next !== null && next !== "cut", `the stream ended: ${next}`);
    if (next.data) return { id: next.id!, data: next.data };
  }
}

redisTest("a session that began at one instance goes on, and ends, at another", async (redis) => {
  await withInstances(redis, async (a, b, upstream) => {
    const session = await eventClient.openSession(a.origin);
    const fields = { "mcp-session-id": session };
    assertEquals((await postText(b.origin, messages.initialized, fields)).status, 202);
    using stream = await eventClient.listen(b.origin, session);
    const server = await upstream.stream(0);
    assertEquals(server.request.field("mcp-session-id"), "inner");
    const deletion =
      `DELETE /mcp HTTP/1.1\r\nhost: localhost\r\nmcp-session-id: ${session}\r\n\r\n`;
    assertEquals((await exchange(a.origin, deletion)).status, 202);
    // Its end is known, and felt, at the other.
    for (let event = await stream.next(); event !== null && event !== "cut";) {
      event = await stream.next();
    }
    assertEquals((await postText(b.origin, messages.ping(), fields)).status, 404);
    assertEquals((await postText(a.origin, messages.ping(), fields)).status, 404);
  });
});

redisTest("a GET stream at one instance gets what a POST at the other caused", async (redis) => {
  await withInstances(redis, async (a, b, upstream) => {
    const session = await eventClient.openSession(a.origin);
    using stream = await eventClient.listen(a.origin, session);
    const speaking = await upstream.stream(0);
    using call = await eventClient.call(b.origin, session, 7);
    const answering = await upstream.stream(1);
    await speaking.send(event(progress(1)));
    await answering.send(event(result(7)));
    await answering.end();
    assertEquals((await nextData(stream)).data, progress(1));
    assertEquals((await nextData(call)).data, result(7));
  });
});

redisTest("Last-Event-ID at another instance: what was missed, and what comes", async (redis) => {
  await withInstances(redis, async (a, b, upstream) => {
    const session = await eventClient.openSession(a.origin);
    let lastId: string;
    {
      using call = await eventClient.call(a.origin, session, 7);
      const server = await upstream.stream(0);
      await server.send(event(progress(1)) + event(progress(2)));
      lastId = (await nextData(call)).id;
      assertNotEquals((await nextData(call)).id, lastId);
    }
    const server = await upstream.stream(0);
    using rest = await eventClient.listen(b.origin, session, lastId);
    assertEquals((await nextData(rest)).data, progress(2));
    await server.send(event(progress(3)));
    assertEquals((await nextData(rest)).data, progress(3));
    await server.send(event(result(7)));
    await server.end();
    assertEquals((await nextData(rest)).data, result(7));
    assertEquals(await rest.next(), null);
    assertEquals(upstream.streams, 1, "the upstream was asked once");
    // And no event of another session, or of none (R79, R80).
    const other = await eventClient.openSession(b.origin);
    for (const id of [lastId, "AAAAAAAAAAAAAAAAAAAAAA.1"]) {
      using refused = await eventClient.listen(b.origin, other, id);
      assertEquals(refused.status, 400);
    }
  });
});

redisTest(
  "R57 R67 an instance is killed in the middle: the other goes on, nothing lost or doubled",
  async (redis) => {
    await withInstances(redis, async (a, b, upstream) => {
      const session = await eventClient.openSession(a.origin);
      let lastId: string;
      {
        using call = await eventClient.call(a.origin, session, 7);
        const server = await upstream.stream(0);
        await server.send(event(progress(1), "u1") + event(progress(2), "u2"));
        assertEquals((await nextData(call)).data, progress(1));
        const second = await nextData(call);
        assertEquals(second.data, progress(2));
        lastId = second.id;
        await a.kill();
        assertEquals(await call.next(), "cut");
      }
      const resuming = eventClient.listen(b.origin, session, lastId);
      const again = await upstream.stream(1);
      assertEquals(again.request.line, "GET /mcp HTTP/1.1");
      assertEquals(again.request.field("last-event-id"), "u2");
      assertEquals(again.request.field("mcp-session-id"), "inner");
      await again.send(event(progress(3), "u3") + event(result(7), "u4"));
      await again.end();
      using rest = await resuming;
      assertEquals(rest.status, 200);
      assertEquals((await rest.rest()).flatMap(({ data }) => data ? [data] : []), [
        progress(3),
        result(7),
      ]);
      assertEquals(
        (await postText(b.origin, messages.initialized, { "mcp-session-id": session })).status,
        202,
      );
    });
  },
);

redisTest(
  "an instance is killed whose stream is followed: the follower takes it over",
  async (redis) => {
    await withInstances(redis, async (a, b, upstream) => {
      const session = await eventClient.openSession(a.origin);
      let lastId: string;
      {
        using call = await eventClient.call(a.origin, session, 7);
        const server = await upstream.stream(0);
        await server.send(event(progress(1), "u1"));
        lastId = (await nextData(call)).id;
      }
      using rest = await eventClient.listen(b.origin, session, lastId);
      const server = await upstream.stream(0);
      await server.send(event(progress(2), "u2"));
      assertEquals((await nextData(rest)).data, progress(2));
      await a.kill();
      const again = await upstream.stream(1);
      assertEquals(again.request.field("last-event-id"), "u2");
      await again.send(event(progress(3), "u3") + event(result(7), "u4"));
      await again.end();
      assertEquals((await nextData(rest)).data, progress(3));
      assertEquals((await nextData(rest)).data, result(7));
      assertEquals(await rest.next(), null);
    });
  },
);
