/**
 * Answers that are given ahead of the handler's promise (`Deliver`).
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Fields } from "../http/mod.ts";
import { RawClient } from "../testing/raw_client.ts";
import { testServer } from "../testing/server.ts";

const GET = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

function answer(text: string) {
  return { status: 200, fields: new Fields(), body: new TextEncoder().encode(text) };
}

Deno.test("an answer that is delivered is out before its handler is through, and once", async () => {
  const through = Promise.withResolvers<void>();
  await using server = testServer(async (request, deliver) => {
    const early = answer(request.target);
    deliver!(early);
    deliver!(answer("another"));
    await through.promise;
    return early;
  });
  using client = await RawClient.connect(server.origin);
  await client.write(GET);
  assertEquals((await client.readResponse()).text, "/");
  // The next request waits until the handler of this one is through.
  await client.write("GET /next HTTP/1.1\r\nhost: localhost\r\n\r\n");
  through.resolve();
  assertEquals((await client.readResponse()).text, "/next");
});

Deno.test("what is delivered when its request is over goes to nobody", async () => {
  const kept: ((text: string) => void)[] = [];
  await using server = testServer((request, deliver) => {
    kept.push((text) => deliver!(answer(text)));
    if (kept.length === 2) kept[0]!("of the first");
    return Promise.resolve(answer(request.target));
  });
  using client = await RawClient.connect(server.origin);
  for (const path of ["/1", "/2", "/3"]) {
    await client.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    assertEquals((await client.readResponse()).text, path);
    kept[0]!("between two requests");
  }
});

Deno.test("a handler that fails behind what it delivered costs the connection, not the answer", async () => {
  await using server = testServer((_, deliver) => {
    deliver!(answer("delivered"));
    return Promise.reject(new Error("behind it"));
  });
  using client = await RawClient.connect(server.origin);
  await client.write(GET);
  assertEquals((await client.readResponse()).text, "delivered");
  assert(await client.ended());
});

Deno.test("a client that leaves in the middle of what was delivered costs nobody anything", async () => {
  const through = Promise.withResolvers<void>();
  const broken = Promise.withResolvers<void>();
  await using server = testServer(async (request, deliver) => {
    request.signal.addEventListener("abort", () => broken.resolve());
    const early = answer("x".repeat(20_000_000));
    deliver!(early);
    await through.promise;
    return early;
  });
  const client = await RawClient.connect(server.origin);
  await client.write(GET);
  assertEquals((await client.readHead()).status, 200);
  client.close();
  await broken.promise;
  // A turn in which the failed write would have been told as nobody's.
  await new Promise((resolve) => setTimeout(resolve));
  through.resolve();
});
