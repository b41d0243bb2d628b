/**
 * R1 to R5, R9 to R12, R18, R19: what is no request, over a real socket, byte for byte whole and one
 * byte at a time.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Fields, type Handler } from "../http/mod.ts";
import { RawClient } from "../testing/raw_client.ts";
import { testServer } from "../testing/server.ts";

const POST = "POST /mcp HTTP/1.1\r\nhost: localhost\r\n";
/** Another request, which nobody may come to see. */
const SMUGGLED = "GET /smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n";

/** Reads the body and tells what it saw. */
const echo: Handler = async (request) => {
  const body = new TextDecoder().decode(await request.body());
  return {
    status: 200,
    fields: new Fields(),
    body: new TextEncoder().encode(`${request.method} ${request.target} ${body}`),
  };
};

const REFUSED: readonly (readonly [string, string, number])[] = [
  ["R1 CL and TE", `${POST}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ["R1 TE and CL", `${POST}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n`, 400],
  [
    "R1 TE and CL 0",
    `${POST}content-length: 0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ["R2 differing CL", `${POST}content-length: 5\r\ncontent-length: 6\r\n\r\n`, 400],
  ["R2 differing CL in one field", `${POST}content-length: 5, 6\r\n\r\n`, 400],
  ["R2 CL 5 and 05", `${POST}content-length: 5\r\ncontent-length: 05\r\n\r\n`, 400],
  ["R2 a CL that is no number", `${POST}content-length: +5\r\n\r\n`, 400],
  ["R2 a negative CL", `${POST}content-length: -1\r\n\r\n`, 400],
  ["R2 a CL in hexadecimal", `${POST}content-length: 0x5\r\n\r\n`, 400],
  ["R2 a CL with an empty element", `${POST}content-length: 5,\r\n\r\n`, 400],
  ["R2 a CL of 20 digits", `${POST}content-length: 18446744073709551617\r\n\r\n`, 400],
  ["R4 TE gzip, chunked", `${POST}transfer-encoding: gzip, chunked\r\n\r\n`, 400],
  ["R4 TE chunked, identity", `${POST}transfer-encoding: chunked, identity\r\n\r\n`, 400],
  ["R4 TE identity", `${POST}transfer-encoding: identity\r\n\r\n`, 400],
  ["R4 TE xchunked", `${POST}transfer-encoding: xchunked\r\n\r\n`, 400],
  ["R4 TE twice", `${POST}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n`, 400],
  ["R4 TE with a vertical tab", `${POST}transfer-encoding: \x0bchunked\r\n\r\n`, 400],
  ["R4 TE in quotes", `${POST}transfer-encoding: "chunked"\r\n\r\n`, 400],
  ["R4 TE in HTTP/1.0", "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", 400],
  ["R4 a space before the colon", `${POST}content-length : 5\r\n\r\n`, 400],
  ["R4 a tab before the colon", `${POST}transfer-encoding\t: chunked\r\n\r\n`, 400],
  ["R4 obs-fold", `${POST}x: a\r\n b\r\n\r\n`, 400],
  ["R4 obs-fold of TE", `${POST}transfer-encoding:\r\n chunked\r\n\r\n`, 400],
  ["R4 a folded first field", "GET / HTTP/1.1\r\n host: a\r\nhost: localhost\r\n\r\n", 400],
  ["R4 NUL in a value", `${POST}x: a\0b\r\n\r\n`, 400],
  ["R4 NUL in a name", `${POST}x\0: a\r\n\r\n`, 400],
  ["R4 NUL in the target", "GET /\0 HTTP/1.1\r\nhost: localhost\r\n\r\n", 400],
  ["R4 a bare CR in a value", `${POST}x: a\rcontent-length: 5\r\n\r\n`, 400],
  ["R4 a bare CR behind the request line", "GET / HTTP/1.1\rhost: localhost\r\n\r\n", 400],
  ["R4 a field without a colon", `${POST}nonsense\r\n\r\n`, 400],
  ["R4 a field without a name", `${POST}: a\r\n\r\n`, 400],
  ["R5 a bare LF behind a field", `${POST}x: a\n\r\n`, 400],
  ["R5 a bare LF behind the request line", "GET / HTTP/1.1\nhost: localhost\n\n", 400],
  ["R5 a bare LF ahead of everything", "\nGET / HTTP/1.1\r\nhost: localhost\r\n\r\n", 400],
  ["R9 no Host", "GET / HTTP/1.1\r\n\r\n", 400],
  ["R9 two Hosts", "GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n", 400],
  ["R9 two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n", 400],
  ["a target that is no path", "GET mcp HTTP/1.1\r\nhost: localhost\r\n\r\n", 400],
  ["a target of another scheme", "GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n", 400],
  ["GET *", "GET * HTTP/1.1\r\nhost: localhost\r\n\r\n", 400],
  ["two spaces in the request line", "GET  / HTTP/1.1\r\nhost: localhost\r\n\r\n", 400],
  ["a space at its end", "GET / HTTP/1.1 \r\nhost: localhost\r\n\r\n", 400],
  ["a target with a space", "GET /a b HTTP/1.1\r\nhost: localhost\r\n\r\n", 400],
  ["a method that is no token", "G@T / HTTP/1.1\r\nhost: localhost\r\n\r\n", 400],
  ["HTTP/0.9", "GET /\r\n\r\n", 400],
  ["a version in lower case", "GET / http/1.1\r\nhost: localhost\r\n\r\n", 400],
  ["two empty lines ahead", "\r\n\r\nGET / HTTP/1.1\r\nhost: localhost\r\n\r\n", 400],
  ["HTTP/1.2", "GET / HTTP/1.2\r\nhost: localhost\r\n\r\n", 505],
  ["R18 R19 the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  ["a request line of 9,000 bytes", `GET /${"a".repeat(9_000)} HTTP/1.1\r\n`, 414],
  ["a head of 70,000 bytes", `${POST}x: ${"a".repeat(70_000)}`, 431],
  ["130 fields", `${POST}${"x: a\r\n".repeat(130)}\r\n`, 431],
  ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", 400],
];

for (const [name, text, status] of REFUSED) {
  Deno.test(`${name}: ${status}, and the connection is closed`, async () => {
    let calls = 0;
    await using server = testServer((request) => (calls++, echo(request)));
    const bytes = Uint8Array.from(text + SMUGGLED, (character) => character.charCodeAt(0));
    const bytewise = text.length < 1_000 ? [false, true] : [false];
    for (const single of bytewise) {
      using client = await RawClient.connect(server.origin);
      if (!single) await client.write(bytes);
      else for (const byte of bytes) await client.write(Uint8Array.of(byte)).catch(() => {});
      const answer = await client.readResponse();
      assertEquals(answer.status, status);
      assertEquals(answer.headers.get("connection"), "close");
      assertEquals(answer.headers.get("content-type"), "application/json");
      assertEquals(JSON.parse(answer.text).error.code, -31000 - status);
      assert(await client.ended(), "it is not closed, or says more");
    }
    assertEquals(calls, 0);
    assertEquals(server.events.length, bytewise.length);
  });
}

const SERVED: readonly (readonly [string, string, string])[] = [
  ["R3 equal duplicate CL", `${POST}content-length: 2\r\ncontent-length: 2\r\n\r\nhi`, "hi"],
  ["R3 equal CL in one field", `${POST}content-length: 2, 2\r\n\r\nhi`, "hi"],
  [
    "a chunked body",
    `${POST}transfer-encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n`,
    "hi",
  ],
  [
    "a chunked body with extensions and trailers",
    `${POST}Transfer-Encoding: Chunked\r\n\r\n2;a="b"\r\nhi\r\n0\r\ncontent-length: 99\r\n\r\n`,
    "hi",
  ],
  ["an empty line ahead (RFC 9112 2.2)", `\r\n${POST}content-length: 2\r\n\r\nhi`, "hi"],
  ["no body", `${POST}\r\n`, ""],
  ["an upgrade, which is ignored", `${POST}connection: upgrade\r\nupgrade: h2c\r\n\r\n`, ""],
  ["bytes from 0x80 on in a value", `${POST}x: \xe9\r\n\r\n`, ""],
];

for (const [name, text, body] of SERVED) {
  Deno.test(`${name}: served, and the next request too`, async () => {
    await using server = testServer(echo);
    const bytes = Uint8Array.from(text + SMUGGLED, (character) => character.charCodeAt(0));
    for (const single of [false, true]) {
      using client = await RawClient.connect(server.origin);
      if (!single) await client.write(bytes);
      else for (const byte of bytes) await client.write(Uint8Array.of(byte));
      const answer = await client.readResponse();
      assertEquals([answer.status, answer.text], [200, `POST /mcp ${body}`]);
      assertEquals((await client.readResponse()).text, "GET /smuggled ");
    }
    assertEquals(server.events, []);
  });
}

Deno.test("a request line may have 8,192 bytes, and not one more", async () => {
  await using server = testServer(echo);
  for (const [excess, status] of [[0, 200], [1, 414]] as const) {
    using client = await RawClient.connect(server.origin);
    const path = `/${"a".repeat(8_192 - "GET / HTTP/1.1".length + excess)}`;
    await client.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    assertEquals((await client.readResponse()).status, status);
  }
});

Deno.test("128 fields are served, 129 are not", async () => {
  await using server = testServer(echo);
  for (const [count, status] of [[127, 200], [128, 431]] as const) {
    using client = await RawClient.connect(server.origin);
    await client.write(`GET / HTTP/1.1\r\nhost: localhost\r\n${"x: a\r\n".repeat(count)}\r\n`);
    assertEquals((await client.readResponse()).status, status);
  }
});

Deno.test("a chunked body that is broken is a 400, and nothing behind it is read as a request", async () => {
  let calls = 0;
  await using server = testServer(async (request) => {
    calls++;
    try {
      return await echo(request);
    } catch (error) {
      const { kind, status } = error as { kind: string; status: number };
      return { status, fields: new Fields(["x-kind", kind]), body: null };
    }
  });
  const broken = [
    "zz\r\n",
    "5\nhello",
    "2\r\nhiX",
    "-1\r\n",
    "0x2\r\nhi\r\n",
    "1\r\nhi\r\n",
    "\r\n",
  ];
  for (const body of broken) {
    using client = await RawClient.connect(server.origin);
    await client.write(`${POST}transfer-encoding: chunked\r\n\r\n${body}${SMUGGLED}`);
    const { status, headers } = await client.readResponse();
    assertEquals([status, headers.get("x-kind"), headers.get("connection")], [
      400,
      "bad_request",
      "close",
    ]);
    assert(await client.ended());
  }
  assertEquals(calls, broken.length);
});
