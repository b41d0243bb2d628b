import { assertEquals } from "@std/assert";
import { MAX_COUNTED, RequestCounts } from "./mock_counts.ts";

Deno.test("RequestCounts tells paths and kinds apart", () => {
  const counts = new RequestCounts();
  for (const method of ["tools/call", "initialize", "tools/call"]) counts.add("/a", method);
  counts.add("/b", "tools/call");
  assertEquals(counts.all(), {
    "/a": { "tools/call": 2, "initialize": 1 },
    "/b": { "tools/call": 1 },
  });
});

Deno.test("RequestCounts is bounded, and goes on counting what it knows", () => {
  const counts = new RequestCounts();
  for (let count = 0; count < MAX_COUNTED + 5; count++) counts.add("/a", `m${count}`);
  for (let count = 0; count < MAX_COUNTED + 5; count++) counts.add(`/p${count}`, "m");
  counts.add("/a", "m0");
  assertEquals(Object.keys(counts.all()["/a"] ?? {}).length, MAX_COUNTED);
  assertEquals(Object.keys(counts.all()).length, MAX_COUNTED);
  assertEquals(counts.all()["/a"]?.["m0"], 2);
});
