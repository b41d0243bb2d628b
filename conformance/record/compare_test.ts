import { assertEquals } from "@std/assert";
import type { Entry, Fixture, FixtureMeta } from "../../fixtures/format/mod.ts";
import { diffLines, formatDiff, linesOf } from "./compare.ts";

const META: FixtureMeta = {
  format: 1,
  name: "ping",
  title: "A ping",
  revision: "2025-11-25",
  transport: "streamable-http",
  server: { name: "server", version: "1" },
  client: { name: "client", version: "1" },
  recorder: "switchyard 0.1.0",
  features: [],
};

function request(exchange: number, at = 0): Entry {
  const common = { at, exchange, from: "client", type: "request" } as const;
  return { ...common, method: "POST", target: "/mcp", fields: [["accept", "text/event-stream"]] };
}

function said(exchange: number, text: string, at = 0): Entry {
  return { at, exchange, from: "server", type: "data", text };
}

function end(exchange: number): Entry {
  return { at: 9, exchange, from: "server", type: "end" };
}

function fixture(...entries: Entry[]): Fixture {
  return { meta: META, entries };
}

function diffOf(before: Fixture, after: Fixture): string[] {
  return diffLines(linesOf(before), linesOf(after)).map(({ sign, line }) => `${sign} ${line}`);
}

const BASE = fixture(request(1), said(1, "data: one\n\n"), said(1, "data: two\n\n"), end(1));

Deno.test("linesOf() leaves out times, the recorder and where bodies were cut", () => {
  const other = fixture(
    request(1, 5),
    said(1, "data: o", 6),
    said(1, "ne\n\ndata: two\n\n"),
    end(1),
  );
  const later = { ...other, meta: { ...META, recorder: "switchyard 9.9.9" } };
  assertEquals(diffOf(BASE, later), []);
});

Deno.test("linesOf() joins a character that was cut in two", () => {
  const whole = fixture(request(1), said(1, "ü"));
  const common = { at: 0, exchange: 1, from: "server", type: "bytes" } as const;
  const cut = fixture(
    request(1),
    { ...common, base64: "ww==" },
    { ...common, base64: "vA==" },
  );
  assertEquals(diffOf(whole, cut), []);
});

Deno.test("linesOf() does not mind in which order things of two exchanges came", () => {
  const one = fixture(
    request(1),
    request(2),
    said(1, "{{event:1}}"),
    said(2, "{{event:2}} {{event:1}}"),
  );
  const two = fixture(
    request(1),
    request(2),
    said(2, "{{event:1}} {{event:2}}"),
    said(1, "{{event:2}}"),
  );
  assertEquals(diffOf(one, two), []);
});

Deno.test("linesOf() minds placeholders that stand for other things than before", () => {
  const one = fixture(request(1), said(1, "{{event:1}}\n{{event:1}}"));
  const two = fixture(request(1), said(1, "{{event:1}}\n{{event:2}}"));
  assertEquals(diffOf(one, two), ["- 1 < | {{event:1}}", "+ 1 < | {{event:2}}"]);
});

Deno.test("diffLines() shows what was said in another way, in addition, and not any more", () => {
  const changed = fixture(request(1), said(1, "data: one\n\ndata: 2\n\nretry: 5\n"));
  assertEquals(diffOf(BASE, changed), [
    "- 1 < | data: two",
    "+ 1 < | data: 2",
    "+ 1 < | retry: 5",
    "- 1 < (end)",
  ]);
});

Deno.test("formatDiff() cuts long lines to where they differ", () => {
  const start = "x".repeat(5_000);
  const text = formatDiff([
    { sign: "-", line: `1 < ${start} old` },
    { sign: "+", line: `1 < ${start} new` },
  ]);
  assertEquals(text.split("\n").map((line) => line.slice(0, 8)), ["- 1 < …x", "+ 1 < …x"]);
  assertEquals(text.split("\n").map((line) => line.slice(-4)), [" old", " new"]);
});
