/**
 * R68: what is not over when the deadline of a stop is, for clients of each transport and era, over real sockets:
 * they are told that the proxy has cut it, and whether their request may have run (R60).
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import * as admin from "../testing/admin.ts";
import { eventServer } from "../testing/event_server.ts";
import * as messages from "../testing/messages.ts";
import * as peerClients from "../testing/peer_clients.ts";
import * as peers from "../testing/peer_servers.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { jsonPost, postText, RawClient, type RawResponse } from "../testing/raw_client.ts";
import { scriptedUpstream } from "../testing/scripted_upstream.ts";
import { SessionCaller } from "../testing/session_caller.ts";
import { sseCaller } from "../testing/sse_caller.ts";
import * as streams from "../testing/streams.ts";

const { adminRequest } = admin;
const { PEER_CLIENTS } = peerClients;
const { PEER_SERVERS } = peers;

const CLIENTS = Object.keys(PEER_CLIENTS) as peerClients.PeerClientKind[];
const SERVERS = Object.keys(PEER_SERVERS) as peers.PeerServerKind[];

const SSE_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "transfer-encoding: chunked\r\n\r\n";
const MAY_HAVE_RUN = "may have been carried out";
const NOT_SENT = "was not sent: send it again";

/** What a client is told, and whether it may send the request again at once. */
function told({ status, text, headers }: RawResponse) {
  const { code, message } = JSON.parse(text).error;
  return { status, code, message: message as string, retryAfter: headers.get("retry-after") };
}

function assertCut(answer: RawResponse): void {
  const { message, ...rest } = told(answer);
  assertEquals(rest, { status: 503, code: -31503, retryAfter: undefined });
  assertStringIncludes(message, MAY_HAVE_RUN);
}

function assertUnsent(answer: RawResponse): void {
  const { message, ...rest } = told(answer);
  assertEquals(rest, { status: 503, code: -31503, retryAfter: "1" });
  assertStringIncludes(message, NOT_SENT);
}

/** A stop is no failure of the proxy's nor of a server: nothing is an error, and no target is blamed. */
function assertCalm({ logs }: TestProxy): void {
  const lines = logs.map((line) => JSON.parse(line));
  assertEquals(lines.filter(({ level }) => level === "error"), []);
  const failed = lines.filter(({ message }) => message === "request failed");
  assertEquals(failed.filter(({ kind }) => kind !== "stopping"), []);
  assertEquals(lines.filter(({ message }) => /target/.test(message)), []);
}

/** Runs a call up to where `isThere` says that it waits, stops the proxy, and gives what the client is told. */
async function stoppedAt(
  proxy: TestProxy,
  answer: Promise<RawResponse>,
  isThere: Promise<unknown>,
): Promise<RawResponse> {
  await isThere;
  assertEquals(await proxy.stop(), false);
  return await answer;
}

Deno.test("R68 a call that was sent and not answered when the deadline is over may have run", async () => {
  await using upstream = scriptedUpstream(() => {});
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const answer = postText(proxy.origin, messages.ping());
    assertCut(await stoppedAt(proxy, answer, upstream.received(0)));
    assertEquals(upstream.requests.length, 1);
    assertCalm(proxy);
  });
});

Deno.test("R68 a call that waits for a connection when the deadline is over was not sent", async () => {
  await using upstream = scriptedUpstream(() => {});
  const upstreamConfig = { maxConnections: 1, era: "both" };
  const config = { admin: "127.0.0.1:0" };
  await withProxy({ upstream: upstream.url, upstreamConfig, config }, async (proxy) => {
    const first = postText(proxy.origin, messages.ping());
    await upstream.received(0);
    using waiting = await RawClient.connect(proxy.origin);
    await waiting.write(jsonPost(messages.ping("2")));
    const asked = async () =>
      JSON.parse((await adminRequest(proxy.adminOrigin, "GET", "/drain")).text).requestsWaiting;
    while (await asked() < 2);
    assertCut(await stoppedAt(proxy, first, Promise.resolve()));
    assertUnsent(await waiting.readResponse());
    assertEquals(upstream.requests.length, 1);
    assertCalm(proxy);
  });
});

Deno.test("R68 a call whose connection is being made when the deadline is over was not sent", async () => {
  // Its TLS handshake is never answered: the connection is there for the listener alone.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `https://127.0.0.1:${listener.addr.port}/mcp`;
  await withProxy({ upstream: url, upstreamConfig: { era: "both" } }, async (proxy) => {
    const answer = postText(proxy.origin, messages.ping());
    using _dialled = await listener.accept();
    assertUnsent(await stoppedAt(proxy, answer, Promise.resolve()));
    assertCalm(proxy);
  });
});

Deno.test("R68 a stream that runs when the deadline is over ends with the error", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(SSE_HEAD + "3\r\n:\n\n\r\n"));
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    using client = await RawClient.connect(proxy.origin);
    await client.write(jsonPost(messages.ping()));
    await client.readHead();
    assertEquals(await client.readChunk(), ":\n\n");
    assertEquals(await proxy.stop(), false);
    const event = await client.readChunk();
    assertStringIncludes(event!, '"id":1,"error":{"code":-31503');
    assertStringIncludes(event!, MAY_HAVE_RUN);
    assertCalm(proxy);
  });
});

Deno.test("R68 HTTP+SSE client: a stream that could be taken up again is not, by a proxy that stops", async () => {
  await using upstream = eventServer({
    otherwise: async ({ line }, to) => {
      if (line.startsWith("GET")) await to.write("HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n");
      return line.startsWith("GET");
    },
  });
  // A proxy that tried it again would find the wait too long.
  const reconnect = { attempts: 3, initialDelayMs: 60_000, maxDelayMs: 60_000 };
  const upstreamConfig = { era: "both", reconnect };
  await withProxy({ upstream: upstream.url, upstreamConfig }, async (proxy) => {
    using caller = await sseCaller(proxy.origin);
    await caller.start();
    await caller.post('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}');
    await (await upstream.stream(0)).send(streams.event("1", streams.progress(1)));
    assertEquals(await caller.next(), streams.progress(1));
    assertEquals(await proxy.stop(), false);
    const { id, error } = JSON.parse(await caller.next());
    assertEquals([id, error.code], [7, -31503]);
    assertStringIncludes(error.message, MAY_HAVE_RUN);
    assertCalm(proxy);
  });
});

Deno.test("R60 R68 a stop ejects no target and sends nothing to another one, whatever may run twice", async () => {
  await using one = scriptedUpstream(() => {});
  await using other = scriptedUpstream(() => {});
  const targets = [{ name: "one", url: one.url }, { name: "other", url: other.url }];
  const health = { probe: "off", maxFailures: 1 };
  const upstreamConfig = { targets, era: "both", balance: { retries: 2 }, health };
  await withProxy({ upstreamConfig }, async (proxy) => {
    const list = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
    const answer = postText(proxy.origin, list);
    const asked = Promise.race([one.received(0), other.received(0)]);
    assertCut(await stoppedAt(proxy, answer, asked));
    assertEquals(one.requests.length + other.requests.length, 1);
    assertCalm(proxy);
  });
});

for (const sessions of ["dedicated", "shared"]) {
  Deno.test(`R68 a call in a ${sessions} session is told with its status that it may have run`, async () => {
    await using server = PEER_SERVERS.session();
    const upstreamConfig = { ...server.upstream, sessions };
    await withProxy({ upstreamConfig }, async (proxy) => {
      const caller = await new SessionCaller(proxy).ready();
      const answer = caller.ask("tools/call", { name: "t", arguments: {} });
      assertCut(await stoppedAt(proxy, answer, server.call(0)));
      assertCalm(proxy);
    });
  });
}

for (const clientKind of CLIENTS) {
  for (const serverKind of SERVERS) {
    // A resumable stream breaks off without a word: its client comes back for the rest, elsewhere (2025-11-25
    // basic/transports, "Resumability and Redelivery").
    const whens = ["ahead of the answer", ...(clientKind === "session" ? [] : ["in mid-stream"])];
    for (const when of whens) {
      Deno.test(`R68 ${clientKind} client, ${serverKind} server: a call that is cut ${when} may have run`, async () => {
        await using server = PEER_SERVERS[serverKind]();
        await withProxy({ upstreamConfig: server.upstream }, async (proxy) => {
          const client = await PEER_CLIENTS[clientKind](proxy.origin);
          try {
            await client.call(7);
            const call = await server.call(0);
            if (when === "in mid-stream") {
              await call.progress("on its way");
              await client.heard("on its way");
            }
            assertEquals(await proxy.stop(), false);
            const heard = await client.heard('"code":-31503');
            assertStringIncludes(heard, MAY_HAVE_RUN);
            assertCalm(proxy);
          } finally {
            client.leave();
          }
        });
      });
    }
  }
}
