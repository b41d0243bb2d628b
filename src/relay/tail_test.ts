/**
 * R52, R58: what the end of a stream tells, however the stream comes in pieces.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isAnswer, StreamTail } from "./tail.ts";

const MAX_HELD_BYTES = 65_536;
const encoder = new TextEncoder();

const ANSWER = '{"jsonrpc":"2.0","id":1,"result":{"t":"\u20ac\u{1f680}"}}';
const OTHER = '{"jsonrpc":"2.0","method":"n","params":{"result":1,"t":"\u20ac"}}';

/** Lines with their ends, the empty ones among them. */
interface Line {
  readonly text: string;
  readonly end: string;
}

function linesOf(text: string): Line[] {
  return [...text.matchAll(/([^\r\n]*)(\r\n|\n|\r|$)/g)]
    .map(([, line, end]) => ({ text: line!, end: end! }))
    .filter(({ text, end }) => text !== "" || end !== "");
}

/** Whether a prefix of a stream ends between two events: behind an empty line, or at the start. */
function isBetween(prefix: string): boolean {
  const last = linesOf(prefix).at(-1);
  return last === undefined || (last.text === "" && last.end !== "");
}

/** What stands between the blank lines of a text that ends with one. */
function blocksOf(text: string): string[][] {
  const blocks: string[][] = [[]];
  for (const { text: line } of linesOf(text)) {
    if (line !== "") blocks.at(-1)!.push(line);
    else if (blocks.at(-1)!.length > 0) blocks.push([]);
  }
  return blocks.filter((block) => block.length > 0);
}

function dataOf(block: readonly string[]): string | undefined {
  const data = block.filter((line) => line === "data" || line.startsWith("data:"));
  return data.length === 0 ? undefined : data.map((line) => line.slice(5)).join("\n");
}

/** The data of all events in a text. */
function allData(text: string): string[] {
  return blocksOf(text).map(dataOf).filter((one) => one !== undefined);
}

/** An empty one says that there is none (WHATWG HTML 9.2.6). */
function hasId(text: string): boolean {
  return blocksOf(text).flat().some((line) => /^id: ?./.test(line) && line !== "id: ");
}

const end = fc.constantFrom("\n", "\r\n", "\r");
const content = fc.oneof(
  fc.constantFrom(
    ...[
      `data: ${ANSWER}`,
      `data:${OTHER}`,
      "data: no json",
      "data",
      "data:",
      "id: 7",
      "id",
      "retry: 5",
    ],
    ...[
      ": a comment",
      ":",
      "event: message",
      "data: \ud83d\ude80\u2028",
      "idle: 1",
      "database",
      "\u20ac",
    ],
  ),
  fc.string({ unit: "binary", maxLength: 10 }).map((text) => `x${text.replaceAll(/[\r\n]/g, "")}`),
);
const block = fc.tuple(
  fc.array(fc.tuple(content, end), { maxLength: 4 }),
  fc.array(end, { minLength: 1, maxLength: 3 }),
).map(([lines, blank]) => lines.map(([text, at]) => text + at).join("") + blank.join(""));
const stream = fc.tuple(
  fc.array(block, { maxLength: 8 }),
  fc.constantFrom("", "data: half", "id: 1\r"),
)
  .map(([blocks, rest]) => blocks.join("") + rest);

/** The pieces of these lengths, the last of which is repeated. */
function pieces(bytes: Uint8Array<ArrayBuffer>, lengths: readonly number[]) {
  const all: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const length = lengths[Math.min(index, lengths.length - 1)]!;
    all.push(bytes.slice(at, at + length));
    at += length;
  }
  return all;
}

/** Texts of which the bytes are whole characters are told apart from those cut inside of one. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** Where the last blank line of a text ends; 0 where it has none. */
function lastBlankEnd(text: string): number {
  let [at, found] = [0, 0];
  for (const { text: line, end } of linesOf(text)) {
    at += line.length + end.length;
    if (line === "" && end !== "") found = at;
  }
  return found;
}

Deno.test("R52 R58 StreamTail tells the same as the whole prefix does, however it came", () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(stream, lengths, (text, cuts) => {
      const tail = new StreamTail();
      const bytes = encoder.encode(text);
      let at = 0;
      for (const piece of pieces(bytes, cuts)) {
        tail.feed(piece);
        at += piece.length;
        const prefix = textOf(bytes.subarray(0, at));
        const whole = prefix.slice(0, lastBlankEnd(prefix));
        assertEquals(tail.between, isBetween(prefix), "between");
        const data = allData(whole);
        assertEquals(tail.answered, data.some(isAnswer) ? "yes" : "no", "answered");
        assertEquals([tail.sawId, tail.sawData], [hasId(whole), data.length > 0], "sawId, sawData");
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("R58 StreamTail sees an answer and an id ahead of other events, in one piece and in several", () => {
  for (
    const behind of [
      ": bye\n\n",
      "\n",
      "retry: 1\n\n",
      ": a\n\n: b\r\n\r\n",
      `data: ${OTHER}\n\n`,
      `data: ${OTHER}\n\n`.repeat(3),
    ]
  ) {
    const tail = new StreamTail();
    tail.feed(encoder.encode(`data: ${OTHER}\n\nid: 1\ndata: ${ANSWER}\n\n${behind}`));
    assertEquals([tail.answered, tail.between, tail.sawId], ["yes", true, true]);
  }
});

Deno.test("R52 a stream that begins with an empty line stands between two events", () => {
  for (const first of ["\n", "\r\n", "\r"]) {
    const tail = new StreamTail();
    tail.feed(encoder.encode(first));
    assertEquals(tail.between, true);
  }
});

Deno.test("R36 StreamTail passes over a byte order mark, however it is split", () => {
  const bytes = encoder.encode(`\ufeffdata: ${ANSWER}\n\n`);
  for (const length of [1, 2, 3, bytes.length]) {
    const tail = new StreamTail();
    for (const piece of pieces(bytes, [length])) tail.feed(piece);
    assertEquals(tail.answered, "yes");
  }
});

Deno.test("R42 StreamTail holds no event of more than 64 KiB that comes in pieces", () => {
  const long = encoder.encode(`data: ${ANSWER.replace('"t":"', `"t":"${"x".repeat(70_000)}`)}\n\n`);
  for (const length of [long.length, long.length - 1, 66_000, 1_000]) {
    const tail = new StreamTail();
    for (const piece of pieces(long, [length])) {
      assertEquals([tail.answered, tail.sawId], ["no", false]);
      tail.feed(piece);
    }
    const answered = length < long.length ? "unknown" : "yes";
    assertEquals([tail.answered, tail.between], [answered, true]);
    // It may have been the answer, whatever follows.
    tail.feed(encoder.encode(`data: ${OTHER}\n\n`));
    assertEquals(tail.answered, answered);
  }
});

Deno.test("R58 an event of more than 64 KiB that begins as a notification or a request is no answer", () => {
  const params = `{"jsonrpc":"2.0","id":1,"result":"${"x".repeat(70_000)}"}`;
  for (const first of ["", '"jsonrpc":"2.0",']) {
    const text = `id: 5\ndata: {${first}"method":"n","params":${params}}\n\n`;
    for (const length of [69_000, 1_000, 7]) {
      const tail = new StreamTail();
      for (const piece of pieces(encoder.encode(text), [length])) tail.feed(piece);
      assertEquals([tail.answered, tail.sawId, tail.sawData, tail.between], [
        "no",
        true,
        true,
        true,
      ]);
      tail.feed(encoder.encode(`data: ${ANSWER}\n\n`));
      assertEquals(tail.answered, "yes");
    }
  }
});

Deno.test("R43 R46 an event of up to 64 KiB in 1-byte pieces is looked into once, and whole", () => {
  const text = ANSWER.replace('"t":"', `"t":"${"\u20ac".repeat(20_000)}`);
  const bytes = encoder.encode(`data: ${text}\r\n\r\n`);
  const tail = new StreamTail();
  const began = performance.now();
  for (const piece of pieces(bytes, [1])) tail.feed(piece);
  assertEquals([tail.answered, bytes.length < MAX_HELD_BYTES], ["yes", true]);
  assertEquals(performance.now() - began < 5_000, true);
});

Deno.test("isAnswer() knows a response, a batch with one, and nothing else", () => {
  const answers = [
    ANSWER,
    `[${OTHER},${ANSWER}]`,
    '{"id":1,"error":{}}',
    ' {"id":null,"error":{}} ',
  ];
  const others = [
    OTHER,
    `[${OTHER}]`,
    '"result"',
    '{"result":1}',
    '{"id":1,"result":',
    "null",
    "[]",
    "",
    '{"id":1,"method":"error"}',
  ];
  assertEquals(answers.map(isAnswer), answers.map(() => true));
  assertEquals(others.map(isAnswer), others.map(() => false));
});
