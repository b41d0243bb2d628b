import { assertEquals, assertRejects } from "@std/assert";
import { keyedConfig, settledCounts, sha256Of } from "./eras.ts";

Deno.test("keyedConfig() lets the holder of the key in, whose SHA-256 it has", async () => {
  // The digest of "abc" (FIPS 180-4, example).
  const sha256 = await sha256Of("abc");
  assertEquals(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assertEquals(JSON.parse(keyedConfig("http://127.0.0.1:9/mcp/x", sha256)), {
    listen: "127.0.0.1:0",
    logLevel: "error",
    auth: { keys: [{ name: "bench", sha256 }] },
    routes: [{ path: "/mcp", upstream: { url: "http://127.0.0.1:9/mcp/x" } }],
  });
});

Deno.test("settledCounts() looks until two looks in a row are alike", async () => {
  const looks = [1, 3, 4, 4, 5].map((count) => ({ "/mcp": { "tools/call": count } }));
  let waits = 0;
  const wait = () => Promise.resolve(void waits++);
  const counts = await settledCounts(() => Promise.resolve(looks.shift() ?? {}), wait);
  assertEquals(counts, { "/mcp": { "tools/call": 4 } });
  assertEquals(waits, 3);
});

Deno.test("settledCounts() gives up on counts that never stand still", async () => {
  let count = 0;
  const read = () => Promise.resolve({ "/mcp": { GET: count++ } });
  await assertRejects(() => settledCounts(read, () => Promise.resolve()), Error, "nobody calls");
  assertEquals(count, 100);
});
