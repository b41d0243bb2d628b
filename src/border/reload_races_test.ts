/**
 * What is on its way when a reload takes away what it was asked for by.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { hashOfKey } from "../auth/mod.ts";
import * as eventClient from "../testing/event_client.ts";
import { eventServer } from "../testing/event_server.ts";
import * as messages from "../testing/messages.ts";
import { jsonPost, postText } from "../testing/raw_client.ts";
import * as reloading from "../testing/reload.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";

const { routeTo, withReloadable } = reloading;

const KEY = "sy_canary-of-ci-0123456789012345678901234567";
const bearer = { authorization: `Bearer ${KEY}` };
const keys = (name: string) => ({ auth: { keys: [{ name, sha256: hashOfKey(KEY) }] } });
const LISTEN = jsonPost(messages.modern("subscriptions/listen", { notifications: {} }), {
  ...bearer,
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": "subscriptions/listen",
});

/** A reload that takes the route away, or the key of the one who calls. */
const TAKEN_AWAY = [
  (url: string) => ({ ...keys("ci"), routes: [routeTo("other", url)] }),
  (url: string) => ({ ...keys("ops"), routes: [routeTo("mcp", url)] }),
];

Deno.test("R91 a subscription that begins behind a reload without its key, or its route, ends at once", async () => {
  for (const without of TAKEN_AWAY) {
    const [asked, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using upstream = eventServer({
      otherwise: async () => {
        asked.resolve();
        await goOn.promise;
        return false;
      },
    });
    const before = { ...keys("ci"), routes: [routeTo("mcp", upstream.url)] };
    await withReloadable(before, async (proxy) => {
      const beginning = eventClient.begin(proxy.origin, LISTEN);
      await asked.promise;
      assertEquals((await proxy.put(without(upstream.url))).ok, true);
      goOn.resolve();
      using stream = await beginning;
      assertEquals(await stream.next(), null);
      await (await upstream.stream(0)).closed;
    });
  }
});

Deno.test("a subscription of 2026-07-28 ends with its route", async () => {
  await using upstream = eventServer();
  const before = { ...keys("ci"), routes: [routeTo("mcp", upstream.url)] };
  await withReloadable(before, async (proxy) => {
    using stream = await eventClient.begin(proxy.origin, LISTEN);
    const server = await upstream.stream(0);
    // A reload that leaves both leaves it, too.
    await proxy.put({ ...before, limits: { maxJsonDepth: 99 } });
    await server.send("data: {}\n\n");
    assertEquals((await stream.next() as eventClient.ReadEvent).data, "{}");
    await proxy.put(TAKEN_AWAY[0]!(upstream.url));
    // 2026-07-28 has it answered when it ends.
    const [last, ...further] = await stream.rest();
    assertEquals([JSON.parse(last!.data!).result.resultType, further.length], ["complete", 0]);
    await server.closed;
  });
});

Deno.test("R82 a session that is opened behind a reload without its key, or its route, is ended upstream", async () => {
  for (const without of TAKEN_AWAY) {
    const [asked, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using upstream = sessionUpstream({
      instead: async ({ method }) => {
        if (method !== "initialize") return false;
        asked.resolve();
        await goOn.promise;
        return false;
      },
    });
    const before = { ...keys("ci"), routes: [routeTo("mcp", upstream.url)] };
    await withReloadable(before, async (proxy) => {
      const opening = postText(proxy.origin, messages.initialize(), bearer);
      await asked.promise;
      assertEquals((await proxy.put(without(upstream.url))).ok, true);
      goOn.resolve();
      assertEquals((await opening).status, 404);
      await upstream.received(1);
      assertEquals(upstream.told(), ["initialize", "DELETE@inner-1"]);
    });
  }
});
