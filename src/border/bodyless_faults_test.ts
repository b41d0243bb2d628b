/**
 * R60 to R65, R70, R89 for what is no request of JSON-RPC: GET, DELETE and notifications, over real sockets.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as askers from "../testing/askers.ts";
import * as eventClient from "../testing/event_client.ts";
import * as faulty from "../testing/faulty_server.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as peerClients from "../testing/peer_clients.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange } from "../testing/raw_client.ts";
import {
  jsonAnswer,
  type ScriptedUpstream,
  scriptedUpstream,
} from "../testing/scripted_upstream.ts";
import { sseGet } from "../testing/sse_caller.ts";

const { modernPost } = peerClients;
const { CHUNKED_STREAM, chunkOf, FAULTY_SERVERS } = faulty;

const SERVERS = [
  ["session", "dedicated"],
  ["session", "shared"],
  ["HTTP+SSE", "dedicated"],
] as const;

interface Cell {
  readonly proxy: TestProxy;
  readonly server: faulty.FaultyServer;
  readonly client: askers.Asker;
  readonly elsewhere: ScriptedUpstream;
}

/** Runs `test` with a client in a session before one server. */
async function withCell(
  [kind, sessions]: (typeof SERVERS)[number],
  test: (cell: Cell) => Promise<void>,
  { clock, ...more }: Record<string, unknown> & { clock?: ManualClock } = {},
): Promise<void> {
  await using server = FAULTY_SERVERS[kind]();
  await using elsewhere = scriptedUpstream((_, to) => to.write(jsonAnswer("{}")));
  const upstreamConfig = { ...server.upstream, sessions, ...more };
  await withProxy({ upstreamConfig, ...(clock && { clock }) }, async (proxy) => {
    using client = await askers.ASKERS["session"](proxy.origin);
    await test({ proxy, server, client, elsewhere });
  });
  assertEquals(elsewhere.requests.length, 0, "a redirect was followed");
}

const EMPTY = { "content-length": "0" };
const status = (line: string, fields: Record<string, string> = {}) =>
  `HTTP/1.1 ${line}\r\n` +
  Object.entries({ ...EMPTY, ...fields }).map(([name, value]) => `${name}: ${value}\r\n`).join("") +
  "\r\n";
const LATER = { "retry-after": "7" };

type Case = readonly [name: string, fault: faulty.Fault, status: number];

/** What goes wrong whatever was asked. */
const cases = ({ url }: ScriptedUpstream): readonly Case[] => [
  ["R60 closes without a word", (to) => to.close(), 502],
  ["R70 302", status("302 Found", { location: url }), 502],
  ["R70 307", status("307 Temporary Redirect", { location: url }), 502],
  ["R70 308 to itself", status("308 Permanent Redirect", { location: "/mcp" }), 502],
  ["R63 no HTTP", async (to) => (await to.write("220 mail\r\n\r\n"), to.close()), 502],
  ["R64 429", status("429 Too Many Requests", LATER), 429],
  ["R64 500", status("500 Internal Server Error", LATER), 500],
  ["R64 503", status("503 Service Unavailable", LATER), 503],
];

const NO_STREAMS: readonly Case[] = [
  ["R63 200 with JSON", jsonAnswer("{}"), 502],
  ["R63 200 with HTML", jsonAnswer("<p>", { "content-type": "text/html" }), 502],
  ["R63 202", status("202 Accepted"), 502],
  ["R63 204", "HTTP/1.1 204 No Content\r\n\r\n", 502],
];

function bare(method: "GET" | "DELETE", { session }: askers.Asker): string {
  return sseGet("/mcp", { "mcp-session-id": session! }).replace("GET", method);
}

for (const serverCase of SERVERS) {
  const cell = `${serverCase[1]} ${serverCase[0]} server`;

  Deno.test(`R60 R63 R64 R70 ${cell}: a notification that fails is told, and sent once`, () =>
    withCell(serverCase, async ({ server, client, elsewhere }) => {
      const method = "notifications/custom";
      for (const [name, fault, expected] of cases(elsewhere)) {
        const before = server.count(method);
        server.faults.set(method, fault);
        const told = await client.tell(method);
        assertEquals([told.status, server.count(method) - before], [expected, 1], name);
        if (name.startsWith("R64")) assertEquals(told.headers.get("retry-after"), "7", name);
      }
      server.faults.clear();
      assertEquals((await client.tell(method)).status, 202);
    }));
}

for (const serverCase of SERVERS.slice(0, 2)) {
  const cell = `${serverCase[1]} ${serverCase[0]} server`;

  Deno.test(`R60 R63 R64 R70 ${cell}: a GET that fails is told; one that got no answer at all is sent once more`, () =>
    withCell(serverCase, async ({ proxy: { origin }, server, client, elsewhere }) => {
      for (const [name, fault, expected] of [...cases(elsewhere), ...NO_STREAMS]) {
        assert((await client.ask("ping")).response.result !== undefined);
        const before = server.count("GET");
        server.faults.set("GET", fault);
        const { status, headers } = await exchange(origin, bare("GET", client));
        const times = name.startsWith("R60") ? 2 : 1;
        assertEquals([status, server.count("GET") - before], [expected, times], name);
        if (name.startsWith("R64")) assertEquals(headers.get("retry-after"), "7", name);
      }
      server.faults.clear();
      using stream = await eventClient.listen(origin, client.session!);
      assertEquals(stream.status, 200);
    }));

  Deno.test(`R61 ${cell}: a GET whose head does not come is 504 in time`, () => {
    const clock = new ManualClock();
    return withCell(serverCase, async ({ proxy: { origin }, server, client }) => {
      server.faults.set("GET", () => {});
      const asked = exchange(origin, bare("GET", client));
      while (server.count("GET") === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      clock.advance(5_000);
      assertEquals((await asked).status, 504);
      assertEquals(server.count("GET"), 1);
    }, { clock, headersTimeoutMs: 5_000 });
  });
}

Deno.test("R60 R64 R70 a DELETE that fails is told, and sent once; the session goes on, and can be ended", () =>
  withCell(SERVERS[0], async ({ proxy: { origin }, server, client, elsewhere }) => {
    for (const [name, fault, expected] of cases(elsewhere)) {
      const before = server.count("DELETE");
      server.faults.set("DELETE", fault);
      const { status, headers } = await exchange(origin, bare("DELETE", client));
      assertEquals([status, server.count("DELETE") - before], [expected, 1], name);
      if (name.startsWith("R64")) assertEquals(headers.get("retry-after"), "7", name);
      assert((await client.ask("ping")).response.result !== undefined, name);
    }
    server.faults.clear();
    assertEquals((await exchange(origin, bare("DELETE", client))).status, 202);
    assertEquals((await exchange(origin, bare("DELETE", client))).status, 404);
    assertEquals(server.count("initialize"), 1);
  }));

Deno.test("R70 HTTP+SSE: an endpoint that redirects elsewhere takes no message, and no session id, there", () =>
  withCell(SERVERS[2], async ({ proxy, server, client, elsewhere }) => {
    const { port } = new URL(elsewhere.url);
    for (
      const location of [elsewhere.url, `//127.0.0.1:${port}/x`, "/messages?sessionId=inner-1"]
    ) {
      server.faults.set("ping", status("307 Temporary Redirect", { location }));
      const before = server.told.length;
      const asked = await client.ask("ping");
      assertEquals([asked.status, asked.response.error?.code], [502, -31502]);
      assertEquals(server.told.length - before, 1);
      assert(!asked.text.includes("inner") && !proxy.logs.join("").includes("inner"));
    }
    server.faults.clear();
    assert((await client.ask("ping")).response.result !== undefined);
  }));

Deno.test("R62 a GET stream of a session that falls silent is opened again, and its client sees nothing of it", async () => {
  const clock = new ManualClock();
  const event = `id: e\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n`;
  const reconnect = { attempts: 3, initialDelayMs: 1, maxDelayMs: 1 };
  await withCell(SERVERS[0], async ({ proxy: { origin }, server, client }) => {
    server.faults.set("GET", CHUNKED_STREAM + chunkOf(event));
    using stream = await eventClient.listen(origin, client.session!);
    for (let times = 0; times < 3; times++) {
      let isThere = false;
      const next = (async () => {
        for (;;) {
          const event = await stream.next();
          assert(event !== null && event !== "cut");
          if (event.data) return isThere = true;
        }
      })();
      while (!isThere) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        clock.advance(1_000);
      }
      await next;
    }
    assertEquals(stream.status, 200);
    assert(server.count("GET") >= 3);
  }, { clock, streamIdleTimeoutMs: 5_000, reconnect });
});

const NO_GET = status("405 Method Not Allowed", { allow: "POST" });
const FILTER = { notifications: { toolsListChanged: true } };

/** How clients of each kind come to listen; those of HTTP+SSE do so by being ready. */
const LISTENING: Readonly<
  Record<askers.AskerKind, (origin: string, client: askers.Asker) => Promise<void>>
> = {
  "session": async (origin, { session }) => {
    using refused = await eventClient.listen(origin, session!);
    assertEquals(refused.status, 405);
  },
  "modern": async (origin) => {
    using _ = await eventClient.begin(origin, modernPost("subscriptions/listen", FILTER));
  },
  "HTTP+SSE": () => Promise.resolve(),
};

for (const [kind, sessions] of SERVERS.slice(0, 2)) {
  for (const clientKind of Object.keys(askers.ASKERS) as askers.AskerKind[]) {
    Deno.test(`R89 ${clientKind} client, ${sessions} ${kind} server: GET answered with 405 is sent once, however much time passes`, async () => {
      const clock = new ManualClock();
      await using server = FAULTY_SERVERS[kind]();
      server.faults.set("GET", NO_GET);
      const upstreamConfig = { ...server.upstream, sessions };
      await withProxy({ upstreamConfig, clock }, async ({ origin }) => {
        using client = await askers.ASKERS[clientKind](origin);
        for (let times = 0; times < 5; times++) {
          await LISTENING[clientKind](origin, client);
          clock.advance(60_000);
          assert((await client.ask("tools/list")).response.result !== undefined);
        }
        // Each subscription of a modern client that nobody knows has a session of its own.
        const isEach = clientKind === "modern" && sessions === "dedicated";
        assertEquals(server.count("GET"), isEach ? 5 : 1);
      });
    });
  }
}
