/**
 * Where answers are among the events of a stream.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { SseEvent } from "../sse/mod.ts";
import * as streams from "../testing/streams.ts";
import { Answers } from "./answers.ts";

const { progress, result } = streams;
const encoder = new TextEncoder();

/** What gets no number. */
const COMMENT: SseEvent = {
  id: undefined,
  event: undefined,
  data: undefined,
  retry: undefined,
  comments: [" a comment"],
};

/** Events of the upstream with this data. */
function events(...data: string[]): SseEvent[] {
  return data.map((text) => ({ ...COMMENT, data: encoder.encode(text) }));
}

/** Events of the log with these numbers. */
function held(...seqs: number[]) {
  return seqs.map((seq) => ({ seq, bytes: encoder.encode("") }));
}

Deno.test("R58 lost() has the requests whose answers are between two events and not held", () => {
  const answers = new Answers(["1", '"a"', "3"], undefined);
  const came = [COMMENT, ...events(progress(1), result(1), result("a"))];
  answers.take(came, came, 4);
  assertEquals(answers.lost(0, 7, []), ["1", '"a"']);
  assertEquals(answers.lost(0, 7, held(5, 7)), ["1"]);
  assertEquals(answers.lost(6, 7, []), ['"a"']);
  assertEquals(answers.lost(0, 5, []), []);
  assertEquals(answers.complete, false);
});

Deno.test("an answer of the proxy's has its place too, and a mark keeps all of them", () => {
  const answers = new Answers(["1", "2"], undefined);
  const came = events(result(2));
  answers.take(came, came, 0);
  assertEquals(answers.takeAll(1), ["1"]);
  const { mark } = answers;
  assertEquals(mark, { pending: [], answered: [["2", 1], ["1", 2]] });
  assertEquals(new Answers(["1", "2"], mark).lost(0, 2, []), ["2", "1"]);
});

Deno.test("where events were changed on their way the place is that of what was passed on", () => {
  const answers = new Answers(["1"], undefined);
  answers.take(events(result(1)), [{ data: progress(1) }, { data: result(1) }], 0);
  assertEquals([answers.complete, answers.lost(0, 2, held(1))], [true, ["1"]]);
  const dropped = new Answers(["1"], undefined);
  dropped.take(events(result(1)), [], 0);
  assertEquals([dropped.complete, dropped.lost(0, 2, [])], [true, []]);
});

// 2025-06-18 basic/utilities/cancellation, "Behavior Requirements".
Deno.test("cancel() has a request waited for no longer, until it is undone; its answer passes all the same", () => {
  const answers = new Answers(["1", '"1"', "3"], undefined);
  answers.cancel(7);
  const undo = answers.cancel(1);
  assertEquals([answers.complete, answers.mark.pending], [false, ['"1"', "3"]]);
  undo();
  assertEquals(answers.mark.pending, ["1", '"1"', "3"]);
  answers.cancel("1");
  const came = events(result("1"), result(3));
  answers.take(came, came, 0);
  assertEquals([answers.complete, answers.lost(0, 2, [])], [false, ['"1"', "3"]]);
  answers.cancel(1);
  assertEquals([answers.complete, answers.takeAll(2)], [true, []]);
});
