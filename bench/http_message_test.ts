import { assertEquals, assertThrows } from "@std/assert";
import {
  BodyDecoder,
  type Framing,
  framingOf,
  HttpFormatError,
  parseHead,
} from "./http_message.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The decoded body and what was left over, with the input cut into pieces of one size. */
function decode(
  framing: Framing,
  text: string,
  pieceBytes: number,
): { body: string; rest: string } {
  const input = encode(text);
  const body = new BodyDecoder(framing);
  const decoder = new TextDecoder();
  let decoded = "";
  let at = 0;
  while (at < input.length && !body.done) {
    at += body.push(input.subarray(at, at + pieceBytes), (bytes) => {
      decoded += decoder.decode(bytes, { stream: true });
    });
  }
  return { body: decoded, rest: new TextDecoder().decode(input.subarray(at)) };
}

Deno.test("parseHead() keeps the fields asked for, names in lower case, values as sent", () => {
  const head = parseHead(
    "HTTP/1.1 200 OK\r\nContent-Length:  12 \r\nX-Other: a\r\nMcp-Session-Id: AbC:d",
    new Set(["content-length", "mcp-session-id"]),
  );
  assertEquals(head.startLine, "HTTP/1.1 200 OK");
  assertEquals([...head.fields], [["content-length", "12"], ["mcp-session-id", "AbC:d"]]);
});

Deno.test("parseHead() takes a start line alone and refuses a line without a colon", () => {
  assertEquals(parseHead("HTTP/1.1 202 Accepted", new Set()).fields.size, 0);
  assertThrows(() => parseHead("HTTP/1.1 200 OK\r\nbroken", new Set()), HttpFormatError);
});

Deno.test("framingOf() reads length or chunked, and refuses the rest", () => {
  assertEquals(framingOf(new Map([["content-length", "0"]])), 0);
  assertEquals(framingOf(new Map([["transfer-encoding", "Chunked"]])), "chunked");
  assertEquals(framingOf(new Map()), undefined);
  assertThrows(() => framingOf(new Map([["content-length", "3, 3"]])), HttpFormatError);
  assertThrows(() => framingOf(new Map([["transfer-encoding", "gzip"]])), HttpFormatError);
});

Deno.test("BodyDecoder takes off either framing wherever the pieces are cut", () => {
  const chunked = "4\r\nabcd\r\nA;x=y\r\n0123456789\r\n0\r\nsome: trailer\r\n\r\nNEXT";
  for (let pieceBytes = 1; pieceBytes <= chunked.length; pieceBytes++) {
    assertEquals(decode("chunked", chunked, pieceBytes), { body: "abcd0123456789", rest: "NEXT" });
    assertEquals(decode(3, "abcNEXT", pieceBytes), { body: "abc", rest: "NEXT" });
  }
  assertEquals(decode(0, "NEXT", 2), { body: "", rest: "NEXT" });
});

Deno.test("BodyDecoder refuses a chunk without a size, an endless size and an overlong chunk", () => {
  for (const text of ["\r\nabc", "123456789\r\n", "2\r\nabc\r\n"]) {
    assertThrows(() => decode("chunked", text, 64), HttpFormatError);
  }
});
