/**
 * The front for stdio as its client and the handler see it.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import * as relay from "../testing/relay.ts";
import * as stdioClient from "../testing/stdio_client.ts";

const { MODERN, StdioClient, WrittenStream, codes, finish, json, resultFor } = stdioClient;
const { settled } = relay;

Deno.test("2026-07-28 streamable-http, Request Metadata: a modern message is mirrored, and has no session", async () => {
  const client = new StdioClient({ script: (seen) => resultFor(seen) });
  await client.ask(1, "tools/call", { ...MODERN, name: "Grüße" });
  await finish(client);
  const { headers } = client.seen[0]!.request;
  assertEquals(
    ["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id"].map((n) => headers.get(n)),
    ["2026-07-28", "tools/call", `=?base64?${btoa("Gr\xc3\xbc\xc3\x9fe")}?=`, null],
  );
  assertEquals(client.sent, ["POST tools/call"]);
});

Deno.test("bytes of a message pass as they are, line breaks inside it as spaces", async () => {
  const client = new StdioClient({
    script: () => json('{"jsonrpc":"2.0",\n"id":1,\r\n"result":{"n":12345678901234567890}}'),
  });
  const line = '{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":1.0}}';
  await client.write(`${line}\r\n`);
  assertEquals(client.seen[0]!.text, line);
  assertEquals(client.lines, [
    '{"jsonrpc":"2.0", "id":1,  "result":{"n":12345678901234567890}}',
  ]);
  await finish(client);
});

Deno.test("lines that are no messages get an error each, blank ones none, and the client goes on", async () => {
  const client = new StdioClient({ maxLineBytes: 60, script: (seen) => resultFor(seen) });
  await client.write("{nope\n\n  \r\n[]\n");
  await client.write(`{"jsonrpc":"2.0","id":7,"method":5}\n`);
  await client.write(`"${"x".repeat(60)}"\n${"[".repeat(50)}\n`);
  await client.write(new TextDecoder("latin1").decode(new Uint8Array([0x7b])) + "\n");
  // Of the very length that is allowed.
  const padded = '{"jsonrpc":"2.0","id":8,"method":"ping","params":{}}'.padEnd(60);
  assertEquals(padded.length, 60);
  await client.write(`${padded}\r\n`);
  await client.write(`${padded} \n`);
  assertEquals(codes(client), [
    [undefined, -32700],
    [undefined, -32600],
    [7, -32600],
    [undefined, -32700],
    [undefined, -32700],
    [undefined, -32700],
    [8, undefined],
    [undefined, -32700],
  ]);
  await finish(client);
});

Deno.test("a last line without its end is a message too", async () => {
  const client = new StdioClient({ script: (seen) => resultFor(seen) });
  await client.write('{"jsonrpc":"2.0","id":1,"method":"ping"}');
  assertEquals(client.lines, []);
  client.end();
  await client.over;
  assertEquals(client.messages.map(({ id }) => id), [1]);
});

Deno.test("messages on streams come as lines in order; events without data or of other names do not", async () => {
  const stream = new WrittenStream();
  const client = new StdioClient({ script: () => stream.answer() });
  await client.ask(1);
  stream.write('id: 5\ndata:\n\nevent: other\ndata: {"method":"no"}\n\n: comment\n\n');
  stream.event({ jsonrpc: "2.0", method: "notifications/progress" });
  stream.event({ jsonrpc: "2.0", id: 1, result: {} });
  await settled();
  assertEquals(client.messages.map(({ id, method }) => id ?? method), [
    "notifications/progress",
    1,
  ]);
  // Nothing can follow the last response.
  assert(stream.discarded);
  await finish(client);
});

Deno.test("refusals become errors with the id of the request, and the client goes on", async () => {
  const answers = [
    json("<html>", 502),
    json({ error: "unauthorized" }, 401),
    json({ jsonrpc: "2.0", error: { code: -31502, message: "m" } }, 502),
    json({ jsonrpc: "2.0", id: null, error: { code: -32022, message: "m" } }, 400),
    json({ jsonrpc: "2.0", id: 5, error: { code: -32601, message: "m" } }, 404),
    json("", 200),
    json("true", 200),
    json({ id: 8, result: {} }),
    json({ jsonrpc: "2.0", id: 9, error: "x" }),
  ];
  const client = new StdioClient({ script: () => answers.shift() });
  for (let id = 1; id <= 9; id++) await client.ask(id);
  assertEquals(codes(client), [
    [1, -31502],
    [2, -31502],
    [3, -31502],
    [4, -32022],
    [5, -32601],
    [6, -31502],
    [7, -31502],
    [8, -31502],
    [9, -31502],
  ]);
  assertMatch(client.messages[1]!.error!.message, /HTTP status 401/);
  assertMatch(client.logs.join(), /HTTP status 401/);
  assertMatch(client.logs.join(), /a request was refused.*502/);
  client.script = () => json({}, 500);
  await client.say({ jsonrpc: "2.0", method: "notifications/x" });
  assertMatch(client.logs.join(), /refused a notification with HTTP status 500/);
  await finish(client);
});

Deno.test("2026-07-28 streamable-http, Cancellation: a modern request is cancelled by the end of its answer", async () => {
  const stream = new WrittenStream();
  const client = new StdioClient({ script: () => stream.answer() });
  await client.ask("7", "tools/call", MODERN);
  const cancel = (requestId: unknown) =>
    client.say({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } });
  await cancel(7);
  assert(!stream.discarded);
  await cancel("7");
  assert(stream.discarded);
  assert(client.seen[0]!.request.signal.aborted);
  assertEquals([client.sent, client.lines], [["POST tools/call"], []]);
  await finish(client);
});

Deno.test("2025-11-25 cancellation: in a session it is posted, and then nobody waits any more", async () => {
  const stream = new WrittenStream();
  const client = new StdioClient();
  await client.initialise();
  client.script = ({ message }) => message.id === undefined ? undefined : stream.answer();
  await client.ask(1);
  await client.say({
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId: 1 },
  });
  assertEquals(client.sent.at(-1), "POST notifications/cancelled");
  assert(stream.discarded);
  // One that the front knows nothing of is the server's to judge.
  const before = client.seen.length;
  await client.say({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 9 } });
  assertEquals(client.seen.length, before + 1);
  await finish(client);
});

Deno.test("2026-07-28 cancellation: a subscription that breaks off is told to the client, one that ends well is its response", async () => {
  const streams = [new WrittenStream(), new WrittenStream()];
  let at = 0;
  const client = new StdioClient({ script: () => streams[at++]!.answer() });
  for (const id of ["a", "b"]) await client.ask(id, "subscriptions/listen", MODERN);
  streams[0]!.end();
  streams[1]!.event({ jsonrpc: "2.0", id: "b", result: {} });
  await settled();
  assertEquals(client.messages.map(({ id, params }) => id ?? params?.["requestId"]).toSorted(), [
    "a",
    "b",
  ]);
  const told = client.messages.find(({ id }) => id === undefined)!;
  assertEquals(told.method, "notifications/cancelled");
  await finish(client);
});

Deno.test("subscriptions over their limit are refused, and do not end the others", async () => {
  const client = new StdioClient({
    limits: { maxSubscriptions: 1 },
    script: () => new WrittenStream().answer(),
  });
  for (const id of [1, 2]) await client.ask(id, "subscriptions/listen", MODERN);
  assertEquals(codes(client), [[2, -31503]]);
  assertEquals(client.seen.length, 1);
  await finish(client);
});

Deno.test("R50 stdin is not read on while too much is under way", async () => {
  const answers: (() => void)[] = [];
  const client = new StdioClient({
    limits: { maxUnderWay: 2 },
    script: (seen) => new Promise((resolve) => answers.push(() => resolve(resultFor(seen)))),
  });
  await client.write([1, 2, 3].map((id) => `{"jsonrpc":"2.0","id":${id},"method":"x"}\n`).join(""));
  assertEquals([client.seen.length, client.wantsMore], [2, false]);
  answers[0]!();
  await settled();
  assertEquals(client.seen.length, 3);
  for (const answer of answers) answer();
  await settled();
  assert(client.wantsMore);
  await finish(client);
});

Deno.test("R50 answers and cancellations pass where no request ends, and further requests are refused", async () => {
  const answers: (() => void)[] = [];
  const client = new StdioClient({
    limits: { maxUnderWay: 2, patienceMs: 100 },
    script: (seen) => {
      if (seen.message.id === undefined || seen.message.method === undefined) return undefined;
      return new Promise((resolve) => answers.push(() => resolve(resultFor(seen))));
    },
  });
  const request = (id: number) => `{"jsonrpc":"2.0","id":${id},"method":"x"}\n`;
  // The server asks something for the first two, and the answer stands behind the client's own next ones.
  await client.write([1, 2, 3, 4].map(request).join("") + '{"jsonrpc":"2.0","id":9,"result":{}}\n');
  assertEquals([client.seen.length, client.wantsMore], [2, false]);
  client.clock.advance(100);
  await settled();
  assertEquals(client.seen.at(-1)!.message, { jsonrpc: "2.0", id: 9, result: {} });
  assertEquals(client.messages.map(({ id, error }) => [id, error?.code]), [[3, -31429], [
    4,
    -31429,
  ]]);
  assert(client.wantsMore);
  answers[0]!();
  await settled();
  await client.write(request(5));
  assertEquals(client.seen.at(-1)!.message.id, 5);
  for (const answer of answers) answer();
  await settled();
  await finish(client);
});

Deno.test("R49 a client that does not read what is wrong with its lines is not read on", async () => {
  const client = new StdioClient({ limits: { maxUnderWay: 3 } });
  client.stalled = true;
  for (let n = 0; n < 5; n++) await client.write("{nope\n");
  assertEquals(client.wantsMore, false);
  client.read();
  await settled();
  assertEquals([client.lines.length, client.wantsMore], [5, true]);
  await finish(client);
});

Deno.test("R49 a client that does not read stdout holds the streams back", async () => {
  const stream = new WrittenStream();
  const client = new StdioClient({ script: () => stream.answer() });
  client.stalled = true;
  await client.ask(1);
  for (let n = 0; n < 5; n++) stream.event({ jsonrpc: "2.0", method: `notifications/${n}` });
  await settled();
  assertEquals(stream.reads, 1);
  await client.read();
  assertEquals([client.lines.length, stream.reads], [5, 6]);
  await finish(client);
});

for (const way of ["the end of stdin", "a signal"] as const) {
  Deno.test(`${way}: what is under way gets a short time, then it is given up, and the session is ended`, async () => {
    const stream = new WrittenStream();
    const client = new StdioClient();
    await client.initialise();
    client.script = ({ request }) => request.method === "DELETE" ? undefined : stream.answer();
    await client.ask(1);
    if (way === "a signal") client.stop();
    else client.end();
    await settled();
    client.clock.advance(900);
    stream.event({ jsonrpc: "2.0", method: "notifications/late" });
    await settled();
    assertEquals([client.messages.at(-1)!.method, stream.discarded], ["notifications/late", false]);
    client.clock.advance(100);
    await client.over;
    assert(stream.discarded);
    assertEquals(client.sent.at(-1), "DELETE");
    assertEquals(client.clock.timers, 0);
  });
}

Deno.test("a server that does not answer the farewell does not keep the process", async () => {
  const client = new StdioClient();
  await client.initialise();
  client.script = () => new Promise(() => {});
  await client.ask(1);
  client.end();
  for (const ms of [1_000, 500, 500]) {
    await settled();
    client.clock.advance(ms);
  }
  await client.over;
  assertEquals(client.sent.at(-1), "DELETE");
});

Deno.test("a message that is too large is an error of its request, and what came ahead of it a line", async () => {
  const large = { jsonrpc: "2.0", id: 1, result: "x".repeat(10_000) };
  const stream = new WrittenStream();
  const client = new StdioClient({
    script: ({ message: { id } }) => id === 1 ? json(large) : stream.answer(),
  });
  await client.ask(1);
  await client.ask(2);
  stream.write(
    `data: {"jsonrpc":"2.0","method":"notifications/x"}\n\ndata: ${JSON.stringify(large)}\n\n`,
  );
  await settled();
  assertEquals(client.messages.map(({ id, method, error }) => method ?? [id, error?.code]), [
    [1, -31502],
    "notifications/x",
    [2, -31502],
  ]);
  await finish(client);
});

Deno.test("an answer that comes when nobody waits any more is given up", async () => {
  const stream = new WrittenStream();
  let answer = () => {};
  const client = new StdioClient({
    script: () => new Promise((resolve) => answer = () => resolve(stream.answer())),
  });
  await client.ask(1, "tools/call", MODERN);
  await client.say({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } });
  answer();
  await settled();
  assert(stream.discarded);
  await finish(client);
});

Deno.test("the end of stdin ends subscriptions at once", async () => {
  const stream = new WrittenStream();
  const client = new StdioClient({ script: () => stream.answer() });
  await client.ask(1, "subscriptions/listen", MODERN);
  client.end();
  await client.over;
  assertEquals([stream.discarded, client.lines], [true, []]);
});

Deno.test("a client that does not read any more has gone", async () => {
  const client = new StdioClient({ script: (seen) => resultFor(seen) });
  client.stdoutBroken = true;
  await client.ask(1);
  await client.over;
  assertEquals(client.lines, []);
});

Deno.test("a batch of 2025-03-26 is sent as it is, and each of its requests is answered", async () => {
  const client = new StdioClient({ script: () => json({ message: "no" }, 500) });
  await client.say([
    { jsonrpc: "2.0", id: 1, method: "a" },
    { jsonrpc: "2.0", id: 2, method: "b" },
  ]);
  assertEquals(client.seen.length, 1);
  assertEquals(codes(client), [[1, -31502], [2, -31502]]);
  await finish(client);
});
