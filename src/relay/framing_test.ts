import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { EventParser } from "../sse/mod.ts";
import { framed, type Outgoing } from "./framing.ts";

const decoder = new TextDecoder();
const text = (bytes: Uint8Array) => decoder.decode(bytes);

Deno.test("R77 events are numbered on, whatever ids the upstream gave them", () => {
  const { bytes, logged, seq } = framed("S", 4, [{ id: "up", data: "a" }, { data: "b" }]);
  assertEquals(text(bytes), "id: S.5\ndata: a\n\nid: S.6\ndata: b\n\n");
  assertEquals(logged.map(({ seq, bytes }) => [seq, text(bytes)]), [
    [5, "id: S.5\ndata: a\n\n"],
    [6, "id: S.6\ndata: b\n\n"],
  ]);
  assertEquals(seq, 6);
});

Deno.test("R40 comments and retry flow on, without a number and not to be kept", () => {
  const { bytes, logged, seq } = framed("S", 0, [{ comments: [" c"] }, { retry: 5 }, {
    data: "a",
  }]);
  assertEquals(text(bytes), ": c\n\nretry: 5\n\nid: S.1\ndata: a\n\n");
  assertEquals([logged.length, text(logged[0]!.bytes), seq], [1, "id: S.1\ndata: a\n\n", 1]);
});

Deno.test("R39 R47 a priming event and one with a name alone are numbered; event: message is kept", () => {
  const { logged } = framed("S", 0, [{ id: "p", data: "" }, { event: "message" }, { id: "" }]);
  assertEquals(logged.map(({ bytes }) => text(bytes)), [
    "id: S.1\ndata: \n\n",
    "event: message\nid: S.2\n\n",
    "id: S.3\n\n",
  ]);
});

Deno.test("nothing makes nothing", () => {
  assertEquals(framed("S", 7, []), { bytes: new Uint8Array(), logged: [], seq: 7 });
});

Deno.test("R44 each logged part is the event with its number, and the parts and comments make the whole", () => {
  const event: fc.Arbitrary<Outgoing> = fc.record({
    id: fc.option(fc.constantFrom("", "u", "\u20ac"), { nil: undefined }),
    event: fc.option(fc.constant("message"), { nil: undefined }),
    comments: fc.option(fc.array(fc.string(), { maxLength: 2 }), { nil: undefined }),
    retry: fc.option(fc.nat(), { nil: undefined }),
    data: fc.option(fc.string({ unit: "binary" }), { nil: undefined }),
  });
  fc.assert(fc.property(fc.array(event), fc.nat(1_000), (events, from) => {
    const { bytes, logged, seq } = framed("S", from, events);
    assertEquals(logged.map(({ seq }) => seq), logged.map((_, at) => from + at + 1));
    assertEquals(seq, from + logged.length);
    const parser = () => new EventParser({ maxEventBytes: 1_000_000 });
    const numbered = parser().feed(bytes).filter(({ id }) => id !== undefined);
    assertEquals(logged.map(({ bytes }) => parser().feed(bytes.slice())).flat(), numbered);
    assertEquals(numbered.map(({ id }) => id), logged.map(({ seq }) => `S.${seq}`));
  }));
});
