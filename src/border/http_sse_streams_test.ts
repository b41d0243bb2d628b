/**
 * The stream on which a server speaks first, for clients of HTTP+SSE, when sessions and requests are lost.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { eventServer } from "../testing/event_server.ts";
import { withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost } from "../testing/raw_client.ts";
import { sseCaller } from "../testing/sse_caller.ts";
import * as sse from "../testing/sse_setup.ts";
import * as streams from "../testing/streams.ts";

const { INNER, says } = sse;
const { event, progress } = streams;

Deno.test("R79 the server's own stream goes on in a session made anew without the event id of the one before", async () => {
  let isLost = false;
  await using upstream = eventServer({
    sessionId: INNER,
    otherwise: async (request, to) => {
      if (!isLost || !request.line.startsWith("GET")) return false;
      isLost = false;
      await to.write("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
      return true;
    },
  });
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    using caller = await sseCaller(origin);
    await caller.start();
    const first = await upstream.stream(0);
    await first.send(event("1", progress(1)));
    await caller.next();
    isLost = true;
    first.breakOff();
    const anew = await upstream.stream(1);
    assertEquals(anew.request.field("last-event-id"), undefined);
    anew.breakOff();
    const still = await upstream.stream(2);
    assertEquals(still.request.field("last-event-id"), undefined);
    // A server may count anew in each session: this one is not the id of before.
    await still.send(event("1", progress(2)));
    await caller.next();
    still.breakOff();
    const last = await upstream.stream(3);
    assertEquals(last.request.field("last-event-id"), "1");
    await last.send(event("2", progress(3)));
    assertEquals(await caller.next(), progress(3));
  });
});

// 2025-11-25 basic/authorization, "Token Requirements": the client sends its token with every request of a session.
for (const credentials of ["forward", "drop"]) {
  Deno.test(`streams are taken up with the newest Authorization that the server has taken (credentials: ${credentials})`, async () => {
    await using upstream = eventServer({
      sessionId: INNER,
      otherwise: async (request, to) => {
        if (request.field("authorization") !== "Bearer bad") return false;
        await to.write("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
        return true;
      },
    });
    const setting = streams.reconnecting(upstream.url);
    const upstreamConfig = { ...setting.upstreamConfig, credentials };
    await withProxy({ ...setting, upstreamConfig }, async ({ origin }) => {
      using caller = await sseCaller(origin, "/mcp/sse", { authorization: "Bearer 1" });
      await caller.start();
      const own = await upstream.stream(0);
      await caller.post('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}');
      const answer = await upstream.stream(1);
      await answer.send(event("1", progress(1)));
      await caller.next();
      const notify = async (token: string) => {
        const before = upstream.requests.length;
        const body = '{"jsonrpc":"2.0","method":"notifications/x"}';
        await exchange(
          origin,
          jsonPost(body, { authorization: `Bearer ${token}` }, caller.endpoint),
        );
        // Its answer is behind this one's, and noted: another one is sent behind it.
        await upstream.received(before);
      };
      await notify("2");
      await notify("bad");
      const sent = credentials === "forward" ? "Bearer 2" : undefined;
      answer.breakOff();
      assertEquals((await upstream.stream(2)).request.field("authorization"), sent);
      own.breakOff();
      assertEquals((await upstream.stream(3)).request.field("authorization"), sent);
    });
  });
}

Deno.test("the server's own stream is asked for until it is there, also where the server missed that the client is ready", async () => {
  const refused = new Set(["notifications/initialized", "GET"]);
  await using upstream = eventServer({
    sessionId: INNER,
    otherwise: async (request, to) => {
      const what = [...refused].find((word) =>
        request.line.startsWith(word) || says(word)(request)
      );
      if (what === undefined) return false;
      refused.delete(what);
      await to.write("HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n");
      return true;
    },
  });
  await withProxy(streams.reconnecting(upstream.url), async ({ origin }) => {
    using caller = await sseCaller(origin);
    await caller.start();
    await (await upstream.stream(0)).send(event(null, progress(1)));
    assertEquals(await caller.next(), progress(1));
    assertEquals(refused.size, 0);
  });
});

Deno.test("the server's own stream is opened again however often the server ends it in silence", async () => {
  await using upstream = eventServer({ sessionId: INNER });
  const reconnect = { attempts: 2, initialDelayMs: 1, maxDelayMs: 60_000 };
  const upstreamConfig = { reconnect, era: "both" };
  await withProxy({ upstream: upstream.url, upstreamConfig }, async ({ origin }) => {
    using caller = await sseCaller(origin);
    await caller.start();
    for (let number = 0; number < 5; number++) await (await upstream.stream(number)).end();
    await (await upstream.stream(5)).send(event(null, progress(1)));
    assertEquals(await caller.next(), progress(1));
  });
});
