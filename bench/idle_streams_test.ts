import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { IdleStreams } from "./idle_streams.ts";

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "transfer-encoding: chunked\r\n\r\n";
const EVENT = 'c\r\ndata: {"a"}\n\r\n1\r\n\n\r\n';

/** Serves every connection with one answer; `end` closes them all. */
function serverOf(answer: string) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      await connection.read(new Uint8Array(2048));
      await connection.write(new TextEncoder().encode(answer));
    }
  })();
  const { port } = listener.addr as Deno.NetAddr;
  return {
    target: { name: "x", endpoint: { hostname: "127.0.0.1", port, path: "/mcp" } },
    connections,
    async close(): Promise<void> {
      listener.close();
      for (const connection of connections.splice(0)) connection.close();
      await accepting;
    },
  };
}

Deno.test("IdleStreams are open when each has brought an event, and tell of one that ended", async () => {
  const server = serverOf(HEAD + EVENT);
  const streams = await IdleStreams.open(server.target, "s", 3);
  assertEquals(server.connections.length, 3);
  streams.checkAllOpen();
  server.connections.shift()?.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertThrows(() => streams.checkAllOpen(), Error, "x ended 1 idle streams");
  await streams.close();
  await server.close();
});

Deno.test("IdleStreams do not take another answer for a stream", async () => {
  const server = serverOf("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
  await assertRejects(() => IdleStreams.open(server.target, "s", 1), Error, "404 Not Found");
  await server.close();
});
