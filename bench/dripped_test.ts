import { assertEquals } from "@std/assert";
import { summariseDripped } from "./dripped.ts";

Deno.test("summariseDripped() compares the time per MiB of each target with its smallest size", () => {
  const rows = summariseDripped([
    { target: "direct", sizeKiB: 1024, elapsedMs: [10] },
    { target: "logged", sizeKiB: 1024, elapsedMs: [70, 20, 30], grownKiB: 500 },
    { target: "direct", sizeKiB: 4096, elapsedMs: [40] },
    { target: "logged", sizeKiB: 4096, elapsedMs: [240, 240, 9], grownKiB: 900 },
  ]);
  const direct = { target: "direct", msPerMiB: 10, toSmallest: 1 };
  assertEquals(rows, [
    { ...direct, sizeKiB: 1024, medianMs: 10 },
    { ...direct, sizeKiB: 4096, medianMs: 40 },
    {
      target: "logged",
      sizeKiB: 1024,
      medianMs: 30,
      msPerMiB: 30,
      toSmallest: 1,
      grownKiB: 500,
    },
    {
      target: "logged",
      sizeKiB: 4096,
      medianMs: 240,
      msPerMiB: 60,
      toSmallest: 2,
      grownKiB: 900,
    },
  ]);
});
