/**
 * R58, R66: event streams of sessions that the upstream has lost, over real sockets.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as eventClient from "../testing/event_client.ts";
import * as messages from "../testing/messages.ts";
import { withProxy } from "../testing/proxy.ts";
import { SessionCaller } from "../testing/session_caller.ts";
import { sessionUpstream, UNKNOWN } from "../testing/session_upstream.ts";
import * as speaking from "../testing/speaking_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";
import * as streams from "../testing/streams.ts";

const { call, listen } = eventClient;
const { event, progress, reconnecting } = streams;
const { nextData, speakingUpstream, SSE_HEAD } = speaking;

const LOST_400 = "HTTP/1.1 400 B\r\ncontent-length: 41\r\n\r\n" +
  "Bad Request: No valid session ID provided";

for (const [name, unknown] of [["404", UNKNOWN], ["400", LOST_400]] as const) {
  Deno.test(`R66 a GET stream goes on in a session made anew, lost with ${name}`, async () => {
    await using upstream = speakingUpstream({ unknown });
    await withProxy(reconnecting(upstream.url), async (proxy) => {
      const client = await new SessionCaller(proxy).ready();
      await client.ask("resources/subscribe", { uri: "demo://a" });
      using stream = await listen(proxy.origin, client.id);
      const before = await upstream.speaker(0);
      await before.say(event("old-event", progress(1)));
      assertEquals(await nextData(stream), progress(1));
      upstream.restart();
      const after = await upstream.speaker(1);
      assertEquals([after.session, after.lastEventId], ["inner-2", undefined]);
      // See `missed_changes_test.ts`.
      assertEquals(JSON.parse(await nextData(stream)).params, { uri: "demo://a" });
      await after.say(event("new-event", progress(2)));
      assertEquals(await nextData(stream), progress(2));
      assertEquals(upstream.told().filter((one) => one === "initialize").length, 2);
      assert(upstream.told().includes("resources/subscribe@inner-2"));
      assertEquals((await client.ask("ping")).status, 200);
      assertEquals(upstream.told().at(-1), "ping@inner-2");
      after.breakOff();
      const resumed = await upstream.speaker(2);
      assertEquals([resumed.session, resumed.lastEventId], ["inner-2", "new-event"]);
      await resumed.say(event(null, progress(3)));
      assertEquals(await nextData(stream), progress(3));
    });
  });
}

Deno.test("R66 a GET stream that the lost session has left open goes on in the one made anew", async () => {
  await using upstream = speakingUpstream();
  await withProxy(reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    using stream = await listen(proxy.origin, client.id);
    const before = await upstream.speaker(0);
    upstream.lose();
    assertEquals((await client.ask("ping")).status, 200);
    await before.closed;
    const after = await upstream.speaker(1);
    assertEquals(after.session, "inner-2");
    await after.say(event(null, progress(2)));
    assertEquals(await nextData(stream), progress(2));
  });
});

Deno.test("R66 so does the stream for a client of HTTP+SSE", async () => {
  await using upstream = speakingUpstream();
  await withProxy(reconnecting(upstream.url), async ({ origin }) => {
    using caller = await sseCaller(origin);
    await caller.start();
    const before = await upstream.speaker(0);
    upstream.lose();
    await caller.post('{"jsonrpc":"2.0","id":5,"method":"ping"}');
    assert((await caller.next()).includes('"id":5'));
    await before.closed;
    const after = await upstream.speaker(1);
    assertEquals(after.session, "inner-2");
    await after.say(event(null, progress(2)));
    assertEquals(await caller.next(), progress(2));
  });
});

Deno.test("R66 where nothing is kept the client's stream breaks off, and the next one is in the session made anew", async () => {
  await using upstream = speakingUpstream();
  const config = { eventLog: { store: "off" } };
  await withProxy(reconnecting(upstream.url, { config }), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    using stream = await listen(proxy.origin, client.id);
    const before = await upstream.speaker(0);
    upstream.lose();
    assertEquals((await client.ask("ping")).status, 200);
    await before.closed;
    assertEquals(await stream.next(), "cut");
    using again = await listen(proxy.origin, client.id);
    assertEquals([again.status, (await upstream.speaker(1)).session], [200, "inner-2"]);
  });
});

Deno.test("R66 a GET stream waits for an upstream that is away and goes on in a session made anew", async () => {
  let isDown = false;
  let refused = 0;
  await using upstream = speakingUpstream({
    isDown: () => {
      if (isDown && ++refused === 2) isDown = false;
      return isDown;
    },
  });
  await withProxy(reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    using stream = await listen(proxy.origin, client.id);
    await upstream.speaker(0);
    isDown = true;
    upstream.restart();
    const after = await upstream.speaker(1);
    await after.say(event(null, progress(2)));
    assertEquals([after.session, await nextData(stream)], ["inner-2", progress(2)]);
  });
});

Deno.test("R66 a GET stream and requests that find the session lost together make one anew", async () => {
  await using upstream = speakingUpstream();
  await withProxy(reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    using stream = await listen(proxy.origin, client.id);
    await upstream.speaker(0);
    upstream.restart();
    const asked = await Promise.all(Array.from({ length: 10 }, () => client.ask("ping")));
    assertEquals(asked.map(({ status }) => status), Array(10).fill(200));
    await (await upstream.speaker(1)).say(event("new", progress(2)));
    assertEquals(await nextData(stream), progress(2));
    assertEquals(upstream.told().filter((one) => one === "initialize").length, 2);
  });
});

Deno.test("R66 R79 the event ids of a session stay with it when it is made anew", async () => {
  await using upstream = speakingUpstream();
  await withProxy(reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    using stream = await listen(proxy.origin, client.id);
    const first = await upstream.speaker(0);
    await first.say(event("old", progress(1)));
    assertEquals(await nextData(stream), progress(1));
    // The session is made anew by a request before its stream breaks.
    upstream.forget();
    assertEquals((await client.ask("ping")).status, 200);
    first.breakOff();
    const second = await upstream.speaker(1);
    assertEquals([second.session, second.lastEventId], ["inner-2", undefined]);
    // It breaks again before an event comes.
    second.breakOff();
    const third = await upstream.speaker(2);
    assertEquals([third.session, third.lastEventId], ["inner-2", undefined]);
    // A server may count anew in each session: this is not the one of before.
    await third.say(event("old", progress(2)));
    assertEquals(await nextData(stream), progress(2));
    third.breakOff();
    const fourth = await upstream.speaker(3);
    assertEquals([fourth.session, fourth.lastEventId], ["inner-2", "old"]);
    await fourth.say(event("newer", progress(3)));
    assertEquals(await nextData(stream), progress(3));
  });
});

Deno.test("R58 R79 a call is not resumed in a session made anew since", async () => {
  await using upstream = speakingUpstream();
  await withProxy(reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    using stream = await call(proxy.origin, client.id, 3);
    const speaker = await upstream.speaker(0);
    await speaker.say(event("old", progress(1)));
    assertEquals(await nextData(stream), progress(1));
    upstream.forget();
    assertEquals((await client.ask("ping")).status, 200);
    const before = upstream.requests.length;
    speaker.breakOff();
    assertEquals(JSON.parse(await nextData(stream)).error.code, -31502);
    assertEquals(upstream.told(before), []);
    assertEquals((await client.ask("ping")).status, 200);
  });
});

Deno.test("R66 a GET that finds the session lost opens its stream in the one made anew", async () => {
  await using upstream = speakingUpstream();
  await withProxy(reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    upstream.restart();
    upstream.forget();
    using stream = await listen(proxy.origin, client.id);
    assertEquals([stream.status, stream.headers.get("mcp-session-id")], [200, client.id]);
  });
});

Deno.test("R58 R66 a call whose stream breaks fails alone; the next request finds a session", async () => {
  await using upstream = speakingUpstream();
  await withProxy(reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    using stream = await call(proxy.origin, client.id, "the call");
    const before = await upstream.speaker(0);
    await before.say(event("e1", progress(1)));
    upstream.restart();
    const events = (await stream.rest()).filter(({ data }) => data !== undefined && data !== "");
    assertEquals(events.map(({ data }) => JSON.parse(data!).id), [undefined, "the call"]);
    assertEquals(JSON.parse(events[1]!.data!).error.code, -31502);
    const told = upstream.told();
    assertEquals(told.filter((one) => one.startsWith("tools/call")).length, 1, "it may have run");
    assertEquals(told.filter((one) => one === "initialize").length, 1);
    assertEquals((await client.ask("ping")).status, 200);
    assertEquals(upstream.told().at(-1), "ping@inner-2");
  });
});

Deno.test("R66 a GET stream whose session cannot be made anew ends, and the session with it", async () => {
  let refuses = false;
  await using upstream = sessionUpstream({
    instead: async ({ method, session }, to) => {
      if (method === "initialize" && refuses) await to.write(UNKNOWN);
      else if (method === "GET" && session === "inner-1" && !refuses) {
        await to.write(SSE_HEAD);
        refuses = true;
        upstream.forget();
        to.close();
      } else return false;
      return true;
    },
  });
  await withProxy(reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    using stream = await listen(proxy.origin, client.id);
    while (![null, "cut"].includes(await stream.next() as null));
    assertEquals((await client.ask("ping")).status, 404);
    assertEquals(upstream.told().filter((one) => one === "initialize").length, 2);
    refuses = false;
    await new SessionCaller(proxy).open(messages.initialize());
  });
});
