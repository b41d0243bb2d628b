import { assert, assertEquals, assertRejects } from "@std/assert";
import { writeAll } from "./http_reader.ts";
import { whole } from "./mock_messages.ts";
import { endlessChunk, STREAM_HEAD } from "./mock_streams.ts";
import { StalledStream, Valve } from "./stalled_stream.ts";

const encoder = new TextEncoder();

/** Serves one connection: `head`, and then `chunk` again and again until the client goes. */
function serverOf(head: string, chunk: Uint8Array | undefined) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let written = 0;
  const serving = (async () => {
    const connection = await listener.accept();
    try {
      await connection.read(new Uint8Array(2048));
      await connection.write(encoder.encode(head));
      for (; chunk !== undefined; written += chunk.length) await writeAll(connection, chunk);
      // Whoever asked goes first.
      await connection.read(new Uint8Array(1));
    } catch {
      // The client has gone.
    } finally {
      connection.close();
    }
  })();
  const { port } = listener.addr as Deno.NetAddr;
  return {
    target: { name: "x", endpoint: { hostname: "127.0.0.1", port, path: "/mcp" } },
    written: () => written,
    async close(): Promise<void> {
      listener.close();
      await serving;
    },
  };
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

Deno.test("Valve lets a read wait until it is opened", async () => {
  const valve = new Valve({ read: () => Promise.resolve(7) });
  const into = new Uint8Array(8);
  assertEquals(await valve.read(into), 7);
  valve.shut();
  let came = false;
  const waiting = valve.read(into).then(() => came = true);
  await sleep(5);
  assert(!came);
  valve.open();
  await waiting;
});

Deno.test("StalledStream stalls behind its first event, and reads on when it is asked to", async () => {
  const server = serverOf(STREAM_HEAD, endlessChunk());
  const stream = await StalledStream.open(server.target, "s");
  let written = -1;
  for (let look = 0; look < 100 && written !== server.written(); look++) {
    written = server.written();
    await sleep(50);
  }
  assertEquals(server.written(), written);
  await stream.readOn(200_000);
  assert(server.written() > written);
  await stream.close();
  await server.close();
});

Deno.test("StalledStream does not take another answer for a stream", async () => {
  const refused = whole(400, "Bad Request");
  assert(refused.kind === "whole");
  const server = serverOf(refused.message, undefined);
  await assertRejects(() => StalledStream.open(server.target, "s"), Error, "400 Bad Request");
  await server.close();
});
