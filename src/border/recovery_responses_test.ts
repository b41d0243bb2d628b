/**
 * R66: what a client answers a server that has lost the session meanwhile, over real sockets.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { withProxy } from "../testing/proxy.ts";
import { SessionCaller } from "../testing/session_caller.ts";
import { sessionRequest, sessionUpstream } from "../testing/session_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";

const RESPONSE = '{"jsonrpc":"2.0","id":0,"result":{"action":"accept"}}';
const CHANGED = '{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}';

Deno.test("R66 a response to a server that has lost the session is for nobody in the one made anew", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    const before = upstream.requests.length;
    upstream.forget();
    const { status, text } = await client.post(RESPONSE);
    assertEquals([status, text], [202, ""]);
    const said = upstream.requests.slice(before).map((request) => sessionRequest(request).text);
    assertEquals(said.filter((text) => text === RESPONSE).length, 1);
    assertEquals(upstream.told(before).at(-1), "notifications/initialized@inner-2");
    // A notification means the same in any session.
    upstream.forget();
    assertEquals((await client.post(CHANGED)).status, 202);
    assertEquals(upstream.told(before).at(-1), "notifications/roots/list_changed@inner-3");
  });
});

Deno.test("R66 nor is one that comes over HTTP+SSE", async () => {
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    using caller = await sseCaller(proxy.origin);
    await caller.start();
    const before = upstream.requests.length;
    upstream.forget();
    assertEquals((await caller.post(RESPONSE)).status, 202);
    await caller.post('{"jsonrpc":"2.0","id":2,"method":"tools/list"}');
    assertEquals(JSON.parse(await caller.next()).id, 2);
    const said = upstream.requests.slice(before).filter(({ line }) => line.startsWith("POST"))
      .map((request) => sessionRequest(request).text);
    assertEquals(said.filter((text) => text === RESPONSE).length, 1);
  });
});
