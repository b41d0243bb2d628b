/**
 * R54, R71, R94, R97 on every transport: clients of each kind before servers of each kind, over real sockets
 * and processes.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { hashOfKey } from "../auth/mod.ts";
import * as messages from "../testing/messages.ts";
import * as peerClients from "../testing/peer_clients.ts";
import * as peers from "../testing/peer_servers.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost } from "../testing/raw_client.ts";
import { type ScriptedConnection, scriptedUpstream } from "../testing/scripted_upstream.ts";
import { sseCaller, sseGet } from "../testing/sse_caller.ts";

const { modernPost, PEER_CLIENTS } = peerClients;
const { PEER_SERVERS, PEER_SESSION } = peers;

type ClientKind = peerClients.PeerClientKind;
type ServerKind = peers.PeerServerKind;

const CLIENTS = Object.keys(PEER_CLIENTS) as ClientKind[];
const SERVERS = Object.keys(PEER_SERVERS) as ServerKind[];
const CANCELLED = "notifications/cancelled";
const AT_ONCE = { attempts: 1, initialDelayMs: 1, maxDelayMs: 1 };
const ADMIN = { admin: "127.0.0.1:0" };

interface Cell {
  readonly proxy: TestProxy;
  readonly server: peers.PeerServer;
  readonly client: peerClients.PeerClient;
}

/** Runs `test` with one client before one server. */
async function withCell(
  clientKind: ClientKind,
  serverKind: ServerKind,
  test: (cell: Cell) => Promise<void>,
  more: Readonly<Record<string, unknown>> = {},
  fields: Readonly<Record<string, string>> = {},
): Promise<void> {
  await using server = PEER_SERVERS[serverKind]();
  const upstreamConfig = { ...server.upstream, reconnect: AT_ONCE };
  await withProxy({ upstreamConfig, config: { ...ADMIN, ...more } }, async (proxy) => {
    const client = await PEER_CLIENTS[clientKind](proxy.origin, fields);
    try {
      await test({ proxy, server, client });
    } finally {
      client.leave();
    }
  });
}

function page({ adminOrigin }: TestProxy, path: string) {
  return exchange(adminOrigin!, `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
}

/** Resolves when the proxy knows that nobody reads a stream. */
async function unattended(proxy: TestProxy): Promise<void> {
  while (JSON.parse((await page(proxy, "/status")).text).streams.unattended === 0);
}

/** Resolves when the proxy has seen that its client has gone. */
async function departed(proxy: TestProxy): Promise<void> {
  while (JSON.parse((await page(proxy, "/status")).text).clientConnections > 0);
}

/** Asserts that the server is told that a call is not wanted any more. */
async function assertCancelled(
  kind: ServerKind,
  server: peers.PeerServer,
  call: peers.PeerCall,
): Promise<void> {
  if (kind === "modern") return await call.gone;
  const { params } = await server.arrived(CANCELLED);
  assertEquals(params?.requestId, call.id);
}

for (const clientKind of CLIENTS.filter((kind) => kind !== "session")) {
  for (const serverKind of SERVERS) {
    for (const when of ["ahead of the answer", "in mid-stream"]) {
      Deno.test(`R54 ${clientKind} client, ${serverKind} server: who leaves ${when} has cancelled`, () =>
        withCell(clientKind, serverKind, async ({ server, client }) => {
          await client.call(7);
          const call = await server.call(0);
          if (when === "in mid-stream") {
            await call.progress("on its way");
            await client.heard("on its way");
          }
          client.leave();
          await assertCancelled(serverKind, server, call);
        }));
    }
  }
}

for (const serverKind of SERVERS) {
  Deno.test(`R54 session client, ${serverKind} server: who leaves in mid-stream has cancelled nothing, and comes back for the rest`, () =>
    withCell("session", serverKind, async ({ proxy, server, client }) => {
      await client.call(7);
      const call = await server.call(0);
      await call.progress("on its way");
      await client.heard("on its way");
      client.leave();
      await unattended(proxy);
      await call.progress("said meanwhile");
      await client.resume!();
      await client.heard("said meanwhile");
      await call.answer("at last");
      await client.heard("at last");
      assertEquals(server.messages.filter(({ method }) => method === CANCELLED), []);
      client.leave();
    }));
}

for (const serverKind of ["session", "modern"] as const) {
  Deno.test(`R54 session client, ${serverKind} server: without an event log nobody can come back, and the server is told that nobody reads`, () =>
    withCell("session", serverKind, async ({ server, client }) => {
      await client.call(7);
      const call = await server.call(0);
      await call.progress("on its way");
      await client.heard("on its way");
      client.leave();
      await call.gone;
    }, { eventLog: { store: "off" } }));
}

for (const serverKind of SERVERS) {
  Deno.test(`R54 session client, ${serverKind} server: who leaves ahead of the answer has cancelled nothing`, () =>
    withCell("session", serverKind, async ({ proxy, server, client }) => {
      await client.call(7);
      const call = await server.call(0);
      let isGone = false;
      call.gone.then(() => isGone = true);
      client.leave();
      await departed(proxy);
      // An exchange all the way through: by then the server would have been told.
      await client.call(8);
      const next = await server.call(1);
      await next.answer("to the next one");
      await client.heard("to the next one");
      assertEquals([isGone, server.messages.some(({ method }) => method === CANCELLED)], [
        false,
        false,
      ]);
      await call.answer("to nobody");
    }));
}

const STREAM = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
const ACCEPTED = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
const endpoint = (url: string) => `event: endpoint\ndata: ${url}\n\n`;

/** What a client of each kind asks first of a server of HTTP+SSE, and what it is told. */
const FIRST: Readonly<Record<ClientKind, (origin: string) => Promise<string>>> = {
  "session": async (origin) => (await exchange(origin, jsonPost(messages.initialize()))).text,
  "modern": async (origin) => (await exchange(origin, modernPost("tools/list"))).text,
  "HTTP+SSE": async (origin) => {
    using caller = await sseCaller(origin);
    await caller.post(messages.initialize());
    return await caller.next();
  },
};

for (const clientKind of CLIENTS) {
  Deno.test(`R71 R97 ${clientKind} client: a server's endpoint on another origin is refused, and gets nothing`, async () => {
    await using elsewhere = scriptedUpstream((_, to) => to.write(ACCEPTED));
    const address = `${elsewhere.url}?sessionId=${PEER_SESSION}`;
    await using upstream = scriptedUpstream((_, to) => to.write(STREAM + endpoint(address)));
    const upstreamConfig = { url: upstream.url, transport: "http+sse" };
    await withProxy({ upstreamConfig }, async ({ origin, logs }) => {
      const told = await FIRST[clientKind](origin);
      assertEquals(JSON.parse(told).error.code, -31502);
      assertEquals([elsewhere.requests.length, upstream.requests.length], [0, 1]);
      for (const text of [told, ...logs]) assert(!text.includes(PEER_SESSION), text);
    });
  });

  Deno.test(`R71 R97 ${clientKind} client: a server's second endpoint is refused, and gets nothing`, async () => {
    let stream: ScriptedConnection | undefined;
    await using upstream = scriptedUpstream(async (request, to) => {
      if (request.line.startsWith("GET")) {
        stream = to;
        return await to.write(STREAM + endpoint(`/one?sessionId=${PEER_SESSION}`));
      }
      await to.write(ACCEPTED);
      await stream!.write(endpoint(`/two?sessionId=${PEER_SESSION}`));
    });
    const upstreamConfig = { url: upstream.url, transport: "http+sse" };
    await withProxy({ upstreamConfig }, async ({ origin, logs }) => {
      const told = await FIRST[clientKind](origin);
      assertEquals(JSON.parse(told).error.code, -31502);
      const paths = upstream.requests.map(({ line }) => line.split(/[ ?]/)[1]);
      assertEquals(paths, ["/mcp", "/one"]);
      for (const text of [told, ...logs]) assert(!text.includes(PEER_SESSION), text);
    });
  });
}

const KEYS = {
  alice: "sy_alice-0123456789012345678901234567",
  bob: "sy_bob-4567890123456789012345678",
};
const keys = Object.entries(KEYS).map(([name, key]) => ({ name, sha256: hashOfKey(key) }));
const bearer = (name: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[name]}` });

/** A request without a body, and with these fields. */
function bare(method: string, path: string, fields: Readonly<Record<string, string>> = {}): string {
  return sseGet(path, fields).replace("GET", method);
}

/** One request on each path, with each method, in each era. */
const REQUESTS: readonly ((fields: Readonly<Record<string, string>>) => string | Uint8Array)[] = [
  (fields) => jsonPost(messages.initialize(), fields),
  (fields) => jsonPost(messages.ping(), { ...fields, "mcp-session-id": "x" }),
  (fields) => modernPost("server/discover", {}, fields),
  (fields) => modernPost("tools/call", { name: "t" }, fields),
  (fields) => modernPost("subscriptions/listen", { notifications: {} }, fields),
  (fields) => bare("GET", "/mcp", fields),
  (fields) => bare("GET", "/mcp", { ...fields, "last-event-id": "x.1" }),
  (fields) => bare("DELETE", "/mcp", { ...fields, "mcp-session-id": "x" }),
  (fields) => bare("GET", "/mcp/sse", fields),
  (fields) => jsonPost(messages.initialize(), fields, "/mcp/sse"),
  (fields) => jsonPost(messages.initialize(), fields, "/mcp/messages?sessionId=x"),
  (fields) => bare("DELETE", "/mcp/messages?sessionId=x", fields),
];

for (const serverKind of SERVERS) {
  Deno.test(`R94 ${serverKind} server: without a key nothing gets through, on any path, by any method`, async () => {
    await using server = PEER_SERVERS[serverKind]();
    const config = { auth: { keys } };
    await withProxy({ upstreamConfig: server.upstream, config }, async ({ origin }) => {
      for (const request of REQUESTS) {
        for (const fields of [{}, { authorization: "Bearer sy_nobody" }]) {
          const { status, text } = await exchange(origin, request(fields));
          assertEquals([status, JSON.parse(text).error.code], [401, -31401]);
        }
      }
      assertEquals(server.messages, []);
    });
  });

  Deno.test(`R94 ${serverKind} server: a caller's sessions and streams do not exist for another`, () =>
    withCell(
      "session",
      serverKind,
      async ({ proxy: { origin }, server, client }) => {
        await client.call(7);
        const call = await server.call(0);
        await call.progress("for alice");
        const lastId = /^id: ?(.*)$/m.exec(await client.heard("for alice"))![1]!;
        using sse = await sseCaller(origin, "/mcp/sse", bearer("alice"));
        const before = server.messages.length;
        const session = { ...bearer("bob"), "mcp-session-id": client.secrets[0]! };
        const attempts = [
          jsonPost(messages.ping(), session),
          jsonPost(messages.initialized, session),
          bare("GET", "/mcp", session),
          bare("GET", "/mcp", { ...session, "last-event-id": lastId }),
          bare("DELETE", "/mcp", session),
          jsonPost(messages.ping(), bearer("bob"), sse.endpoint),
        ];
        for (const attempt of attempts) {
          assertEquals((await exchange(origin, attempt)).status, 404);
        }
        assertEquals(server.messages.length, before);
        await call.answer("still for alice");
        await client.heard("still for alice");
      },
      { auth: { keys } },
      bearer("alice"),
    ));
}

for (const serverKind of ["session", "HTTP+SSE", "stdio"] as const) {
  Deno.test(`R94 ${serverKind} server: a caller's requestState is worth nothing to another, and not used up`, async () => {
    await using server = PEER_SERVERS[serverKind]();
    const config = { auth: { keys } };
    await withProxy({ upstreamConfig: server.upstream, config }, async ({ origin }) => {
      const _meta = { "io.modelcontextprotocol/clientCapabilities": { elicitation: {} } };
      const post = (name: keyof typeof KEYS, more: object = {}) =>
        exchange(origin, modernPost("tools/call", { name: "t", _meta, ...more }, bearer(name)));
      const asked = post("alice");
      const call = await server.call(0);
      await call.ask(70);
      const { requestState, inputRequests } = JSON.parse((await asked).text).result;
      const [key] = Object.keys(inputRequests);
      const retry = { requestState, inputResponses: { [key!]: { action: "decline" } } };
      const before = server.messages.length;
      const stolen = await post("bob", retry);
      assertEquals([stolen.status, JSON.parse(stolen.text).error.code], [400, -32602]);
      assertEquals(server.messages.length, before);
      const mine = post("alice", retry);
      await call.answer("for alice");
      assertStringIncludes((await mine).text, "for alice");
    });
  });
}

/** The texts of the admin pages. */
async function pages(proxy: TestProxy): Promise<string[]> {
  const list = (await page(proxy, "/sessions")).text;
  const all = [list, (await page(proxy, "/status")).text];
  for (const { key } of JSON.parse(list).sessions) {
    all.push((await page(proxy, `/sessions/${key}`)).text);
  }
  return all;
}

for (const clientKind of CLIENTS) {
  for (const serverKind of SERVERS) {
    Deno.test(`R97 ${clientKind} client, ${serverKind} server: ids of sessions are in no log line, page or error`, () =>
      withCell(clientKind, serverKind, async ({ proxy, server, client }) => {
        await client.call(7);
        const call = await server.call(0);
        await call.progress("on its way");
        const heard = [await client.heard("on its way")];
        const told = await pages(proxy);
        await call.answer("at last");
        heard.push(await client.heard("at last"));
        await client.call(8);
        await server.call(1);
        await server[Symbol.asyncDispose]();
        heard.push(await client.heard('"error"'));
        // The session of a client of HTTP+SSE may be over with its stream.
        if (clientKind !== "HTTP+SSE") {
          await client.call(9);
          heard.push(await client.heard('"error"'));
        }
        told.push(...await pages(proxy), ...proxy.logs);
        assert(proxy.logs.length > 1);
        for (const text of [...heard, ...told]) assert(!text.includes(PEER_SESSION), text);
        for (const secret of client.secrets) {
          for (const text of told) assert(!text.includes(secret), text);
        }
      }));
  }
}
