import { assertEquals, assertMatch } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import { createLogger, type LogFormat, type LogLevel, nullLogger } from "./log.ts";
import { type ByteWriter, lineSink } from "./sink.ts";

function setUp(level: LogLevel, format: LogFormat, isColoured = true) {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line), flush: () => Promise.resolve() };
  return {
    lines,
    logger: createLogger({ level, format, isColoured, clock: new ManualClock(), sink }),
  };
}

Deno.test("a JSON line carries time, level, message and fields", () => {
  const { lines, logger } = setUp("info", "json");
  const error = new Error("outer", { cause: new TypeError("inner") });
  logger.warn("it happened", { durationMs: 3, route: undefined, error });
  assertEquals(JSON.parse(lines[0]!), {
    time: "2026-01-01T00:00:00.000Z",
    level: "warn",
    message: "it happened",
    durationMs: 3,
    error: "Error: outer; caused by TypeError: inner",
  });
});

Deno.test("a pretty line is one line, with odd values in quotes", () => {
  const { lines, logger } = setUp("debug", "pretty");
  logger.debug("hello", { route: "/mcp", text: "two\nlines" });
  assertEquals(
    lines[0],
    '00:00:00.000 \x1b[2mdebug\x1b[0m hello route=/mcp text="two\\nlines"',
  );
});

Deno.test("a pretty line has no colours where none are wanted", () => {
  const { lines, logger } = setUp("info", "pretty", false);
  logger.info("hello", { route: "/mcp" });
  assertEquals(lines, ["00:00:00.000 info  hello route=/mcp"]);
});

Deno.test("lines below the level are not written", () => {
  const { lines, logger } = setUp("warn", "json");
  logger.info("no");
  logger.error("yes");
  assertEquals(lines.length, 1);
  assertEquals([logger.enabled("info"), logger.enabled("warn")], [false, true]);
  const silent = setUp("silent", "json");
  silent.logger.error("no");
  assertEquals(silent.lines.length, 0);
});

Deno.test("nullLogger writes nothing", async () => {
  for (const level of ["debug", "info", "warn", "error"] as const) nullLogger[level]("x");
  assertEquals(nullLogger.enabled("error"), false);
  await nullLogger.flush();
});

Deno.test("lineSink() batches lines, and writes all of them through short writes", async () => {
  const written: number[] = [];
  const writer: ByteWriter = {
    write: (bytes) => {
      const taken = Math.min(5, bytes.length);
      written.push(...bytes.subarray(0, taken));
      return Promise.resolve(taken);
    },
  };
  const sink = lineSink(writer);
  sink.write("first line");
  sink.write("zweite Zeile ü");
  await sink.flush();
  assertEquals(new TextDecoder().decode(Uint8Array.from(written)), "first line\nzweite Zeile ü\n");
});

Deno.test("lineSink() drops lines past its bound and says how many", async () => {
  let text = "";
  const writer: ByteWriter = {
    write: (bytes) => {
      text += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  };
  const sink = lineSink(writer, 20);
  for (let count = 0; count < 10; count++) sink.write("12345678");
  await sink.flush();
  assertMatch(
    text,
    /^12345678\n12345678\n\{"level":"warn","message":"log lines dropped","count":8\}\n$/,
  );
});

Deno.test("lineSink() outlives a writer that fails", async () => {
  const sink = lineSink({ write: () => Promise.reject(new Error("gone")) });
  sink.write("x");
  await sink.flush();
  sink.write("y");
  await sink.flush();
});

Deno.test("a level that is set while the logger is in use holds from then on", () => {
  const { lines, logger } = setUp("warn", "json");
  const told = () => {
    lines.splice(0);
    for (const level of ["debug", "info", "warn", "error"] as const) logger[level]("it");
    return lines.map((line) => JSON.parse(line).level);
  };
  assertEquals([told(), logger.enabled("info")], [["warn", "error"], false]);
  logger.setLevel("debug");
  assertEquals([told(), logger.enabled("info")], [["debug", "info", "warn", "error"], true]);
  logger.setLevel("silent");
  assertEquals([told(), logger.enabled("error")], [[], false]);
});
