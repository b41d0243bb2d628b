import { assert, assertEquals, assertThrows } from "@std/assert";
import { MEMORY_IS_TOLD, openFileLimit, peakKiB, readResidentKiB, residentKiB } from "./memory.ts";
import { fittingStreams } from "./rss.ts";

Deno.test("residentKiB() reads VmRSS, peakKiB() VmHWM, and without them it has ended", () => {
  const status = "Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t  123456 kB\nThreads:\t1\n";
  assertEquals(residentKiB(status), 123456);
  assertEquals(peakKiB(status), 900);
  assertThrows(() => residentKiB("Name:\tx\nState:\tZ (zombie)\n"), Error, "ended");
});

Deno.test("openFileLimit() reads the soft limit", () => {
  const line = (soft: string) => `Max open files            ${soft}    524288     files\n`;
  assertEquals(openFileLimit(`Limit\nMax processes 1 2 x\n${line("1024")}`), 1024);
  assertEquals(openFileLimit(line("unlimited")), Infinity);
});

Deno.test("fittingStreams() leaves a proxy two files for each stream and some to spare", () => {
  assertEquals(fittingStreams(2000, 20_000), 2000);
  assertEquals(fittingStreams(2000, 1024), 384);
  assertEquals(fittingStreams(2000, Infinity), 2000);
  assertEquals(fittingStreams(2000, 100), 0);
});

Deno.test({
  name: "readResidentKiB() of this process is some megabytes",
  ignore: !MEMORY_IS_TOLD,
  fn: async () => assert(await readResidentKiB(Deno.pid) > 5_000),
});
