import { assertEquals } from "@std/assert";
import {
  entry,
  errorOf,
  interceptContext,
  now,
  pipelineUnderTest as pipeline,
} from "../testing/intercept.ts";

const REQUEST = '{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"n":1.0}}';
const NOTE = '{"jsonrpc":"2.0","method":"notifications/x"}';
const RESPONSE = '{"jsonrpc":"2.0","id":"a","result":{"n":1.0}}';

const CONTEXT = interceptContext();

Deno.test("R44 events that interceptors make cannot break out of their frame", () => {
  const made = (draft: unknown) => {
    const { event, log } = pipeline(entry({ event: () => ({ replace: draft }) as never }));
    const outcome = event({ id: "1", event: "message", data: "x" }, CONTEXT);
    return { ...now(outcome), failures: log.lines.length };
  };
  assertEquals(made({ data: "a\r\nb\rc\nd\n\nevent: x" }).events, [
    { id: "1", event: "message", data: "a\nb\nc\nd\n\nevent: x" },
  ]);
  assertEquals(made({ event: "e", data: "" }).events, [{ id: "1", event: "e", data: "" }]);
  for (const event of ["a\nid: 9", "a\rb", "a\0b", 1]) {
    assertEquals([made({ event, data: "x" }).failures, made({ event, data: "x" }).events], [1, []]);
  }
  for (const draft of [{}, null, "x", { data: 1 }]) assertEquals(made(draft).failures, 1);
});

Deno.test("events expand in order, the id on the last one; a dropped one leaves no trace", () => {
  const { event } = pipeline(entry({
    event: ({ data }) =>
      data === "drop" ? { drop: "Why." } : { expand: [{ data: "1" }, { event: "b", data: "2" }] },
  }));
  assertEquals(event({ id: "7", event: "a", data: "x" }, CONTEXT), {
    events: [{ event: "a", data: "1" }, { id: "7", event: "b", data: "2" }],
    changed: true,
    replies: [],
  });
  assertEquals(event({ id: "7", data: "drop" }, CONTEXT), {
    events: [],
    changed: true,
    replies: [],
  });
});

Deno.test("R47 a dropped event with messages in it: who waits for one of them gets an error", () => {
  const { event } = pipeline(entry({ event: () => ({ drop: "Why." }) }));
  const drop = (data: string) => now(event({ id: "7", event: "message", data }, CONTEXT));
  const single = drop(RESPONSE);
  assertEquals([single.events.length, single.events[0]!.id, single.events[0]!.event], [
    1,
    "7",
    "message",
  ]);
  assertEquals(errorOf(JSON.parse(single.events[0]!.data)), ['"a"', -31403]);
  const batch = drop(`[${NOTE},${RESPONSE},${REQUEST},${RESPONSE}]`);
  assertEquals(batch.events.map(({ id }) => id), [undefined, "7"]);
  assertEquals(batch.replies.map(errorOf), [["9007199254740993", -31403]]);
  for (const data of ["", "no json", "1", "[]", NOTE]) assertEquals(drop(data).events, []);
});
