import { assertEquals } from "@std/assert";
import { Queue } from "./queue.ts";
import { RunLine } from "./run_line.ts";
import { cutGone, eventsAfter, newRun, type Run, type StreamBook } from "./stream_book.ts";

/** A stream with runs of events of 10 bytes each: where each begins, and how many it has. */
function streamOf(...runs: readonly (readonly [firstSeq: number, events: number])[]) {
  const stream: StreamBook<undefined> = {
    id: 1,
    name: "s",
    runs: new Queue<Run<undefined>>(),
    newest: 0,
    events: 0,
    bytes: 0,
  };
  for (const [firstSeq, events] of runs) {
    const ends = Array.from({ length: events }, (_, at) => (at + 1) * 10);
    stream.runs.push(newRun(stream, firstSeq, ends, 0, undefined));
    stream.newest = firstSeq + events - 1;
  }
  return stream;
}

/** The numbers of the events behind `seq`, whether something is missing, and whether there is more. */
function after(stream: StreamBook<undefined>, seq: number, maxBytes = Infinity) {
  const { parts, gap, more } = eventsAfter(stream, seq, maxBytes);
  const seqs = parts.flatMap(({ run, from, to }) =>
    Array.from({ length: to - from }, (_, at) => run.firstSeq + from + at)
  );
  return [seqs, gap, more];
}

Deno.test("eventsAfter() gives what stands behind a number, within runs and across them", () => {
  const stream = streamOf([1, 3], [4, 1], [5, 2]);
  assertEquals(after(stream, 0), [[1, 2, 3, 4, 5, 6], false, false]);
  assertEquals(after(stream, 2), [[3, 4, 5, 6], false, false]);
  assertEquals(after(stream, 6), [[], false, false]);
});

Deno.test("eventsAfter() gives no more bytes than are wanted, and one event in any case", () => {
  const stream = streamOf([1, 3], [4, 2]);
  assertEquals(after(stream, 0, 40), [[1, 2, 3, 4], false, true]);
  assertEquals(after(stream, 1, 20), [[2, 3], false, true]);
  assertEquals(after(stream, 3, 1), [[4], false, true]);
});

Deno.test("eventsAfter() tells of a hole as far as it gives events", () => {
  const stream = streamOf([1, 2], [5, 2]);
  assertEquals(after(stream, 0), [[1, 2, 5, 6], true, false]);
  assertEquals(after(stream, 0, 20), [[1, 2], false, true]);
  assertEquals(after(stream, 4), [[5, 6], false, false]);
});

Deno.test("eventsAfter() passes over events that are gone, also once their entries are cut off", () => {
  const stream = streamOf([1, 4]);
  const run = stream.runs.at(0)!;
  run.gone = 3;
  assertEquals(after(stream, 0), [[4], true, false]);
  cutGone(run);
  assertEquals([run.firstSeq, run.begin, run.ends, run.gone], [4, 30, [40], 0]);
  assertEquals(after(stream, 0), [[4], true, false]);
  assertEquals(after(stream, 3), [[4], false, false]);
});

Deno.test("RunLine keeps the order when runs at the ends and in the middle go", () => {
  const line = new RunLine<undefined>();
  const stream = streamOf([1, 1], [2, 1], [3, 1], [4, 1]);
  const [a, b, c, d] = [0, 1, 2, 3].map((at) => stream.runs.at(at)!);
  for (const run of [a, b, c, d]) line.add(run!);
  line.remove(b!);
  assertEquals([line.oldest === a, a!.newer === c, c!.older === a], [true, true, true]);
  line.remove(a!);
  line.remove(d!);
  assertEquals([line.oldest === c, line.newest === c], [true, true]);
  assertEquals([b, a, d].map((run) => [run!.older, run!.newer]).flat(), Array(6).fill(undefined));
  line.remove(c!);
  assertEquals([line.oldest, line.newest], [undefined, undefined]);
});
