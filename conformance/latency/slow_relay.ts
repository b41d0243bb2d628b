/**
 * A relay that is too slow, for the test of the gate: it hands on bytes as they are, those of an
 * answer 3 ms late.
 *
 * Its only argument is the port of the upstream. Prints `listening http://127.0.0.1:PORT/mcp` and
 * serves until its standard input ends.
 *
 * @module
 */

import { writeAll } from "../../bench/http_reader.ts";
import { print } from "../../bench/print.ts";

/** What it adds to each call, in milliseconds. */
const ADDED_MS = 3;

async function pass(from: Deno.Conn, to: Deno.Conn, delayMs: number): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  for (;;) {
    const count = await from.read(buffer);
    if (count === null) return;
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    await writeAll(to, buffer.subarray(0, count));
  }
}

async function relay(client: Deno.TcpConn, port: number): Promise<void> {
  const upstream = await Deno.connect({ hostname: "127.0.0.1", port });
  client.setNoDelay(true);
  upstream.setNoDelay(true);
  await Promise.race([pass(client, upstream, 0), pass(upstream, client, ADDED_MS)]).catch(() => {});
  client.close();
  upstream.close();
}

async function serve(port: number): Promise<never> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  print(`listening http://127.0.0.1:${listener.addr.port}/mcp`);
  for (;;) relay(await listener.accept(), port).catch(() => {});
}

async function untilInputEnds(): Promise<void> {
  const ignored = new Uint8Array(64);
  while (await Deno.stdin.read(ignored) !== null);
}

if (import.meta.main) {
  await Promise.race([serve(Number(Deno.args[0])), untilInputEnds()]);
  Deno.exit(0);
}
