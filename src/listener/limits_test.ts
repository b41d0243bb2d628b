/**
 * R83, R84, R68: deadlines, the cap on connections, and stopping, over real sockets.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Clock } from "../clock.ts";
import { type AnswerSource, Fields, type Handler } from "../http/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { RawClient } from "../testing/raw_client.ts";
import { TEST_LIMITS, testServer } from "../testing/server.ts";
import { LINGER_MS, Listener } from "./switchyard_server.ts";

const GET = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
const ok: Handler = () =>
  Promise.resolve({ status: 200, fields: new Fields(), body: new TextEncoder().encode("ok") });
const short = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("R83 a head that comes byte by byte is answered with 408 at its deadline", async () => {
  const clock = new ManualClock();
  await using server = testServer(ok, { requestHeadTimeoutMs: 1_000 }, clock);
  using client = await RawClient.connect(server.origin);
  await client.write("G");
  await short();
  for (const byte of "ET / HTTP/1.1\r\nx: y") {
    clock.advance(50);
    await client.write(byte);
  }
  await short();
  // Bytes do not put it off: 18 of 50 ms have passed.
  clock.advance(100);
  const { status, headers } = await client.readResponse();
  assertEquals([status, headers.get("connection")], [408, "close"]);
  assert(await client.ended());
  assertEquals(server.events, ["refused head_timeout"]);
});

Deno.test("R83 a connection on which nothing comes is closed without a word", async () => {
  const clock = new ManualClock();
  await using server = testServer(ok, { requestHeadTimeoutMs: 1_000 }, clock);
  using client = await RawClient.connect(server.origin);
  while (clock.timers === 0) await short(1);
  clock.advance(1_000);
  assert(await client.ended());
  assertEquals(server.events, []);
});

Deno.test("R83 a connection without a request is closed at its deadline, one with a request is not", async () => {
  const clock = new ManualClock();
  const release = Promise.withResolvers<void>();
  await using server = testServer(
    async (request) => {
      if (request.target === "/slow") await release.promise;
      return await ok(request);
    },
    { connectionIdleTimeoutMs: 1_000, requestHeadTimeoutMs: 1_000 },
    clock,
  );
  using idle = await RawClient.connect(server.origin);
  using busy = await RawClient.connect(server.origin);
  await idle.write(GET);
  await idle.readResponse();
  await busy.write(GET.replace("/ ", "/slow "));
  await short();
  clock.advance(999);
  await idle.write(GET);
  assertEquals((await idle.readResponse()).status, 200);
  await short();
  clock.advance(1_000);
  assert(await idle.ended());
  clock.advance(100_000);
  release.resolve();
  assertEquals((await busy.readResponse()).status, 200);
});

Deno.test("R83 a body that does not come is a 408 at its deadline", async () => {
  const clock = new ManualClock();
  const asked = Promise.withResolvers<void>();
  await using server = testServer(
    async (request) => {
      const reading = request.body();
      asked.resolve();
      try {
        await reading;
        return await ok(request);
      } catch (error) {
        const { kind, status } = error as { kind: string; status: number };
        return { status, fields: new Fields(["x-kind", kind]), body: null };
      }
    },
    { requestBodyTimeoutMs: 1_000 },
    clock,
  );
  using client = await RawClient.connect(server.origin);
  await client.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhell");
  await asked.promise;
  clock.advance(1_000);
  const { status, headers } = await client.readResponse();
  assertEquals([status, headers.get("x-kind")], [408, "body_timeout"]);
  assert(await client.ended());
});

Deno.test("R83 a client that neither reads nor closes is not waited for behind a refusal", async () => {
  const clock = new ManualClock();
  await using server = testServer(ok, {}, clock);
  using client = await RawClient.connect(server.origin);
  await client.write("BAD\r\n\r\n");
  assertEquals((await client.readResponse()).status, 400);
  assert(await client.ended());
  const stopped = server.server.shutdown().then(() => "stopped");
  assertEquals(await stopped, "stopped");
  await using other = testServer(ok, {}, clock);
  using lingerer = await RawClient.connect(other.origin);
  await lingerer.write("BAD\r\n\r\n");
  await lingerer.readResponse();
  await short();
  clock.advance(LINGER_MS);
  await short();
  // The server's end is closed now: what is written meets a reset.
  let failed = false;
  for (let tries = 0; tries < 20 && !failed; tries++) {
    await lingerer.write("x").catch(() => failed = true);
    await short(5);
  }
  assert(failed);
});

Deno.test("R83 one timer of each kind (heads, idleness, writes) serves all connections", async () => {
  const clock = new ManualClock();
  await using server = testServer(ok, {}, clock);
  const clients = await Promise.all(
    Array.from({ length: 50 }, () => RawClient.connect(server.origin)),
  );
  for (const client of clients) await client.write(GET);
  for (const client of clients) await client.readResponse();
  assert(clock.timers <= 3, `${clock.timers} timers`);
  for (const client of clients) client.close();
});

Deno.test("R84 a connection over the limit gets 503 and Retry-After, and one that ends makes room", async () => {
  await using server = testServer(ok, { maxConnections: 2 });
  const clients = [await RawClient.connect(server.origin), await RawClient.connect(server.origin)];
  for (const client of clients) {
    await client.write(GET);
    assertEquals((await client.readResponse()).status, 200);
  }
  for (let time = 0; time < 3; time++) {
    using over = await RawClient.connect(server.origin);
    await over.write(GET);
    const { status, headers } = await over.readResponse();
    assertEquals([status, headers.get("retry-after"), headers.get("connection")], [
      503,
      "1",
      "close",
    ]);
    assert(await over.ended());
  }
  clients[0]!.close();
  await short();
  using next = await RawClient.connect(server.origin);
  await next.write(GET);
  assertEquals((await next.readResponse()).status, 200);
  assertEquals(server.events.filter((event) => event === "full").length, 1);
  clients[1]!.close();
});

Deno.test("R84 of many connections over the limit some are told so, the rest are closed", async () => {
  await using server = testServer(ok, { maxConnections: 1 });
  using first = await RawClient.connect(server.origin);
  await first.write(GET);
  await first.readResponse();
  const over = await Promise.all(
    Array.from({ length: 200 }, () => RawClient.connect(server.origin)),
  );
  await short(50);
  await first.write(GET);
  assertEquals((await first.readResponse()).status, 200);
  const told = await Promise.all(over.map((client) => client.readHead().then(() => 1, () => 0)));
  const count = told.reduce<number>((sum, one) => sum + one, 0);
  assertEquals(count, 64);
  for (const client of over) client.close();
});

Deno.test("a connection that cannot be taken is told of, and the next is taken after a pause", async () => {
  const clock = new ManualClock();
  const events: string[] = [];
  const inner = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let failures = 2;
  const acceptor = {
    addr: inner.addr,
    close: () => inner.close(),
    accept: () => failures-- > 0 ? Promise.reject(new Error("EMFILE")) : inner.accept(),
  };
  const listener = new Listener(acceptor, {
    hostname: "",
    port: 0,
    handler: ok,
    limits: TEST_LIMITS,
    clock: clock as Clock,
    events: {
      refused() {},
      cutShort() {},
      full() {},
      acceptFailed: () => events.push("failed"),
    },
  });
  for (let time = 0; time < 2; time++) {
    while (clock.timers === 0) await short(1);
    clock.advance(100);
    await short(1);
  }
  using client = await RawClient.connect(`http://127.0.0.1:${listener.address.port}`);
  await client.write(GET);
  assertEquals([(await client.readResponse()).status, events], [200, ["failed", "failed"]]);
  await listener.shutdown();
  assertEquals(clock.timers, 0);
});

Deno.test("R68 shutdown() closes connections without a request, and answers the others with close", async () => {
  const release = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  await using server = testServer(async (request) => {
    if (request.target === "/slow") {
      arrived.resolve();
      await release.promise;
    }
    return await ok(request);
  });
  using fresh = await RawClient.connect(server.origin);
  using idle = await RawClient.connect(server.origin);
  await idle.write(GET);
  await idle.readResponse();
  using part = await RawClient.connect(server.origin);
  await part.write("GET / HTTP/1.1\r\nhost: ");
  using busy = await RawClient.connect(server.origin);
  await busy.write(GET.replace("/ ", "/slow "));
  await arrived.promise;
  const stopped = server.server.shutdown();
  assert(await fresh.ended() && await idle.ended());
  await Promise.all([part.write("localhost\r\n\r\n"), short()]);
  release.resolve();
  for (const client of [part, busy]) {
    const { status, headers } = await client.readResponse();
    assertEquals([status, headers.get("connection")], [200, "close"]);
    assert(await client.ended());
  }
  await stopped;
  const refused = await RawClient.connect(server.origin).then((client) => client.close(), () => 1);
  assertEquals(refused, 1);
});

Deno.test("cut() closes what is under way, and the handler hears of it", async () => {
  const left = Promise.withResolvers<void>();
  await using server = testServer(async (request) => {
    request.signal.addEventListener("abort", left.resolve);
    await left.promise;
    return await ok(request);
  });
  using client = await RawClient.connect(server.origin);
  await client.write(GET);
  await short();
  const stopped = server.server.shutdown();
  server.server.cut();
  await left.promise;
  await stopped;
  assert(await client.ended());
});

/** An answer without an end, and how often it was asked for more. */
function endless() {
  const given = Promise.withResolvers<void>();
  const state = { pulled: 0 };
  const source: AnswerSource = {
    ended: false,
    next: () => {
      state.pulled++;
      return [new Uint8Array(65_536)];
    },
    discard: given.resolve,
  };
  const handler: Handler = () =>
    Promise.resolve({ status: 200, fields: new Fields(), body: source });
  /** Resolves when the sockets are full: nothing is asked for any more. */
  const full = async () => {
    for (let before = -1; state.pulled !== before;) {
      before = state.pulled;
      await short(100);
    }
  };
  return { handler, full, state, discarded: given.promise };
}

Deno.test("R53 a client that has stopped reading is dropped at its deadline, and told of", async () => {
  const clock = new ManualClock();
  const { handler, full, discarded } = endless();
  await using server = testServer(handler, { clientWriteTimeoutMs: 1_000 }, clock);
  using client = await RawClient.connect(server.origin);
  await client.write(GET);
  await client.readHead();
  await full();
  clock.advance(999);
  await short();
  assertEquals(server.events, []);
  clock.advance(1);
  await discarded;
  assertEquals(server.events, ["cut short"]);
});

Deno.test("R53 a client that reads slowly is not dropped: each piece it takes begins the time anew", async () => {
  const clock = new ManualClock();
  const { handler, full, state } = endless();
  await using server = testServer(handler, { clientWriteTimeoutMs: 1_000 }, clock);
  using client = await RawClient.connect(server.origin);
  await client.write(GET);
  await client.readHead();
  await full();
  for (let round = 0; round < 3; round++) {
    clock.advance(900);
    const { pulled } = state;
    while (state.pulled === pulled) await client.readChunk();
    await full();
  }
  assertEquals(server.events, []);
});

Deno.test("R68 while it drains each answer says close, and connections without a request stay", async () => {
  let draining = false;
  const release = Promise.withResolvers<void>();
  const handler: Handler = async (request) => {
    if (request.target === "/slow") await release.promise;
    return await ok(request);
  };
  await using server = testServer(handler, {}, undefined, () => draining);
  using idle = await RawClient.connect(server.origin);
  using busy = await RawClient.connect(server.origin);
  await idle.write(GET);
  assertEquals((await idle.readResponse()).headers.get("connection"), undefined);
  await busy.write(GET.replace("/ ", "/slow "));
  await short();
  draining = true;
  release.resolve();
  for (const client of [busy, idle]) {
    if (client === idle) await client.write(GET);
    const { status, headers, text } = await client.readResponse();
    assertEquals([status, headers.get("connection"), text], [200, "close", "ok"]);
    assert(await client.ended());
  }
  using fresh = await RawClient.connect(server.origin);
  await fresh.write(GET);
  assertEquals((await fresh.readResponse()).headers.get("connection"), "close");
  draining = false;
  using after = await RawClient.connect(server.origin);
  for (let times = 0; times < 2; times++) {
    await after.write(GET);
    assertEquals((await after.readResponse()).headers.get("connection"), undefined);
  }
});
