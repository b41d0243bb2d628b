/**
 * Routes that change places, names and keys while clients have sessions on them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { hashOfKey } from "../auth/mod.ts";
import * as messages from "../testing/messages.ts";
import { exchange, jsonPost } from "../testing/raw_client.ts";
import * as reloading from "../testing/reload.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";
import * as sse from "../testing/sse_setup.ts";
import * as streams from "../testing/streams.ts";

const { done, routeTo, withReloadable } = reloading;

const KEY = "sy_canary-of-ci-0123456789012345678901234567";
const bearer = { authorization: `Bearer ${KEY}` };
const keys = { auth: { keys: [{ name: "ci", sha256: hashOfKey(KEY) }] } };

/** Opens a session at a path; its id. */
async function openAt(origin: string, path: string, fields = {}): Promise<string> {
  const { status, headers } = await exchange(origin, jsonPost(messages.initialize(), fields, path));
  assertEquals(status, 200);
  return headers.get("mcp-session-id")!;
}

/** The status of a ping in a session. */
async function pingAt(origin: string, path: string, session: string, fields = {}): Promise<number> {
  const named = { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25", ...fields };
  return (await exchange(origin, jsonPost(messages.ping(), named, path))).status;
}

Deno.test("sessions go with the names of routes that swap their paths, and reach no other server", async () => {
  await using a = sessionUpstream();
  await using b = sessionUpstream();
  const settings = (pathA: string, pathB: string) => ({
    routes: [
      routeTo("a", a.url, {}, { path: pathA }),
      routeTo("b", b.url, {}, { path: pathB }),
    ],
  });
  await withReloadable(settings("/x", "/y"), async ({ origin, put }) => {
    const ofA = await openAt(origin, "/x");
    const ofB = await openAt(origin, "/y");
    assertEquals(await put(settings("/y", "/x")), done({ changed: ["a", "b"] }));
    assertEquals([await pingAt(origin, "/y", ofA), await pingAt(origin, "/x", ofB)], [200, 200]);
    assertEquals([await pingAt(origin, "/x", ofA), await pingAt(origin, "/y", ofB)], [404, 404]);
    assertEquals(a.told(), ["initialize", "ping@inner-1"]);
    assertEquals(b.told(), ["initialize", "ping@inner-1"]);
  });
});

Deno.test("a path under another name is another route: its sessions end, and the new ones go to its server", async () => {
  await using a = sessionUpstream();
  await using b = sessionUpstream();
  const settings = (name: string, url: string) => ({
    routes: [routeTo(name, url, {}, { path: "/mcp" })],
  });
  await withReloadable(settings("a", a.url), async ({ origin, put }) => {
    const old = await openAt(origin, "/mcp");
    assertEquals(await put(settings("b", b.url)), done({ added: ["b"], removed: ["a"] }));
    assertEquals(await pingAt(origin, "/mcp", old), 404);
    assertEquals(await pingAt(origin, "/mcp", await openAt(origin, "/mcp")), 200);
    await a.received(1);
    assertEquals(a.told(), ["initialize", "DELETE@inner-1"]);
    assertEquals(b.told(), ["initialize", "ping@inner-1"]);
  });
});

Deno.test("a route that goes and comes back at once has its old sessions ended at its old server", async () => {
  await using a = sessionUpstream();
  await using b = sessionUpstream();
  const kept = routeTo("kept", b.url);
  await withReloadable({ routes: [routeTo("mcp", a.url), kept] }, async ({ origin, put }) => {
    for (let count = 0; count < 20; count++) await openAt(origin, "/mcp");
    const outcomes = await Promise.all([
      put({ routes: [kept] }),
      put({ routes: [routeTo("mcp", b.url), kept] }),
    ]);
    assert(outcomes.every(({ ok }) => ok));
    await a.received(39);
    assertEquals(a.told(20).filter((told) => told.startsWith("DELETE")).length, 20);
    assertEquals(b.told(), []);
    assertEquals(await pingAt(origin, "/mcp", await openAt(origin, "/mcp")), 200);
    assertEquals(b.told(), ["initialize", "ping@inner-1"]);
  });
});

Deno.test("R91 keys that come or go for all end what nobody, or everybody, had opened", async () => {
  await using upstream = sessionUpstream();
  const open = { routes: [routeTo("mcp", upstream.url)] };
  await withReloadable(open, async ({ origin, put }) => {
    const ofNobody = await openAt(origin, "/mcp");
    assert((await put({ ...open, ...keys })).ok);
    assertEquals(await pingAt(origin, "/mcp", ofNobody), 401);
    assertEquals(await pingAt(origin, "/mcp", ofNobody, bearer), 404);
    const ofCi = await openAt(origin, "/mcp", bearer);
    assertEquals(await pingAt(origin, "/mcp", ofCi, bearer), 200);
    assert((await put(open)).ok);
    assertEquals(await pingAt(origin, "/mcp", ofCi), 404);
    assertEquals(await pingAt(origin, "/mcp", ofCi, bearer), 404);
    await upstream.received(4);
    const ended = upstream.told().filter((told) => told.startsWith("DELETE")).sort();
    assertEquals(ended, ["DELETE@inner-1", "DELETE@inner-2"]);
  });
});

Deno.test("a client of HTTP+SSE whose route has left its path is told that its stream is over", async () => {
  await using upstream = sse.quietServer();
  await using other = sse.quietServer();
  const settings = (path: string, otherPath: string) => ({
    routes: [
      routeTo("mcp", upstream.url, {}, { path }),
      routeTo("other", other.url, {}, { path: otherPath }),
    ],
  });
  await withReloadable(settings("/mcp", "/other"), async ({ origin, put }) => {
    using caller = await sseCaller(origin);
    await caller.start();
    // What it has in flight is answered first.
    await caller.post(sse.call(2));
    const answering = await upstream.stream(0);
    assert((await put(settings("/other", "/mcp"))).ok);
    assertEquals((await caller.post(sse.call(3))).status, 404);
    await answering.send(streams.event(null, streams.result(2)));
    await answering.end();
    assertEquals(await caller.next(), streams.result(2));
    assertEquals(await caller.stream.next(), null);
    assertEquals(other.requests.length, 0);
  });
});
