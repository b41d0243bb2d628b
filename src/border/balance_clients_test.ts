/**
 * R66: several targets behind one route, for clients and servers of every kind, over real sockets.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { startHttpSseServer } from "../../conformance/servers/http_sse.ts";
import * as balanced from "../testing/balanced.ts";
import * as eventClient from "../testing/event_client.ts";
import { type ScriptedConnection, scriptedUpstream } from "../testing/scripted_upstream.ts";
import { SessionCaller } from "../testing/session_caller.ts";
import { type SessionUpstream, sessionUpstream } from "../testing/session_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";

const { before, leavable, MODERN, modern, modernServer, nobody, times, told } = balanced;

Deno.test("R66 clients of HTTP+SSE stay with their target, and go on elsewhere where it is lost", async () => {
  await using a = leavable();
  await using b = leavable();
  await before({ a, b }, async (proxy) => {
    using one = await sseCaller(proxy.origin);
    await one.start();
    using other = await sseCaller(proxy.origin);
    await other.start();
    const call = (id: number) => `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{}}`;
    for (const caller of [one, other]) {
      for (const id of [1, 2]) {
        await caller.post(call(id));
        assertEquals(JSON.parse(await caller.next()).id, id);
      }
    }
    assertEquals([times(a, "tools/call"), times(b, "tools/call")], [2, 2]);
    await a.close();
    for (const caller of [one, other]) {
      await caller.post(call(3));
      assertEquals(JSON.parse(await caller.next()).result.method, "tools/call");
    }
    assertEquals([times(b, "initialize"), times(b, "tools/call")], [2, 4]);
  });
});

Deno.test("R66 a shared session goes on elsewhere where its target is lost, begun there once", async () => {
  await using a = leavable();
  await using b = leavable();
  await before({ a, b }, async (proxy) => {
    const clients: SessionCaller[] = [];
    for (let count = 0; count < 5; count++) clients.push(await new SessionCaller(proxy).ready());
    assertEquals([times(a, "initialize"), times(b, "initialize")], [1, 0]);
    await a.close();
    const answers = await Promise.all(clients.map((client) => client.ask("tools/call")));
    assertEquals(answers.map(({ status }) => status), Array(5).fill(200));
    assertEquals([times(b, "initialize"), times(b, "tools/call")], [1, 5]);
  }, { sessions: "shared" });
});

Deno.test("modern clients go on where the target of their bridge's session is lost", async () => {
  await using a = leavable();
  await using b = leavable();
  const isLeft = (server: SessionUpstream) => times(server, "tools/call");
  await before({ a, b }, async (proxy) => {
    for (let count = 0; count < 4; count++) {
      assertEquals((await modern(proxy, "tools/call")).status, 200);
    }
    const [left, other] = isLeft(a) > 0 ? [a, b] : [b, a];
    const already = isLeft(other);
    await left.close();
    for (let count = 0; count < 4; count++) {
      assertEquals((await modern(proxy, "tools/call")).status, 200);
    }
    assertEquals(isLeft(other) - already, 4);
  }, { era: "session" });
});

Deno.test("clients of sessions before modern servers: what refuses gets nothing, calls arrive once", async () => {
  await using b = modernServer();
  const a = await nobody();
  await before({ a, b }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    for (let count = 0; count < 4; count++) {
      const { status, text } = await client.ask("tools/call", { name: "t" });
      assertEquals([status, JSON.parse(text).result], [200, { content: [] }]);
    }
    assertEquals(times(b, "tools/call"), 4);
  }, MODERN);
});

Deno.test("hash-session has the requests of a session at one modern server, those of many at all", async () => {
  await using a = modernServer();
  await using b = modernServer();
  const calls = () => [times(a, "tools/call"), times(b, "tools/call")];
  await before({ a, b }, async (proxy) => {
    for (let count = 1; count <= 16; count++) {
      const earlier = calls();
      const client = await new SessionCaller(proxy).ready();
      for (let call = 0; call < 4; call++) {
        assertEquals((await client.ask("tools/call", { name: "t" })).status, 200);
      }
      assertEquals(calls().map((now, at) => now - earlier[at]!).sort(), [0, 4]);
    }
    assert(calls().every((some) => some > 0));
  }, { ...MODERN, balance: { policy: "hash-session" } });
});

Deno.test("servers of HTTP+SSE are balanced as well: sessions stay, and go on elsewhere", async () => {
  const [a, b] = await Promise.all([startHttpSseServer(), startHttpSseServer()]);
  let isOpen = true;
  try {
    await before({ a, b }, async (proxy) => {
      const clients: SessionCaller[] = [];
      for (let count = 0; count < 4; count++) clients.push(await new SessionCaller(proxy).ready());
      for (const client of clients) assertEquals((await client.ask("tools/list")).status, 200);
      const { channels } = await told(proxy);
      assertEquals([channels.a.sessions, channels.b.sessions], [2, 2]);
      await a.close();
      isOpen = false;
      for (const client of clients) assertEquals((await client.ask("tools/list")).status, 200);
      assertEquals((await told(proxy)).channels.b.sessions, 4);
    }, { transport: "http+sse" });
  } finally {
    if (isOpen) await a.close();
    await b.close();
  }
});

Deno.test("R64 R65 a server of HTTP+SSE that refuses its stream is left alone, and its sessions open elsewhere", async () => {
  const refusing = scriptedUpstream((_, to) =>
    to.write("HTTP/1.1 503 Busy\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n")
  );
  const well = await startHttpSseServer();
  try {
    await before({ a: refusing, b: well }, async (proxy) => {
      for (let count = 0; count < 6; count++) {
        assertEquals(
          (await (await new SessionCaller(proxy).ready()).ask("tools/list")).status,
          200,
        );
      }
      const { targets } = await told(proxy);
      assertEquals(targets.map(({ failures }: { failures: number }) => failures), [1, 0]);
      assertEquals(refusing.requests.length, 1);
    }, { transport: "http+sse" });
  } finally {
    await well.close();
    await refusing.close();
  }
});

Deno.test("targets are probed: one that is down loses its sessions before a call has failed", async () => {
  await using a = leavable();
  await using b = leavable();
  const health = { probe: "ping", intervalMs: 20, timeoutMs: 1_000, unhealthyAfter: 2 };
  await before({ a, b }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    await a.close();
    while (!proxy.logs.some((line) => line.includes("a target is down"))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assertEquals((await client.ask("tools/call")).status, 200);
    const { targets: [told0] } = await told(proxy);
    assertEquals([told0.state, told0.probe.ok, told0.failures], ["down", false, 0]);
    assertEquals([times(b, "initialize"), times(b, "tools/call")], [1, 1]);
  }, { health });
});

const SSE_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "connection: close\r\ntransfer-encoding: chunked\r\n\r\n";

/** A server with sessions that speaks first, and leaves that stream open where it answers nothing any more. */
function speaking() {
  let isHung = false;
  let stream = Promise.withResolvers<ScriptedConnection>();
  const upstream = sessionUpstream({
    instead: async ({ method }, to) => {
      if (isHung) to.close();
      if (isHung || method !== "GET") return isHung;
      await to.write(SSE_HEAD);
      stream.resolve(to);
      return true;
    },
  });
  return {
    ...upstream,
    hang: () => void (isHung = true),
    async say(data: string) {
      const text = `data: ${data}\n\n`;
      await (await stream.promise).write(`${text.length.toString(16)}\r\n${text}\r\n`);
    },
    /** Resolves when the proxy has closed the stream. */
    async left() {
      await (await stream.promise).closed;
      stream = Promise.withResolvers();
    },
    [Symbol.asyncDispose]: upstream.close,
  };
}

const QUICKLY = {
  health: { probe: "ping", intervalMs: 20, timeoutMs: 10_000, unhealthyAfter: 2 },
  reconnect: { attempts: 3, initialDelayMs: 1 },
};

const NEWS = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}';

/** The data of the next event that has some; null where the stream has ended. */
async function nextData(stream: eventClient.ClientStream): Promise<string | null> {
  for (;;) {
    const next = await stream.next();
    if (next === null || next === "cut") return null;
    if (next.data !== undefined && next.data !== "") return next.data;
  }
}

Deno.test("R66 a client that only listens goes on elsewhere when its target is down, and asks for nothing", async () => {
  await using a = speaking();
  await using b = speaking();
  await before({ a, b }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    using stream = await eventClient.listen(proxy.origin, client.id);
    await a.say(NEWS);
    assertEquals(await nextData(stream), NEWS);
    a.hang();
    await a.left();
    await b.say(NEWS);
    assertEquals(await nextData(stream), NEWS);
    assertEquals([times(a, "initialize"), times(b, "initialize")], [1, 1]);
  }, QUICKLY);
});

Deno.test("a client that only listens leaves a target that was drained long enough, which is idle then", async () => {
  await using a = speaking();
  await using b = speaking();
  await before({ a, b }, async (proxy) => {
    const client = await new SessionCaller(proxy).ready();
    using stream = await eventClient.listen(proxy.origin, client.id);
    await a.say(NEWS);
    assertEquals(await nextData(stream), NEWS);
    const drain = "/targets/%2Fmcp/a/drain?moveAfterMs=0";
    const drained = await fetch(proxy.adminOrigin + drain, { method: "POST" });
    assertEquals([drained.status, await drained.text() !== ""], [200, true]);
    await a.left();
    await b.say(NEWS);
    assertEquals(await nextData(stream), NEWS);
    const { targets } = await told(proxy);
    assertEquals(targets.map(({ underWay }: { underWay: number }) => underWay), [0, 1]);
  }, QUICKLY);
});

Deno.test("R66 one of HTTP+SSE goes on elsewhere as well when its target is down", async () => {
  await using a = speaking();
  await using b = speaking();
  await before({ a, b }, async (proxy) => {
    using caller = await sseCaller(proxy.origin);
    await caller.start();
    await a.say(NEWS);
    assertEquals(await caller.next(), NEWS);
    a.hang();
    await a.left();
    await b.say(NEWS);
    assertEquals(await caller.next(), NEWS);
  }, QUICKLY);
});

Deno.test("R59 R66 a stream that passes as bytes breaks off when its target is down; the next one is elsewhere", async () => {
  await using a = speaking();
  await using b = speaking();
  await before(
    { a, b },
    async (proxy) => {
      const client = await new SessionCaller(proxy).ready();
      using stream = await eventClient.listen(proxy.origin, client.id);
      await a.say(NEWS);
      assertEquals(await nextData(stream), NEWS);
      a.hang();
      assertEquals(await stream.next(), "cut");
      using again = await eventClient.listen(proxy.origin, client.id);
      await b.say(NEWS);
      assertEquals(await nextData(again), NEWS);
    },
    QUICKLY,
    [],
    { eventLog: { store: "off" } },
  );
});
