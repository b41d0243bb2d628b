import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { AnswerHeadReader } from "./answer_head.ts";
import { bytesOf } from "./fuzz_cases.ts";
import { MAX_KEPT_FIELDS, MAX_KEPT_HEAD } from "./kept_head.ts";
import { type RequestHead, RequestHeadReader } from "./request_head.ts";
import { HttpSyntaxError } from "./syntax.ts";

const request = (...lines: string[]) =>
  ["POST /mcp HTTP/1.1", "Host: a", ...lines, "\r\n"].join("\r\n");

/** What a reader says of a head and what stands behind it: all that stands in it and its end, or that it is none. */
function said(reader: RequestHeadReader, text: string) {
  try {
    const { head: { fields, ...head }, consumed } = reader.feed(bytesOf(`${text}{"a":1}`))!;
    return { ...head, fields: [...fields.list], consumed };
  } catch (error) {
    assert(error instanceof HttpSyntaxError);
    return error.message;
  }
}

function heads(...texts: string[]): RequestHead[] {
  const reader = new RequestHeadReader();
  return texts.map((text) => reader.feed(bytesOf(text))!.head);
}

/** Lines between which heads differ that are nearly the same. */
const LINES = [
  "Content-Length: 5",
  "Content-Length: 6",
  "Content-Length: 123",
  "content-length:7 ",
  "Content-Length: 0",
  "Content-Length: 00",
  "Content-Length: 1234567890123456",
  "Content-Length: 5, 6",
  "Content-Length: 5x",
  "Content-Length: ",
  "Content-Length: +5",
  "Transfer-Encoding: chunked",
  "Expect: 100-continue",
  "Connection: close",
  "X: content-length",
  "X: 5",
  "X: Content-Length: 5",
  "content-length",
];

Deno.test("a reader says of each head what a new one would, whatever came before it (RFC 9112 6.3, R1-R9)", () => {
  const text = fc.array(fc.constantFrom(...LINES), { maxLength: 3 }).map((lines) =>
    request(...lines)
  );
  const nearly = fc.tuple(text, text, text).map((texts) => texts);
  fc.assert(
    fc.property(nearly, (texts) => {
      const reader = new RequestHeadReader();
      for (const one of texts) assertEquals(said(reader, one), said(new RequestHeadReader(), one));
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("digits anywhere else make another head", () => {
  const texts = ["X: 5", "X: 6", "Content-Length: 5\r\nX: 5", "Content-Length: 5\r\nX: 6"];
  for (const first of texts) {
    const reader = new RequestHeadReader();
    said(reader, request(first));
    for (const second of texts) {
      assertEquals(said(reader, request(second)), said(new RequestHeadReader(), request(second)));
    }
  }
});

Deno.test("a head that comes again is the same object, and one of another length shares what was derived", () => {
  const [first, again, longer, other] = heads(
    request("Content-Length: 5", "x: y"),
    request("Content-Length: 5", "x: y"),
    request("Content-Length: 1234", "x: y"),
    request("Content-Length: 1234", "x: z"),
  ) as [RequestHead, RequestHead, RequestHead, RequestHead];
  assertStrictEquals(again, first);
  assertEquals(longer.body, { kind: "length", bytes: 1234 });
  assertEquals(longer.fields.get("content-length"), "1234");
  const made = { made: true };
  const derive = ({ fields }: RequestHead) => fields.derived(LINES, () => ({ ...made }));
  assertStrictEquals(derive(longer), derive(first));
  assert(derive(other) !== derive(first));
});

Deno.test("lengths that take turns are each told as they are", () => {
  const lengths = [5, 6, 5, 5, 6, 123, 6, 0, 5];
  const told = heads(...lengths.map((length) => request(`Content-Length: ${length}`)));
  assertEquals(told.map(({ fields }) => fields.get("content-length")), lengths.map(String));
  assertEquals(
    told.map(({ body }) => body.kind === "length" ? body.bytes : 0),
    lengths,
  );
});

Deno.test("a head that is forgotten is read anew, and nothing stays that was derived", () => {
  const reader = new RequestHeadReader();
  const read = () => reader.feed(bytesOf(request("x: y")))!.head;
  const first = read();
  const derive = () => first.fields.derived(LINES, () => ({}));
  assertStrictEquals(derive(), derive());
  reader.forget();
  assert(derive() !== derive());
  assert(read() !== first);
});

Deno.test("a length that is said twice is read anew each time", () => {
  const [first, second] = heads(
    request("Content-Length: 5", "Content-Length: 5"),
    request("Content-Length: 5"),
  );
  assertEquals(second!.body, first!.body);
  const reader = new RequestHeadReader();
  said(reader, request("Content-Length: 5", "Content-Length: 5"));
  assertEquals(
    said(reader, request("Content-Length: 6", "Content-Length: 5")),
    "the content length is malformed or differs from itself",
  );
});

Deno.test("an answer's head that comes again is the same, and of another length it is another", () => {
  const reader = new AnswerHeadReader();
  const read = (length: number) =>
    reader.feed(bytesOf(`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`))!.head;
  const first = read(5);
  assertStrictEquals(read(5), first);
  assertEquals(read(6).fields.get("content-length"), "6");
});

Deno.test("a large head is not kept, nor what is derived from it, nor one of many fields", () => {
  const many = Array.from({ length: MAX_KEPT_FIELDS }, (_, at) => `x${at}: y`);
  for (const lines of [[`x: ${"y".repeat(MAX_KEPT_HEAD)}`], many]) {
    const [first, again] = heads(request(...lines), request(...lines)) as [
      RequestHead,
      RequestHead,
    ];
    assertEquals(again.fields.list, first.fields.list);
    assert(again !== first);
    const derive = () => first.fields.derived(LINES, () => ({}));
    assert(derive() !== derive());
  }
  const fewer = request(...many.slice(1));
  const [first, again] = heads(fewer, fewer);
  assertStrictEquals(again, first);
});
