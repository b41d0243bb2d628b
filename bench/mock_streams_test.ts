import { assert, assertEquals } from "@std/assert";
import { BodyDecoder } from "./http_message.ts";
import { EventCounter } from "./mcp_messages.ts";
import { drippedWrites, endlessChunk, streamChunks, streamEnd } from "./mock_streams.ts";

Deno.test("streamChunks() and streamEnd() make one chunked body of that many events and one", () => {
  const chunks = [...streamChunks(1000, 4096), streamEnd(7)];
  assert(chunks.length > 10);
  const counter = new EventCounter();
  const body = new BodyDecoder("chunked");
  for (const bytes of chunks) {
    assert(!body.done);
    assertEquals(body.push(bytes, (data) => counter.push(data)), bytes.length);
  }
  assert(body.done);
  assertEquals(counter.events, 1001);
  assertEquals(streamChunks(0, 4096).length, 0);
  assertEquals(streamChunks(10, 1).length, 10);
});

Deno.test("drippedWrites() make one event of that size, in chunks of one byte", () => {
  for (const eventBytes of [200, 30_000, 10 * 1024 * 3 + 90]) {
    const counter = new EventCounter();
    const body = new BodyDecoder("chunked");
    let text = "";
    for (const bytes of drippedWrites(eventBytes)) {
      body.push(bytes, (data) => {
        assertEquals(data.length, 1);
        counter.push(data);
        text += String.fromCharCode(...data);
      });
    }
    assertEquals(text.length, eventBytes);
    assertEquals(counter.events, 1);
    assertEquals((JSON.parse(text.slice("data: ".length)) as { jsonrpc: string }).jsonrpc, "2.0");
  }
});

Deno.test("endlessChunk() is one chunk of whole events, the same however often", () => {
  const counter = new EventCounter();
  const body = new BodyDecoder("chunked");
  const sizes = [1, 2].map(() => {
    body.push(endlessChunk(), (data) => counter.push(data));
    return counter.events;
  });
  assert((sizes[0] ?? 0) > 100);
  assertEquals(sizes[1], 2 * (sizes[0] ?? 0));
});
