import { assert, assertEquals, assertThrows } from "@std/assert";
import { ChunkedDecoder } from "./chunked.ts";
import { answerFraming } from "./answer_framing.ts";
import { fuzz } from "./fuzz.ts";
import {
  answers,
  Finding,
  REQUEST_SUBJECT,
  requests,
  SUBJECT,
  type Subject,
} from "./fuzz_oracle.ts";
import { AnswerHeadReader } from "./answer_head.ts";

/** A run of so many cases, without a clock. */
function run(cases: number, subject: Partial<Subject>) {
  return fuzz({
    seed: 1,
    targets: [answers({ ...SUBJECT, ...subject })],
    goOn: (tally) => tally.cases < cases,
    now: () => 0,
  });
}

Deno.test("R7 R59 3,000 damaged answers are read the same however they are split", () => {
  const tally = run(3_000, {});
  assertEquals(tally.cases, 3_000);
  // Both kinds must be plenty, or the run shows little.
  assert(tally.errors > 500 && tally.accepted > 500, JSON.stringify(tally));
});

Deno.test("R1 R2 R4 R5 3,000 damaged requests are read the same however they are split", () => {
  const goOn = ({ cases }: { cases: number }) => cases < 3_000;
  const tally = fuzz({ seed: 1, targets: [requests()], goOn, now: () => 0 });
  assert(tally.errors > 500 && tally.accepted > 500, JSON.stringify(tally));
});

Deno.test("the fuzzer finds a reader of requests that is wrong about their framing", () => {
  const targets = [requests({
    ...REQUEST_SUBJECT,
    framing: (_, head) => head.body.kind === "chunked" ? { ...head, body: { kind: "none" } } : head,
  })];
  const goOn = ({ cases }: { cases: number }) => cases < 200;
  assertThrows(() => fuzz({ seed: 1, targets, goOn, now: () => 0 }), Finding);
});

/** Begins each piece as if no other had been. */
class Forgetful extends AnswerHeadReader {
  override feed(piece: Uint8Array) {
    return new AnswerHeadReader().feed(piece);
  }
}

/** Takes the answer behind the body for part of it. */
class Greedy extends ChunkedDecoder {
  override decode(piece: Uint8Array) {
    return { ...super.decode(piece), consumed: piece.length };
  }
}

/** Loses the data of a piece of one byte. */
class Lossy extends ChunkedDecoder {
  override decode(piece: Uint8Array) {
    const decoded = super.decode(piece);
    return piece.length === 1 ? { ...decoded, length: 0 } : decoded;
  }
}

class Stuck extends ChunkedDecoder {
  override decode() {
    return { length: 0, consumed: 0 };
  }
}

const BROKEN: readonly (readonly [string, Partial<Subject>, string])[] = [
  ["a head reader that forgets", { headReader: () => new Forgetful() }, "splits differ"],
  ["a decoder that reads too far", { decoder: () => new Greedy() }, "splits differ"],
  ["a decoder that loses data", { decoder: () => new Lossy() }, "splits differ in their bodies"],
  ["a decoder that stands still", { decoder: () => new Stuck() }, "stopped early"],
  ["a framing that never ends", { framing: endless }, "sound messages are read otherwise"],
  ["an error of another kind", { framing: unexpected }, "RangeError"],
];

function endless(...[method, head]: Parameters<Subject["framing"]>) {
  return { ...answerFraming(method, head), body: { kind: "close" } } as const;
}

function unexpected(): never {
  throw new RangeError("out of range");
}

for (const [name, subject, message] of BROKEN) {
  Deno.test(`the fuzzer finds ${name}, and tells how to see it again`, () => {
    const finding = assertThrows(() => run(200, subject), Finding, message);
    const seed = /seed (\d+), method/.exec(finding.message)?.[1];
    const again = { targets: [answers({ ...SUBJECT, ...subject })], now: () => 0 };
    const once = { seed: Number(seed), goOn: ({ cases }: { cases: number }) => cases < 1 };
    const same = assertThrows(() => fuzz({ ...again, ...once }), Finding);
    assertEquals(same.message, finding.message);
  });
}

Deno.test("the fuzzer finds a reader that is slow twice, not one that is slow once", () => {
  const clock = (steps: number[]) => () => steps.shift() ?? 0;
  const once = (now: () => number) =>
    fuzz({ seed: 1, targets: [answers()], goOn: ({ cases }) => cases < 1, now });
  assertEquals(once(clock([0, 2_000, 2_000, 2_001])).cases, 1);
  assertThrows(() => once(clock([0, 2_000, 2_000, 4_000])), Finding, "took longer");
});
