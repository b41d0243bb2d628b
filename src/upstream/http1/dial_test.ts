import { assertEquals, assertRejects } from "@std/assert";
import { createServer, type Server } from "node:https";
import { systemClock } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import { NEVER_ABORTED } from "../../http/mod.ts";
import { ManualClock } from "../../testing/manual_clock.ts";
import { scriptedUpstream } from "../../testing/scripted_upstream.ts";
import type { HttpTarget } from "../http_client.ts";
import { http1Client } from "./client.ts";
import { dial } from "./dial.ts";

const TLS = new URL("../../../fixtures/tls/", import.meta.url);
const read = (name: string) => Deno.readTextFileSync(new URL(name, TLS));

const LIMITS = {
  connectTimeoutMs: 5_000,
  maxConnections: 1,
  maxStreams: 1,
  maxQueued: 1,
  queueTimeoutMs: 1_000,
  keepAliveMs: 1_000,
  clock: systemClock,
};
const MS = 5_000;
const TIMEOUTS = { headersMs: MS, totalMs: MS, bodyIdleMs: MS, streamIdleMs: MS };
const GET = { method: "GET", path: "/", fields: [], body: null, signal: NEVER_ABORTED };

async function status(target: HttpTarget): Promise<number> {
  const client = http1Client({ ...LIMITS, target });
  try {
    const answer = await client.send({ ...GET, timeouts: TIMEOUTS });
    await answer.body.bytesWithin(1_024);
    return answer.status;
  } finally {
    await client.close();
  }
}

Deno.test("an address of a target is dialled, whatever its name resolves to", async () => {
  await using server = scriptedUpstream((_, to) =>
    to.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
  );
  const port = Number(new URL(server.url).port);
  const target = {
    kind: "tcp",
    hostname: "nowhere.invalid",
    port,
    host: "nowhere.invalid",
  } as const;
  assertEquals(await status({ ...target, address: "127.0.0.1" }), 200);
  assertEquals(server.requests[0]!.field("host"), "nowhere.invalid");
  const error = await assertRejects(() => status(target), ProxyError);
  assertEquals(error.kind, "upstream_unreachable");
});

Deno.test("over TLS the certificate is held against the name, not the address", async () => {
  let answered = 0;
  const server: Server = createServer(
    { cert: read("server.pem"), key: read("server.key") },
    (_, response) => {
      answered++;
      response.end();
    },
  );
  const port = await new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port))
  );
  const tls = { caCerts: [read("ca.pem")], cert: undefined, key: undefined };
  const named = (hostname: string) =>
    ({ kind: "tcp", hostname, address: "127.0.0.1", port, host: hostname, tls }) as const;
  assertEquals(await status(named("localhost")), 200);
  const error = await assertRejects(() => status(named("other.example.com")), ProxyError);
  assertEquals(error.kind, "upstream_unreachable");
  assertEquals(answered, 1);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** A TCP server whose connections say nothing as long as `answering` is undefined, and are that port's otherwise. */
function silentServer() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const arrivals: { readonly greeted: Promise<void>; readonly over: Promise<void> }[] = [];
  const arrived = new Set<() => void>();
  const open = new Set<Deno.TcpConn>();
  const server = { answering: undefined as number | undefined };
  const accepting = (async () => {
    for await (const connection of listener) {
      open.add(connection);
      const greeted = Promise.withResolvers<void>();
      const over = serve(connection, greeted.resolve, server.answering).finally(() => {
        open.delete(connection);
        greeted.resolve();
      });
      arrivals.push({ greeted: greeted.promise, over });
      for (const tell of arrived) tell();
    }
  })();
  return {
    server,
    port: (listener.addr as Deno.NetAddr).port,
    open,
    count: () => arrivals.length,
    /** The connection of this number, once its client has begun a handshake. */
    async greeted(at: number): Promise<{ readonly over: Promise<void> }> {
      while (arrivals.length <= at) {
        await new Promise<void>((resolve) => arrived.add(resolve));
      }
      await arrivals[at]!.greeted;
      return arrivals[at]!;
    },
    async close(): Promise<void> {
      listener.close();
      for (const connection of open) connection.close();
      await accepting;
      await Promise.all(arrivals.map(({ over }) => over));
    },
  };
}

async function serve(
  connection: Deno.TcpConn,
  greeted: () => void,
  answering: number | undefined,
): Promise<void> {
  try {
    if (answering !== undefined) {
      const behind = await Deno.connect({ hostname: "127.0.0.1", port: answering });
      greeted();
      await Promise.all([
        connection.readable.pipeTo(behind.writable),
        behind.readable.pipeTo(connection.writable),
      ]);
      return;
    }
    const bytes = new Uint8Array(4_096);
    while (await connection.read(bytes) !== null) greeted();
    connection.close();
  } catch {
    // Cut by either side.
  }
}

for (const hostname of ["localhost", "127.0.0.1"]) {
  Deno.test(`a peer that shakes no hands holds one socket, however often it is dialled, and is dialled anew once it does (${hostname})`, async () => {
    const behind: Server = createServer(
      { cert: read("server.pem"), key: read("server.key") },
      (_, response) => void response.end(),
    );
    const answering = await new Promise<number>((resolve) =>
      behind.listen(0, "127.0.0.1", () => resolve((behind.address() as { port: number }).port))
    );
    const silent = silentServer();
    const tls = { caCerts: [read("ca.pem")], cert: undefined, key: undefined };
    const { port } = silent;
    const target = { kind: "tcp", hostname, port, host: hostname, tls } as const;
    const clock = new ManualClock();
    const kindOf = async (dialling: Promise<unknown>) =>
      (await assertRejects(() => dialling, ProxyError)).kind;
    for (let at = 0; at < 4; at++) {
      const given = new AbortController();
      const dialling = kindOf(dial(target, 1_000, clock, given.signal));
      const { over } = await silent.greeted(at);
      if (at % 2 === 0) clock.advance(1_000);
      else given.abort(new ProxyError("client_closed", "Given up."));
      assertEquals(await dialling, at % 2 === 0 ? "upstream_connect_timeout" : "client_closed");
      // The runtime closes no socket in a handshake, so the first one stays; what comes behind it is closed.
      if (at > 0) await over;
      assertEquals(silent.open.size, 1);
    }
    silent.server.answering = answering;
    assertEquals(await status(target), 200);
    assertEquals(silent.count(), 6);
    await silent.close();
    behind.closeAllConnections();
    await new Promise((resolve) => behind.close(resolve));
  });
}

Deno.test("a client that is closed gives up its handshakes, and what it was dialling with is not used", async () => {
  const silent = silentServer();
  const tls = { caCerts: [], cert: undefined, key: undefined };
  const { port } = silent;
  const client = http1Client({
    ...LIMITS,
    target: { kind: "tcp", hostname: "localhost", port, host: "localhost", tls },
  });
  const asking = assertRejects(() => client.send({ ...GET, timeouts: TIMEOUTS }), ProxyError);
  await silent.greeted(0);
  await client.close();
  assertEquals((await asking).kind, "stopping");
  const again = dial(
    { kind: "tcp", hostname: "localhost", port, host: "localhost", tls },
    1_000,
    new ManualClock(),
    AbortSignal.any([]),
  );
  const { over } = await silent.greeted(1);
  // It was a trial, which the server ends.
  const failed = assertRejects(() => again, ProxyError);
  await silent.close();
  await over;
  assertEquals((await failed).kind, "upstream_unreachable");
});
