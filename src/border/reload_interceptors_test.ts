/**
 * Interceptors across reloads: which go on, which are made anew, and until when the old ones are open.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import * as tagging from "../testing/tagging.ts";
import * as eventClient from "../testing/event_client.ts";
import { eventServer } from "../testing/event_server.ts";
import * as messages from "../testing/messages.ts";
import { postText } from "../testing/raw_client.ts";
import * as reloading from "../testing/reload.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import * as streams from "../testing/streams.ts";

const { done, namedUpstream, routeTo, tagged, withReloadable } = reloading;
const { event, progress } = streams;

/** What answers a ping: the status, and the result. */
async function ping(origin: string) {
  const { status, text } = await postText(origin, messages.ping());
  return [status, status === 200 ? JSON.parse(text).result : undefined];
}

Deno.test("interceptors that are as they were go on; where they alone differ, the upstream does", async () => {
  await using upstream = namedUpstream("u");
  const settings = (tag: string, more = {}) => ({
    ...more,
    routes: [
      routeTo("mcp", upstream.url, {}, tagged(tag)),
      routeTo("other", upstream.url, {}, tagged("kept")),
    ],
  });
  await withReloadable(settings("one"), async (proxy) => {
    await ping(proxy.origin);
    assertEquals(await proxy.put(settings("one")), done({ kept: ["mcp", "other"] }));
    assertEquals(tagging.open, ["one", "kept"]);
    assertEquals(await proxy.put(settings("two")), done({ changed: ["mcp"], kept: ["other"] }));
    assertEquals(tagging.open, ["kept", "two"]);
    assertEquals(await ping(proxy.origin), [200, { name: "u", tag: "two" }]);
    // Limits concern every route, and no interceptor.
    const limits = { limits: { maxJsonDepth: 3 } };
    assertEquals(await proxy.put(settings("two", limits)), done({ changed: ["mcp", "other"] }));
    assertEquals(tagging.open, ["kept", "two"]);
    const deep = await postText(proxy.origin, messages.ping("[[[[1]]]]"));
    assertEquals(deep.status, 400);
    assertMatch(JSON.parse(deep.text).error.message, /nested|deep/);
    await proxy.put(settings("two", { limits: { maxRequestBytes: 100 } }));
    const long = await postText(proxy.origin, messages.ping().replace("{", "{" + " ".repeat(200)));
    assertEquals(long.status, 413);
  });
  assertEquals(tagging.open, []);
});

Deno.test("where the interceptors alone differ, the connection to the upstream is kept", async () => {
  const connections = new Set<number>();
  await using upstream = scriptedUpstream(async (_, to) => {
    connections.add(to.number);
    await to.write(jsonAnswer('{"jsonrpc":"2.0","id":1,"result":{}}'));
  });
  await withReloadable({ routes: [routeTo("mcp", upstream.url)] }, async (proxy) => {
    await ping(proxy.origin);
    await proxy.put({ routes: [routeTo("mcp", upstream.url, {}, tagged("t"))] });
    await ping(proxy.origin);
    assertEquals([...connections], [0]);
    // Another setting of the upstream is another upstream.
    await proxy.put({ routes: [routeTo("mcp", upstream.url, { connectTimeoutMs: 77 })] });
    await ping(proxy.origin);
    assertEquals([...connections], [0, 1]);
  });
});

Deno.test("interceptors are open as long as a stream passes them", async () => {
  await using upstream = eventServer();
  const settings = (tag: string) => ({
    routes: [routeTo("mcp", upstream.url, {}, tagged(tag))],
  });
  await withReloadable(settings("old"), async (proxy) => {
    using stream = await eventClient.begin(proxy.origin, streams.modernCall());
    const server = await upstream.stream(0);
    await proxy.put(settings("new"));
    await server.send(event(null, progress(1)));
    assertEquals((await stream.next() as eventClient.ReadEvent).data, progress(1));
    assertEquals(tagging.open, ["old", "new"]);
    await server.send(event(null, streams.result(7)));
    await server.end();
    const [answer] = await stream.rest();
    assertEquals(JSON.parse(answer!.data!).result, { content: [], tag: "old" });
    assertEquals(tagging.open, ["new"]);
  });
});

Deno.test("a module of interceptors that was mended or changed is loaded anew, and only then", async () => {
  await using upstream = namedUpstream("u");
  const folder = await Deno.makeTempDir();
  const module = `${folder}/own.ts`;
  const text = (tag: string) =>
    `export default { name: "own", serverMessage: (message) =>
      ({ replace: { ...message, result: { tag: ${JSON.stringify(tag)} } } }) };`;
  const settings = (...own: unknown[]) => ({
    routes: [routeTo("mcp", upstream.url, {}, { interceptors: own })],
  });
  await withReloadable(settings(), async (proxy) => {
    await Deno.writeTextFile(module, "export default {");
    assertEquals((await proxy.put(settings({ module }))).ok, false);
    assertEquals(await ping(proxy.origin), [200, { name: "u" }]);
    for (const tag of ["mended", "changed"]) {
      await Deno.writeTextFile(module, text(tag));
      assertEquals(await proxy.put(settings({ module })), done({ changed: ["mcp"] }));
      assertEquals(await ping(proxy.origin), [200, { tag }]);
      assertEquals(await proxy.put(settings({ module })), done({ kept: ["mcp"] }));
    }
  });
  await Deno.remove(folder, { recursive: true });
});
