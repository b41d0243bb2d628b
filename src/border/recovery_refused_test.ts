/**
 * R64, R66: lost sessions that cannot be made anew, now or ever, over real sockets; and that no wait for it
 * is without an end.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { MAX_RENEWALS, RENEWALS_WINDOW_MS } from "../front/session_renewals.ts";
import { RENEWAL_MS } from "../front/renewal.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as messages from "../testing/messages.ts";
import { withProxy } from "../testing/proxy.ts";
import { jsonAnswer } from "../testing/scripted_upstream.ts";
import { assertGone, rpcError, SessionCaller } from "../testing/session_caller.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";

/** What an upstream may answer to the second `initialize`, after which the client has to start over. */
const REFUSALS: Readonly<Record<string, string>> = {
  "400": jsonAnswer(rpcError(-32602, "no"), {}, "400 B"),
  "401": jsonAnswer(rpcError(-32602, "no"), {}, "401 U"),
  "404": jsonAnswer(rpcError(-32602, "no"), {}, "404 N"),
  "a redirect": "HTTP/1.1 307 T\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
  "a JSON-RPC error": jsonAnswer(rpcError(-32602, "no"), { "mcp-session-id": "inner-x" }),
  "no session id": jsonAnswer(messages.initializeResult()),
  "an empty body": "HTTP/1.1 200 OK\r\nmcp-session-id: inner-x\r\ncontent-length: 0\r\n\r\n",
  "no JSON": jsonAnswer('{"result"', { "mcp-session-id": "inner-x" }),
  "another revision": jsonAnswer(messages.initializeResult("2025-06-18"), {
    "mcp-session-id": "inner-x",
  }),
  "a session id over 4 KiB": jsonAnswer(messages.initializeResult(), {
    "mcp-session-id": `inner-x${"y".repeat(5_000)}`,
  }),
};

for (const [name, refusal] of Object.entries(REFUSALS)) {
  Deno.test(`R66 initialize answered with ${name}: a clean 404, and a new session works`, async () => {
    let refuses = false;
    await using upstream = sessionUpstream({
      instead: async ({ method, session }, to) => {
        // Ending what was begun breaks off; nobody is hurt.
        if (method === "DELETE") to.close();
        if (refuses && method === "initialize" && session === undefined) await to.write(refusal);
        return method === "DELETE" || (refuses && method === "initialize");
      },
    });
    await withProxy({ upstream: upstream.url }, async (proxy) => {
      const client = await new SessionCaller(proxy).ready();
      upstream.forget();
      refuses = true;
      assertGone(await client.ask("ping"));
      const names = refusal.includes("mcp-session-id");
      // What was begun in vain is ended.
      if (names) await upstream.received(4);
      const told = upstream.told(2);
      assertEquals(told.slice(0, 2), ["ping@inner-1", "initialize"]);
      // A server that has no initialize may have come to speak 2026-07-28.
      const follows = name === "404" ? ["server/discover"] : names ? ["DELETE@inner-x"] : [];
      assertEquals(
        told.slice(2).map((one) => one.slice(0, 14)),
        follows.map((one) => one.slice(0, 14)),
      );
      const before = upstream.requests.length;
      assertGone(await client.ask("ping"));
      assertGone(await client.end(), null);
      assertEquals(upstream.requests.length, before);
      refuses = false;
      await client.ready();
      assertEquals((await client.ask("ping")).status, 200);
    });
  });
}

const NOT_NOW: Readonly<Record<string, string | undefined>> = {
  "503": jsonAnswer("{}", { "retry-after": "7" }, "503 S"),
  "429": jsonAnswer("{}", { "retry-after": "7" }, "429 T"),
  "a broken connection": undefined,
  "half an answer":
    "HTTP/1.1 200 OK\r\nmcp-session-id: inner-x\r\ncontent-type: application/json\r\n" +
    'content-length: 99\r\nconnection: close\r\n\r\n{"result"',
};

for (const [name, answer] of Object.entries(NOT_NOW)) {
  Deno.test(`R66 initialize answered with ${name}: 502, and a later request recovers`, async () => {
    let refuses = false;
    await using upstream = sessionUpstream({
      instead: async ({ method }, to) => {
        if (!refuses || method !== "initialize") return false;
        if (answer !== undefined) await to.write(answer);
        if (!answer?.includes("retry-after")) to.close();
        return true;
      },
    });
    await withProxy({ upstream: upstream.url }, async (proxy) => {
      const client = await new SessionCaller(proxy).ready();
      upstream.forget();
      refuses = true;
      const failed = await client.ask("ping");
      assertEquals([failed.status, JSON.parse(failed.text).id], [502, 7]);
      const retryAfter = answer?.includes("retry-after") ? "7" : undefined;
      assertEquals(failed.headers.get("retry-after"), retryAfter);
      // Nobody knows of a session that a connection took with it, so it may be begun once more: at once, and
      // as a whole.
      const times = answer === undefined ? 4 : retryAfter === undefined ? 2 : 1;
      const again = Array.from({ length: times }, () => "initialize");
      const told = upstream.told(2).filter((one) => !one.startsWith("DELETE"));
      assertEquals(told, ["ping@inner-1", ...again]);
      refuses = false;
      const recovered = await client.ask("ping");
      assertEquals([recovered.status, recovered.headers.get("mcp-session-id")], [200, client.id]);
    });
  });
}

Deno.test("R66 an upstream that goes in the middle of a recovery: 502, and a later request recovers", async () => {
  for (const breaking of ["notifications/initialized", "resources/subscribe"]) {
    let breaks = false;
    await using upstream = sessionUpstream({
      instead: ({ method }, to) => {
        if (breaks && method === breaking) to.close();
        return breaks && method === breaking;
      },
    });
    await withProxy({ upstream: upstream.url }, async (proxy) => {
      const client = await new SessionCaller(proxy).ready();
      await client.ask("resources/subscribe", { uri: "demo://a" });
      upstream.forget();
      breaks = true;
      assertEquals((await client.ask("ping")).status, 502, breaking);
      breaks = false;
      assertEquals((await client.ask("ping")).status, 200);
      const told = upstream.told(3);
      for (const begun of ["DELETE@inner-2", "DELETE@inner-3"]) {
        assert(told.includes(begun), "what was begun is ended");
      }
      assertEquals(told.at(-1), "ping@inner-4");
    });
  }
});

Deno.test("R60 R64 a 404 that answers the request by its id is the client's answer: sent once, and the session stays", async () => {
  const error = rpcError(-32602, "Unknown resource for this tool");
  for (const from of ["dedicated", "shared", "http+sse"]) {
    await using upstream = sessionUpstream({
      instead: async ({ method, message: { id } }, to) => {
        if (method !== "tools/call") return false;
        await to.write(jsonAnswer(JSON.stringify({ ...JSON.parse(error), id }), {}, "404 N"));
        return true;
      },
    });
    if (from === "http+sse") {
      await withProxy({ upstream: upstream.url }, async ({ origin }) => {
        using client = await sseCaller(origin);
        await client.start();
        await client.post('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}');
        assertEquals(JSON.parse(await client.next()), JSON.parse(error));
      });
    } else {
      await withProxy(
        { upstream: upstream.url, upstreamConfig: { sessions: from } },
        async (proxy) => {
          const client = await new SessionCaller(proxy).ready();
          const { status, text } = await client.ask("tools/call", { name: "t" });
          assertEquals([status, JSON.parse(text)], [404, JSON.parse(error)]);
          assertEquals((await client.ask("ping")).status, 200);
        },
      );
    }
    const told = upstream.told();
    assertEquals(told.filter((what) => what.startsWith("tools/call")), ["tools/call@inner-1"]);
    assertEquals(told.filter((what) => what === "initialize").length, 1);
  }
});

Deno.test("R66 a session made anew that is not known either: 404, and no loop", async () => {
  await using upstream = sessionUpstream({
    instead: async ({ method }, to) => {
      const answer = rpcError(-32000, "Bad Request: Server not initialized");
      if (method === "ping") await to.write(jsonAnswer(answer, {}, "400 B"));
      return method === "ping";
    },
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    assertGone(await client.ask("ping"));
    assertEquals(upstream.told(2), [
      "ping@inner-1",
      "initialize",
      "notifications/initialized@inner-2",
      "ping@inner-2",
    ]);
    assertGone(await client.ask("ping"));
    assertEquals(upstream.requests.length, 6);
  });
});

Deno.test("R66 a client whose session is lost all the time cannot have it made anew all the time", async () => {
  const clock = new ManualClock();
  await using upstream = sessionUpstream();
  await withProxy({ upstream: upstream.url, clock }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    const lose = () => {
      upstream.forget();
      return client.ask("ping");
    };
    for (let time = 0; time < MAX_RENEWALS; time++) assertEquals((await lose()).status, 200);
    clock.advance(RENEWALS_WINDOW_MS);
    for (let time = 0; time < MAX_RENEWALS; time++) assertEquals((await lose()).status, 200);
    const before = upstream.requests.length;
    assertGone(await lose());
    assertEquals(upstream.told(before), [`ping@inner-${2 * MAX_RENEWALS + 1}`]);
  });
});

Deno.test("R66 an initialize that is never answered: 504 in time, and a later request recovers", async () => {
  const clock = new ManualClock();
  const head = "HTTP/1.1 200 OK\r\nmcp-session-id: inner-x\r\ncontent-type: text/event-stream\r\n" +
    "transfer-encoding: chunked\r\n\r\n";
  for (const begun of ["", `${head}3\r\n:\n\n\r\n`]) {
    let silent = false;
    await using upstream = sessionUpstream({
      instead: async ({ method }, to) => {
        if (!silent || method !== "initialize") return false;
        await to.write(begun);
        return true;
      },
    });
    await withProxy({ upstream: upstream.url, clock }, async (proxy) => {
      const client = await new SessionCaller(proxy).ready();
      upstream.forget();
      silent = true;
      const asked = [client.ask("ping"), client.ask("ping")];
      await upstream.received(4);
      clock.advance(RENEWAL_MS);
      for (const { status } of await Promise.all(asked)) assertEquals(status, 504);
      silent = false;
      assertEquals((await client.ask("ping")).status, 200);
    });
  }
});
