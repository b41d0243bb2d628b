import { assertEquals } from "@std/assert";
import { createLogger } from "../telemetry/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { BoundedLog, MAX_LINE_CHARACTERS, MAX_LINES, WINDOW_MS } from "./bounded_log.ts";

Deno.test("lines are cut, and those over the rate are counted and told later", () => {
  const clock = new ManualClock();
  const logs: Record<string, unknown>[] = [];
  const sink = {
    write: (line: string) => void logs.push(JSON.parse(line)),
    flush: () => Promise.resolve(),
  };
  const logger = createLogger({ level: "info", format: "json", clock, sink });
  const log = new BoundedLog(logger, clock, { name: "n" });
  log.line("warn", "m", "x".repeat(MAX_LINE_CHARACTERS + 1));
  assertEquals(logs[0]!.text, "x".repeat(MAX_LINE_CHARACTERS) + "…");
  for (let n = 1; n < MAX_LINES + 7; n++) log.line("info", "m", "y");
  assertEquals(logs.length, MAX_LINES);
  clock.advance(WINDOW_MS);
  log.line("info", "m", "z");
  assertEquals(logs.slice(MAX_LINES).map(({ lines, text, name }) => [lines, text, name]), [
    [7, undefined, "n"],
    [undefined, "z", "n"],
  ]);
  log.end();
  assertEquals(logs.length, MAX_LINES + 2);
});
