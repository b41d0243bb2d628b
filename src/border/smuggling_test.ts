/**
 * R6: whatever is hidden in a request, the upstream sees no more requests than were meant.
 *
 * Each payload is sent to the whole proxy on one connection, followed by a sound request. The upstream
 * counts; it must see the meant requests and nothing of what was hidden.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { withProxy } from "../testing/proxy.ts";
import { RawClient } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const FIELDS = "host: localhost\r\ncontent-type: application/json\r\n" +
  "accept: application/json, text/event-stream\r\n";
const POST = `POST /mcp HTTP/1.1\r\n${FIELDS}`;
const HIDDEN_BODY = '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"hidden"}}';
/** What must never arrive. */
const HIDDEN = `${POST}content-length: ${HIDDEN_BODY.length}\r\n\r\n${HIDDEN_BODY}`;
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const CHUNKED_PING = `${chunk(PING)}0\r\n\r\n`;
const length = (text: string) => `content-length: ${text.length}\r\n`;

/** Payloads after which the connection must be closed, or the request behind must be the sound one. */
const PAYLOADS: readonly (readonly [string, string])[] = [
  // Two framings.
  [
    "CL.TE",
    `${POST}${
      length(CHUNKED_PING + HIDDEN)
    }transfer-encoding: chunked\r\n\r\n${CHUNKED_PING}${HIDDEN}`,
  ],
  [
    "TE.CL",
    `${POST}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n${chunk(HIDDEN)}0\r\n\r\n`,
  ],
  [
    "CL 0 and TE",
    `${POST}content-length: 0\r\ntransfer-encoding: chunked\r\n\r\n${CHUNKED_PING}${HIDDEN}`,
  ],
  ["CL twice, short first", `${POST}${length(PING)}${length(PING + HIDDEN)}\r\n${PING}${HIDDEN}`],
  ["CL twice, long first", `${POST}${length(PING + HIDDEN)}${length(PING)}\r\n${PING}${HIDDEN}`],
  [
    "CL list",
    `${POST}content-length: ${PING.length}, ${(PING + HIDDEN).length}\r\n\r\n${PING}${HIDDEN}`,
  ],
  // Transfer codings that one reader takes for chunked and another does not.
  ...[
    "transfer-encoding : chunked",
    "transfer-encoding\t: chunked",
    " transfer-encoding: chunked",
    "transfer-encoding:\x0bchunked",
    "transfer-encoding: \x00chunked",
    "transfer-encoding: chunked\x00",
    "transfer-encoding: xchunked",
    "transfer-encoding: chunked, identity",
    "transfer-encoding: identity, chunked",
    "transfer-encoding: identity\r\ntransfer-encoding: chunked",
    "transfer-encoding: chunked\r\ntransfer-encoding: identity",
    'transfer-encoding: "chunked"',
    "transfer-encoding: chunked;q=1",
    "transfer-encoding:\r\n chunked",
    "transfer-encoding:\r\n\tchunked",
    "x: y\rtransfer-encoding: chunked",
    "x: y\ntransfer-encoding: chunked",
    "x: y\r\r\ntransfer-encoding: chunked",
    "transfer-encoding\x00: chunked",
    "transfer_encoding: chunked\r\ntransfer-encoding: gzip",
    "transfer-encoding: \xa0chunked",
    "transfer-encoding: chunked\xa0",
    "transfer-encoding: c\u0068unked,",
    "transfer-encoding: ,chunked",
  ].map((line): [string, string] => [
    `${JSON.stringify(line)} beside a length`,
    `${POST}${line}\r\n${length(CHUNKED_PING + HIDDEN)}\r\n${CHUNKED_PING}${HIDDEN}`,
  ]),
  // Lengths that readers disagree on.
  ...["+40", "-40", "0x28", "40 40", "40;", "4_0", "\x0b40", "40\x00", "4e1", "०", "1".repeat(20)]
    .map(
      (value): [string, string] => [
        `content-length ${JSON.stringify(value)}`,
        `${POST}content-length: ${value}\r\n\r\n${PING}${HIDDEN}`,
      ],
    ),
  ["content-length with a space ahead of the colon", `${POST}content-length : 0\r\n\r\n${HIDDEN}`],
  ["content-length folded", `${POST}content-length:\r\n 0\r\n\r\n${HIDDEN}`],
  ["content_length", `${POST}content_length: 99\r\n${length(PING)}\r\n${PING}`],
  // Chunks.
  ...[
    ["a size with 0x", `0x28\r\n${PING}\r\n0\r\n\r\n`],
    ["a size with a sign", `+28\r\n${PING}\r\n0\r\n\r\n`],
    ["a size with a space inside", `2 8\r\n${PING}\r\n0\r\n\r\n`],
    ["a size with an underscore", `2_8\r\n${PING}\r\n0\r\n\r\n`],
    ["a size of 17 digits", `00000000000000000028\r\n${PING}\r\n0\r\n\r\n`],
    ["a size past 64 bits", `1000000000000000028\r\n${PING}\r\n0\r\n\r\n`],
    ["a size line with a bare LF", `28\n${PING}\r\n0\r\n\r\n`],
    ["a size line with a bare CR", `28\r${PING}\r\n0\r\n\r\n`],
    ["an extension with a bare LF", `28;a\n${PING}\r\n0\r\n\r\n`],
    ["data longer than its size", `27\r\n${PING}\r\n0\r\n\r\n`],
    ["data shorter than its size", `29\r\n${PING}\r\n0\r\n\r\n`],
    ["two bytes that are no CRLF behind the data", `28\r\n${PING}XX0\r\n\r\n`],
    ["a bare LF behind the data", `28\r\n${PING}\n0\r\n\r\n`],
    ["a last chunk with a bare LF", `28\r\n${PING}\r\n0\n\n`],
    ["a trailer with a bare LF", `28\r\n${PING}\r\n0\r\nx: y\n\r\n`],
    ["no size at all", `\r\n${PING}\r\n0\r\n\r\n`],
    ["a semicolon alone", `;a\r\n${PING}\r\n0\r\n\r\n`],
  ].map(([name, body]): [string, string] => [
    name!,
    `${POST}transfer-encoding: chunked\r\n\r\n${body}${HIDDEN}`,
  ]),
  // Request lines.
  ["a bare CR in the request line", `POST /mcp HTTP/1.1\r${FIELDS}\r\n${HIDDEN}`],
  ["a bare LF behind the request line", `POST /mcp HTTP/1.1\n${FIELDS}\r\n${HIDDEN}`],
  ["HTTP/0.9", `GET /mcp\r\n${HIDDEN}`],
  ["a target with a request in it", `GET /mcp%20HTTP/1.1%0d%0a HTTP/1.1\nhost: x\r\n\r\n${HIDDEN}`],
  ["HTTP/2 by prior knowledge", `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${HIDDEN}`],
  [
    "TE in HTTP/1.0",
    `POST /mcp HTTP/1.0\r\n${FIELDS}transfer-encoding: chunked\r\n\r\n${CHUNKED_PING}${HIDDEN}`,
  ],
  // Tunnels that are none.
  [
    "CONNECT with a request behind it, unread",
    `CONNECT x:1 HTTP/1.1\r\nhost: x\r\n${length(HIDDEN)}\r\n${HIDDEN}`,
  ],
  ["GET with a body", `GET /nothing HTTP/1.1\r\nhost: localhost\r\n${length(HIDDEN)}\r\n${HIDDEN}`],
  ["HEAD with a body", `HEAD /mcp HTTP/1.1\r\nhost: localhost\r\n${length(HIDDEN)}\r\n${HIDDEN}`],
  [
    "OPTIONS with a body",
    `OPTIONS /mcp HTTP/1.1\r\nhost: localhost\r\n${length(HIDDEN)}\r\n${HIDDEN}`,
  ],
  [
    "a refused body with a request in it",
    `POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n${
      length(HIDDEN)
    }\r\n${HIDDEN}`,
  ],
  ["a body too large with a request in it", `${POST}content-length: 99999999\r\n\r\n${HIDDEN}`],
  [
    "Expect with a request for a body",
    `${POST}expect: 100-continue\r\n${length(HIDDEN_BODY.replace("tools/call", "x"))}\r\n${HIDDEN}`,
  ],
  [
    "an upgrade with a request behind it in its body",
    `GET /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: h2c\r\n${
      length(HIDDEN)
    }\r\n${HIDDEN}`,
  ],
  ["a nominated content-length", `${POST}connection: content-length\r\n${length(PING)}\r\n${PING}`],
  [
    "a length in the trailers",
    `${POST}transfer-encoding: chunked\r\n\r\n${chunk(PING)}0\r\n${length(HIDDEN)}\r\n`,
  ],
];

Deno.test("R6 no payload makes the upstream see a request that was hidden, or one too many", async () => {
  assert(PAYLOADS.length >= 70);
  const bodies: string[] = [];
  await using upstream = scriptedUpstream((request, to) => {
    bodies.push(new TextDecoder().decode(request.body));
    return to.write(jsonAnswer(RESULT));
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    for (const [name, payload] of PAYLOADS) {
      for (const split of [false, true]) {
        bodies.length = 0;
        using client = await RawClient.connect(proxy.origin);
        const bytes = Uint8Array.from(payload, (character) => character.charCodeAt(0) & 0xff);
        const half = split ? Math.floor(bytes.length / 2) : 0;
        if (split) {
          await client.write(bytes.subarray(0, half));
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
        await client.write(bytes.subarray(half)).catch(() => {});
        // A sound request behind it, whose end the client announces.
        const last = `DELETE /none HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`;
        await client.write(last).catch(() => {});
        for (let more = true; more;) {
          more = await client.readResponse().then(() => true, () => false);
        }
        assert(bodies.length <= 1, `${name}: ${bodies.length} requests`);
        for (const body of bodies) assertEquals(body, PING, `${name}: ${body}`);
      }
    }
  });
});
