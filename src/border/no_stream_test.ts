/**
 * R89: servers that answer GET with 404 because they have no such route, while sessions work, over real sockets.
 * 2025-11-25 basic/transports, "Listening for Messages from the Server", has them say 405.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as eventClient from "../testing/event_client.ts";
import * as messages from "../testing/messages.ts";
import { withProxy } from "../testing/proxy.ts";
import { SessionCaller } from "../testing/session_caller.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";
import * as sse from "../testing/sse_setup.ts";
import * as streams from "../testing/streams.ts";

const NO_ROUTE = "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 24\r\n\r\n" +
  "<pre>Cannot GET /m</pre>";
const SSE_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "connection: close\r\ntransfer-encoding: chunked\r\n\r\n";

/** A server with sessions and without a GET stream; `first` is told of each GET and may answer it. */
function withoutGet(first: (session: string | undefined) => string | undefined = () => undefined) {
  return sessionUpstream({
    instead: async ({ method, session }, to) => {
      if (method !== "GET") return false;
      const answer = first(session);
      await to.write(answer ?? NO_ROUTE);
      if (answer !== undefined) to.close();
      return true;
    },
  });
}

for (const keeps of [true, false]) {
  Deno.test(`R89 404 to GET is 405 to the client, and its session stays${keeps ? "" : ", also where no events are kept"}`, async () => {
    await using upstream = withoutGet();
    const events = keeps ? {} : { config: { eventLog: { store: "off" } } };
    await withProxy({ upstream: upstream.url, ...events }, async (proxy) => {
      const client = await new SessionCaller(proxy).ready();
      for (let times = 0; times < 3; times++) {
        using refused = await eventClient.listen(proxy.origin, client.id);
        assertEquals(refused.status, 405);
        assertEquals((await client.ask("ping")).status, 200);
      }
      const told = upstream.told();
      assertEquals(told.slice(2, 6), [
        "GET@inner-1",
        "initialize",
        "notifications/initialized@inner-2",
        "GET@inner-2",
      ]);
      assertEquals(told.filter((one) => one === "initialize").length, 2);
      assertEquals(told.at(-1), "ping@inner-2");
    });
  });
}

Deno.test("R89 a shared session is made anew once for a 404 to GET, and its members get 405", async () => {
  await using upstream = withoutGet();
  const config = { upstream: upstream.url, upstreamConfig: { sessions: "shared" } };
  await withProxy(config, async (proxy) => {
    const clients = [
      await new SessionCaller(proxy).ready(),
      await new SessionCaller(proxy).ready(),
    ];
    for (let times = 0; times < 2; times++) {
      for (const client of clients) {
        using refused = await eventClient.listen(proxy.origin, client.id);
        assertEquals(refused.status, 405);
        assertEquals((await client.ask("ping")).status, 200);
      }
    }
    assertEquals(upstream.told().slice(0, 7), [
      "initialize",
      "notifications/initialized@inner-1",
      "GET@inner-1",
      "initialize",
      "notifications/initialized@inner-2",
      "GET@inner-2",
      "ping@inner-2",
    ]);
    assertEquals(upstream.told().filter((one) => one === "initialize").length, 2);
    // What is lost afterwards is found by what is posted, and GET has nothing made anew any more.
    upstream.forget();
    assertEquals((await clients[0]!.ask("ping")).status, 200);
    using refused = await eventClient.listen(proxy.origin, clients[1]!.id);
    assertEquals(refused.status, 405);
    assertEquals(upstream.told().filter((one) => one === "initialize").length, 3);
  });
});

Deno.test("R89 a client of HTTP+SSE keeps its stream and its session where GET is 404", async () => {
  await using upstream = withoutGet();
  await withProxy({ upstream: upstream.url }, async ({ origin }) => {
    using caller = await sseCaller(origin);
    await caller.start();
    await sse.arrival(
      upstream,
      ({ line, field }) => line.startsWith("GET") && field("mcp-session-id") === "inner-2",
    );
    await caller.post(messages.ping("7"));
    assertEquals(JSON.parse(await caller.next()).id, 7);
    assertEquals(upstream.told().filter((one) => one === "initialize").length, 2);
    assertEquals(upstream.told().at(-1), "ping@inner-2");
  });
});

Deno.test("R89 a GET stream that broke off ends where GET is 404 by then, and the session stays", async () => {
  let isThere = true;
  await using upstream = withoutGet(() => {
    if (!isThere) return undefined;
    isThere = false;
    return SSE_HEAD;
  });
  await withProxy(streams.reconnecting(upstream.url), async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    using stream = await eventClient.listen(proxy.origin, client.id);
    assertEquals(stream.status, 200);
    while (![null, "cut"].includes(await stream.next() as null));
    assertEquals((await client.ask("ping")).status, 200);
    assertEquals(upstream.told().at(-1), "ping@inner-2");
  });
});
