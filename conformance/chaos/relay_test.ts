import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Delivery } from "./book.ts";
import { Relay } from "./relay.ts";

/** A server that says back what it gets, and a relay before it. */
async function withRelay(
  test: (relay: Relay, deliveries: [string, Delivery][]) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) {
      void connection.readable.pipeTo(connection.writable).catch(() => {});
    }
  })();
  const deliveries: [string, Delivery][] = [];
  const relay = await Relay.open({
    name: "a",
    port: listener.addr.port,
    random: Math.random,
    delivered: (token, delivery) => void deliveries.push([token, delivery]),
  });
  try {
    await test(relay, deliveries);
  } finally {
    relay.close();
    listener.close();
    await serving;
  }
}

function connect({ port }: Relay): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

async function say(connection: Deno.TcpConn, text: string): Promise<void> {
  await connection.write(new TextEncoder().encode(text));
}

async function hear(connection: Deno.TcpConn, length: number): Promise<string> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await connection.read(bytes.subarray(at));
    if (count === null) return `${new TextDecoder().decode(bytes.subarray(0, at))} and the end`;
    at += count;
  }
  return new TextDecoder().decode(bytes);
}

Deno.test("Relay hands on bytes, and notes each token once, also one that comes in two pieces", async () => {
  await withRelay(async (relay, deliveries) => {
    using connection = await connect(relay);
    await say(connection, "x tk.1.2.k y tk.3.");
    assertEquals(await hear(connection, 18), "x tk.1.2.k y tk.3.");
    await say(connection, "4.k");
    assertEquals(await hear(connection, 3), "4.k");
    await say(connection, " z");
    assertEquals(await hear(connection, 2), " z");
    assertEquals(deliveries.map(([token]) => token), ["tk.1.2.k", "tk.3.4.k"]);
    assertEquals(deliveries.map(([, { target, connection }]) => [target, connection]), [
      ["a", 1],
      ["a", 1],
    ]);
  });
});

Deno.test("Relay keeps bytes that it holds back in order, whatever their delays", async () => {
  await withRelay(async (relay) => {
    using connection = await connect(relay);
    const delays = [60, 5, 30, 0];
    relay.delayMs = () => delays.shift() ?? 1;
    const began = performance.now();
    for (const text of ["a", "b", "c", "d"]) {
      await say(connection, text);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assertEquals(await hear(connection, 4), "abcd");
    assert(performance.now() - began >= 55);
  });
});

Deno.test("Relay resets what is there, and refuses what comes until it accepts again", async () => {
  await withRelay(async (relay) => {
    using connection = await connect(relay);
    await say(connection, "a");
    assertEquals(await hear(connection, 1), "a");
    relay.refuse();
    await assertRejects(() => connect(relay), Deno.errors.ConnectionRefused);
    await say(connection, "b");
    assertEquals(await hear(connection, 1), "b");
    relay.reset();
    await assertRejects(() => hear(connection, 1), Deno.errors.ConnectionReset);
    await relay.accept();
    using another = await connect(relay);
    await say(another, "c");
    assertEquals(await hear(another, 1), "c");
  });
});

Deno.test("Relay hands on an end", async () => {
  await withRelay(async (relay) => {
    using connection = await connect(relay);
    await say(connection, "a");
    await connection.closeWrite();
    assertEquals(await hear(connection, 2), "a and the end");
  });
});
