import { assertEquals } from "@std/assert";
import { isColoured, signalCounter } from "./io.ts";

Deno.test("Ctrl-C that comes in by two ways at once is one signal; a later one is a second", async () => {
  let nowMs = 1_000;
  const { received, repeated, came } = signalCounter(() => nowMs);
  let cut = false;
  void repeated.then(() => cut = true);
  for (const stepMs of [0, 1, 300, 150]) {
    nowMs += stepMs;
    came("SIGINT");
    assertEquals([await received, cut], ["SIGINT", false]);
  }
  nowMs += 100;
  came("SIGTERM");
  await repeated;
  assertEquals([await received, cut], ["SIGINT", true]);
});

Deno.test("lines for people have colours on a terminal alone, and not where NO_COLOR is set to something", () => {
  const on = (stderrIsTerminal: boolean, noColor?: string) =>
    isColoured({ stderrIsTerminal, env: (name) => name === "NO_COLOR" ? noColor : undefined });
  assertEquals([on(true), on(true, ""), on(true, "1"), on(false)], [true, true, false, false]);
});
