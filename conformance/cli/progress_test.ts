import { assertEquals } from "@std/assert";
import type { CaseResult } from "../suite/mod.ts";
import { progressOn } from "./progress.ts";

function result(id: string, status: "pass" | "fail"): CaseResult {
  return { id, title: "", durationMs: 1, verdicts: [{ check: id, status }], skippedFor: [] };
}

function written(isTerminal: boolean, columns: number): string[] {
  const texts: string[] = [];
  const write = (text: string) => void texts.push(text);
  const progress = progressOn({ isTerminal, columns: () => columns, write });
  progress.phase("starting");
  for (let done = 1; done <= 20; done++) {
    progress.result(result(`case.${done}`, done === 2 ? "fail" : "pass"), done, 20);
  }
  progress.end();
  return texts;
}

Deno.test("progress on a terminal is one line that changes and goes away", () => {
  const texts = written(true, 24);
  assertEquals(texts.length, 22);
  assertEquals(texts[0], "\r\x1b[Kstarting ...");
  assertEquals(texts[1], "\r\x1b[K 1/20 0 failed  case.1");
  assertEquals(texts[20], "\r\x1b[K20/20 1 failed  case.20");
  assertEquals(written(true, 15)[20], "\r\x1b[K20/20 1 failed");
  assertEquals(texts[21], "\r\x1b[K");
});

Deno.test("progress elsewhere is a line for each tenth of the way", () => {
  const texts = written(false, 80);
  assertEquals(texts.slice(0, 3), ["starting ...\n", "2 of 20 cases\n", "4 of 20 cases\n"]);
  assertEquals(texts.length, 11);
});
