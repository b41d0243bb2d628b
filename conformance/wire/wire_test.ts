import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  binary,
  BlockParser,
  framingOf,
  MessageReader,
  parseHead,
  requestBytes,
  WireError,
} from "./mod.ts";

const encoder = new TextEncoder();

/** A source that gives `text` in pieces cut at these places. */
function pieces(text: string, cuts: readonly number[]): () => Promise<Uint8Array | null> {
  const bytes = encoder.encode(text);
  const edges = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])];
  edges.sort((left, right) => left - right);
  const parts = edges.slice(1).map((edge, index) => bytes.slice(edges[index], edge));
  return () => Promise.resolve(parts.shift() ?? null);
}

async function readOne(pull: () => Promise<Uint8Array | null>) {
  const reader = new MessageReader(pull);
  const head = await reader.head();
  if (head === null) return null;
  const body = reader.body(framingOf(head.fields, "close"));
  return { head, text: await body.text(), complete: body.complete };
}

const CHUNKED = "HTTP/1.1 200 OK\r\nA: b\r\na:  c \r\nTransfer-Encoding: chunked\r\n\r\n" +
  "5;x=y\r\nhello\r\n3\r\n wo\r\n0\r\nT: r\r\n\r\n";

Deno.test("MessageReader reads the same whatever the pieces (RFC 9112, section 7.1)", async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.nat()), async (cuts) => {
    assertEquals(await readOne(pieces(CHUNKED, cuts)), {
      head: {
        startLine: "HTTP/1.1 200 OK",
        fields: [["a", "b"], ["a", "c"], ["transfer-encoding", "chunked"]],
      },
      text: "hello wo",
      complete: true,
    });
  }));
});

for (
  const [title, message, text, complete] of [
    ["a chunked body without its last chunk", CHUNKED.slice(0, -11), "hello wo", false],
    ["a chunked body cut in a chunk", CHUNKED.slice(0, CHUNKED.indexOf("llo")), "he", false],
    ["a body short of its length", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "abc", false],
    ["a body that ends with the connection", "HTTP/1.1 200 OK\r\n\r\nabc", "abc", true],
  ] as [string, string, string, boolean][]
) {
  Deno.test(`MessageReader tells that ${title} is ${complete ? "" : "not "}complete`, async () => {
    const one = await readOne(pieces(message, []));
    assertEquals([one?.text, one?.complete], [text, complete]);
  });
}

for (
  const [title, message] of [
    ["both framings", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"],
    ["a space before the colon", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n"],
    ["a folded line", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"],
    ["an end inside the head", "HTTP/1.1 200 OK\r\nA: b"],
    ["a chunk longer than its size", CHUNKED.replace("3\r\n", "2\r\n")],
    ["a chunk size that is none", CHUNKED.replace("5;x=y", "0x5")],
  ] as [string, string][]
) {
  Deno.test(`MessageReader refuses ${title}`, async () => {
    await assertRejects(() => readOne(pieces(message, [])), WireError);
  });
}

Deno.test("MessageReader gives each byte of a head as the character of its number", async () => {
  const bytes = Uint8Array.from({ length: 128 }, (_, at) => 128 + at);
  const parts = [encoder.encode("HTTP/1.1 200 OK\r\nA: "), bytes, encoder.encode("\r\n\r\n")];
  const reader = new MessageReader(() => Promise.resolve(parts.shift() ?? null));
  const value = String.fromCharCode(...bytes);
  assertEquals((await reader.head())?.fields, [["a", value]]);
  assertEquals(binary(bytes), value);
});

Deno.test("parseHead() refuses a control character in a value", () => {
  assertThrows(() => parseHead("HTTP/1.1 200 OK\r\nA: b\nc"), WireError);
});

Deno.test("requestBytes() adds Host and Content-Length where they are missing", () => {
  const url = new URL("http://127.0.0.1:1/mcp?q=1");
  assertEquals(
    new TextDecoder().decode(requestBytes({ url, fields: [["a", "b"]], body: "é" })),
    "POST /mcp?q=1 HTTP/1.1\r\nhost: 127.0.0.1:1\r\na: b\r\ncontent-length: 2\r\n\r\né",
  );
});

const EVENTS =
  "\uFEFF: hi\r\n\r\nid: 1\r\ndata:\r\n\r\nevent: e\ndata: a\rdata:b\n\nretry: 5\n\ndata: cut";

Deno.test("BlockParser gives the same blocks however the text is cut (HTML, section 9.2.6)", () => {
  const nothing = { event: "message", data: null, id: null, retry: null, comments: [] };
  const wanted = [
    { ...nothing, comments: ["hi"] },
    { ...nothing, id: "1", data: "" },
    { ...nothing, event: "e", data: "a\nb" },
    { ...nothing, retry: "5" },
  ];
  for (let cut = 0; cut <= EVENTS.length; cut++) {
    const parser = new BlockParser();
    const blocks = [...parser.push(EVENTS.slice(0, cut)), ...parser.push(EVENTS.slice(cut))];
    assertEquals(blocks, wanted);
  }
});
