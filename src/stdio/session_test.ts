/**
 * The front for stdio in the session era: its session, the order of messages, and streams that go on.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as relay from "../testing/relay.ts";
import * as stdioClient from "../testing/stdio_client.ts";

const { StdioClient, WrittenStream, codes, finish, json, resultFor } = stdioClient;
const { settled } = relay;

Deno.test("2025-11-25 transports: the id and revision of initialize go with all that follows, GET comes behind initialized, DELETE at the end", async () => {
  const client = new StdioClient({
    script: (seen) => seen.message.id && resultFor(seen) || undefined,
  });
  await client.initialise();
  await client.ask(1);
  await finish(client);
  assertEquals(client.sent, [
    "POST initialize",
    "POST notifications/initialized",
    "GET",
    "POST tools/call",
    "DELETE",
  ]);
  const fields = client.seen.map(({ request: { headers } }) => [
    headers.get("mcp-session-id"),
    headers.get("mcp-protocol-version"),
  ]);
  assertEquals(fields, [[null, null], ...Array(4).fill(["s1", "2025-11-25"])]);
  assertEquals(client.messages.map(({ id }) => id), [0, 1]);
});

Deno.test("2025-11-25 transports, Resumability: an answer that ends with an event id and no response is taken up by GET", async () => {
  const streams = [new WrittenStream(), new WrittenStream(), new WrittenStream()];
  let at = 0;
  const client = new StdioClient();
  await client.initialise();
  client.script = () => streams[at++]!.answer();
  await client.ask(1);
  streams[0]!.write("id: é1\nretry: 300\ndata:\n\n");
  streams[0]!.end();
  await settled();
  client.clock.advance(299);
  await settled();
  assertEquals(at, 1);
  client.clock.advance(200);
  await settled();
  const resumed = client.seen.at(-1)!.request;
  assertEquals([resumed.method, resumed.headers.get("last-event-id")], ["GET", "\xc3\xa91"]);
  streams[1]!.event({ jsonrpc: "2.0", method: "notifications/progress" }, "2");
  streams[1]!.breakOff();
  await settled();
  client.clock.advance(1_000);
  await settled();
  streams[2]!.event({ jsonrpc: "2.0", id: 1, result: {} }, "3");
  await settled();
  assertEquals(client.messages.slice(1).map(({ id, method }) => id ?? method), [
    "notifications/progress",
    1,
  ]);
  await finish(client);
});

/** How far the clock goes at a time. */
const STEP_MS = 100;

Deno.test("2025-11-25 transports, Sending Messages 6: a server that ends its stream is polled until it answers, or says nothing for too long", async () => {
  for (const isAnswered of [true, false]) {
    const client = new StdioClient();
    await client.initialise();
    const polledMs: number[] = [];
    client.script = ({ request }) => {
      const stream = new WrittenStream();
      if (request.method === "POST") stream.write("id: 1\ndata:\n\n");
      else {
        polledMs.push(client.clock.monotonicMs());
        if (isAnswered && polledMs.length === 20) {
          stream.event({ jsonrpc: "2.0", id: 1, result: {} });
        }
      }
      stream.end();
      return stream.answer();
    };
    await client.ask(1);
    for (let steps = 0; client.messages.at(-1)!.id !== 1; steps++) {
      assert(steps < 1_000, `polled ${polledMs.length} times`);
      client.clock.advance(STEP_MS);
      await settled();
    }
    const apart = polledMs.slice(1).map((atMs, at) => atMs - polledMs[at]!);
    // Each is seen up to a step late.
    assert(apart.every((ms) => ms >= 1_000 - STEP_MS), `${apart}`);
    assertEquals(codes(client).at(-1), [1, isAnswered ? undefined : -31504]);
    await finish(client);
  }
});

Deno.test("a stream that cannot be taken up is an error of its request, after as many attempts as there may be", async () => {
  const client = new StdioClient();
  await client.initialise();
  const stream = new WrittenStream();
  const gets: string[] = [];
  client.script = ({ request }) => {
    if (request.method === "POST") return stream.answer();
    gets.push(request.method);
    return json({}, 503);
  };
  await client.ask(1);
  stream.write("id: 1\ndata:\n\n");
  stream.end();
  for (let n = 0; n < 5; n++) {
    await settled();
    client.clock.advance(1_000);
  }
  await settled();
  assertEquals(gets.length, 2);
  assertEquals(codes(client).at(-1), [1, -31502]);
  client.script = () => new WrittenStream().answer();
  const broken = new WrittenStream();
  client.script = () => broken.answer();
  await client.ask(2);
  broken.breakOff();
  await settled();
  assertEquals(codes(client).at(-1), [2, -32603]);
  await finish(client);
});

Deno.test("R81 a session that is not known any more is made anew once, with what was set, and the requests are sent again", async () => {
  const client = new StdioClient({
    script: (seen) => seen.message.id && resultFor(seen) || undefined,
  });
  await client.initialise();
  await client.ask(1, "logging/setLevel", { level: "debug" });
  await client.ask(2, "resources/subscribe", { uri: "a" });
  await client.ask(3, "resources/subscribe", { uri: "b" });
  await client.ask(4, "resources/unsubscribe", { uri: "a" });
  const before = client.seen.length;
  client.script = (seen) => {
    if (seen.message.method === "initialize") {
      const result = { protocolVersion: "2025-11-25" };
      return json({ jsonrpc: "2.0", id: 0, result }, 200, { "mcp-session-id": "s2" });
    }
    if (seen.request.headers.get("mcp-session-id") === "s1") return json({}, 404);
    return seen.message.id === undefined ? undefined : resultFor(seen);
  };
  await client.write([5, 6].map((id) => `{"jsonrpc":"2.0","id":${id},"method":"x"}\n`).join(""));
  const after = client.sent.slice(before);
  assertEquals(after.filter((one) => one === "POST initialize").length, 1);
  assertEquals(after.slice(2), [
    "POST initialize",
    "POST notifications/initialized",
    "POST logging/setLevel",
    "POST resources/subscribe",
    "GET",
    "POST x",
    "POST x",
  ]);
  assertEquals(client.messages.map(({ id }) => id), [0, 1, 2, 3, 4, 5, 6]);
  assertEquals(client.seen.at(-1)!.request.headers.get("mcp-session-id"), "s2");
  await finish(client);
});

Deno.test("R81 an answer to a question of a lost session is not sent in the next one, a notification is", async () => {
  const client = new StdioClient();
  await client.initialise();
  client.script = (seen) => {
    if (seen.message.method === "initialize") {
      const result = { protocolVersion: "2025-11-25" };
      return json({ jsonrpc: "2.0", id: 0, result }, 200, { "mcp-session-id": "s2" });
    }
    return seen.request.headers.get("mcp-session-id") === "s1" ? json({}, 404) : undefined;
  };
  await client.say({ jsonrpc: "2.0", id: 1, result: {} });
  assertEquals(client.seen.filter(({ text }) => text.includes("result")).length, 1);
  await client.say({ jsonrpc: "2.0", method: "notifications/x" });
  assertEquals(client.sent.at(-1), "POST notifications/x");
  await finish(client);
});

Deno.test("a session that cannot be made anew is an error of the request", async () => {
  for (const revision of ["2025-06-18", undefined]) {
    const client = new StdioClient();
    await client.initialise();
    client.script = ({ message }) =>
      message.method === "initialize" && revision !== undefined
        ? json({ jsonrpc: "2.0", id: 0, result: { protocolVersion: revision } })
        : json({}, 404);
    await client.ask(1);
    assertEquals(codes(client).at(-1), [1, -31404]);
    await finish(client);
  }
});

Deno.test("the GET stream is opened again behind its last event, and its messages are lines", async () => {
  const streams: stdioClient.WrittenStream[] = [];
  const client = new StdioClient({
    script: ({ request }) => {
      if (request.method !== "GET") return undefined;
      streams.push(new WrittenStream());
      return streams.at(-1)!.answer();
    },
  });
  await client.initialise();
  streams[0]!.event("what is this");
  streams[0]!.event({ jsonrpc: "2.0", method: "notifications/a" }, "1");
  streams[0]!.end();
  await settled();
  client.clock.advance(200);
  await settled();
  assertEquals(client.seen.at(-1)!.request.headers.get("last-event-id"), "1");
  streams[1]!.event({ jsonrpc: "2.0", method: "notifications/b" }, "2");
  await settled();
  assertEquals(client.messages.slice(1).map(({ method }) => method), [
    "notifications/a",
    "notifications/b",
  ]);
  // An id that is not known any more is forgotten.
  client.script = () => json({}, 400);
  streams[1]!.breakOff();
  for (let n = 0; n < 2; n++) {
    await settled();
    client.clock.advance(1_000);
  }
  await settled();
  assertEquals(client.seen.at(-1)!.request.headers.get("last-event-id"), null);
  await finish(client);
});

Deno.test("messages go up in their order, unless one that is ahead takes too long", async () => {
  let accept = () => {};
  const client = new StdioClient({ limits: { orderMs: 100 } });
  await client.initialise();
  client.script = (seen) =>
    seen.message.method === "notifications/slow"
      ? new Promise((resolve) => accept = () => resolve(json({}, 202)))
      : seen.message.id === undefined
      ? undefined
      : resultFor(seen);
  await client.say({ jsonrpc: "2.0", method: "notifications/slow" });
  await client.ask(1);
  assertEquals(client.sent.at(-1), "POST notifications/slow");
  accept();
  await settled();
  assertEquals(client.sent.at(-1), "POST tools/call");
  await client.say({ jsonrpc: "2.0", method: "notifications/slow" });
  await client.ask(2);
  client.clock.advance(100);
  await settled();
  assertEquals(client.sent.at(-1), "POST tools/call");
  accept();
  await finish(client);
});

Deno.test("what comes behind initialize waits for its answer", async () => {
  let open = () => {};
  const client = new StdioClient({
    script: (seen) =>
      seen.message.method === "initialize"
        ? new Promise((resolve) => {
          const result = { protocolVersion: "2025-11-25" };
          const answer = json({ jsonrpc: "2.0", id: 0, result }, 200, { "mcp-session-id": "s1" });
          open = () => resolve(answer);
        })
        : resultFor(seen),
  });
  await client.ask(0, "initialize");
  await client.ask(1);
  assertEquals(client.sent, ["POST initialize"]);
  open();
  await settled();
  assertEquals(client.seen.at(-1)!.request.headers.get("mcp-session-id"), "s1");
  await finish(client);
});

/** Answers as a server that has lost the session `s1` and begins `s2`. */
function lost(seen: stdioClient.Seen) {
  if (seen.message.method === "initialize") {
    const result = { protocolVersion: "2025-11-25" };
    return json({ jsonrpc: "2.0", id: 0, result }, 200, { "mcp-session-id": "s2" });
  }
  if (seen.request.headers.get("mcp-session-id") === "s1") return json({}, 404);
  return seen.message.id === undefined ? undefined : resultFor(seen);
}

Deno.test("R81 a GET stream that finds its session lost has it made anew, and goes on there", async () => {
  const stream = new WrittenStream();
  const client = new StdioClient({
    script: ({ request }) => request.method === "GET" ? stream.answer() : undefined,
  });
  await client.initialise();
  const before = client.seen.length;
  client.script = lost;
  stream.event({ jsonrpc: "2.0", method: "notifications/a" }, "1");
  stream.end();
  await settled();
  client.clock.advance(200);
  await settled();
  assertEquals(client.sent.slice(before), [
    "GET",
    "POST initialize",
    "POST notifications/initialized",
    "GET",
  ]);
  const { headers } = client.seen.at(-1)!.request;
  assertEquals([headers.get("mcp-session-id"), headers.get("last-event-id")], ["s2", null]);
  await finish(client);
});

Deno.test("R89 2025-11-25 transports, Listening: 404 to GET in a session made anew for it means no stream, as 405 does", async () => {
  let made = 0;
  const client = new StdioClient();
  const server = (seen: stdioClient.Seen) => {
    if (seen.request.method === "GET") return json({}, 404);
    if (seen.message.method !== "initialize") return seen.message.id ? resultFor(seen) : undefined;
    // More are begun only in a loop.
    if (++made > 5) return json({}, 500);
    const result = { protocolVersion: "2025-11-25" };
    return json({ jsonrpc: "2.0", id: 0, result }, 200, { "mcp-session-id": `s${made}` });
  };
  client.script = server;
  await client.ask(0, "initialize");
  await client.say({ jsonrpc: "2.0", method: "notifications/initialized" });
  await settled();
  client.clock.advance(60_000);
  await client.ask(1);
  assertEquals(client.sent, [
    "POST initialize",
    "POST notifications/initialized",
    "GET",
    "POST initialize",
    "POST notifications/initialized",
    "GET",
    "POST tools/call",
  ]);
  // What a POST finds lost is made anew, and asked for the stream once.
  const before = client.seen.length;
  client.script = (seen) =>
    seen.request.headers.get("mcp-session-id") === "s2" ? json({}, 404) : server(seen);
  await client.ask(2);
  assertEquals(client.sent.slice(before), [
    "POST tools/call",
    "POST initialize",
    "POST notifications/initialized",
    "GET",
    "POST tools/call",
  ]);
  assertEquals(client.messages.map(({ id }) => id), [0, 1, 2]);
  await finish(client);
});

Deno.test("no stream is opened for a client that has gone while its session was made anew", async () => {
  let answer = () => {};
  const client = new StdioClient();
  await client.initialise();
  client.script = () => new Promise((resolve) => answer = () => resolve(json({}, 404)));
  await client.ask(1);
  client.end();
  client.script = lost;
  answer();
  await settled();
  await client.over;
  assertEquals(client.sent.slice(-4), [
    "POST initialize",
    "POST notifications/initialized",
    "POST tools/call",
    "DELETE",
  ]);
});

Deno.test("of what the client has set at most a thousand messages are kept, none of them large", async () => {
  const client = new StdioClient({
    maxLineBytes: 100_000,
    script: (seen) => seen.message.id === undefined ? undefined : resultFor(seen),
  });
  await client.initialise();
  const subscribe = (uri: string, id: number | string) =>
    `{"jsonrpc":"2.0","id":"${id}","method":"resources/subscribe","params":{"uri":"${uri}"}}\n`;
  for (const part of [0, 1]) {
    const ids = Array.from({ length: 501 }, (_, n) => 501 * part + n);
    await client.write(ids.map((id) => subscribe(`u${id}`, id)).join(""));
    while (client.lines.length < 2 + ids.at(-1)!) await settled();
  }
  await client.write(subscribe("x".repeat(20_000), "large"));
  const before = client.seen.length;
  client.script = lost;
  await client.ask("last");
  while (client.messages.at(-1)!.id !== "last") await settled();
  const again = client.seen.slice(before)
    .filter(({ message }) => message.method === "resources/subscribe");
  assertEquals([again.length, again[0]!.message.id], [1_000, "2"]);
  await finish(client);
});

Deno.test("a second initialize begins another session and ends the first", async () => {
  const client = new StdioClient();
  await client.initialise();
  await client.initialise("s2");
  const ended = client.seen.filter(({ request }) => request.method === "DELETE");
  assertEquals(ended.map(({ request }) => request.headers.get("mcp-session-id")), ["s1"]);
  await finish(client);
});

Deno.test("an initialize that is refused has begun nothing", async () => {
  const client = new StdioClient({ script: () => json({}, 403) });
  await client.ask(0, "initialize");
  await client.say({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 5 } });
  assertEquals(client.sent, ["POST initialize"]);
  await finish(client);
});

Deno.test("a notification waits for the one ahead of it, but not for ever", async () => {
  const client = new StdioClient({ limits: { orderMs: 100 } });
  await client.initialise();
  client.script = ({ message }) => message.method === "a" ? new Promise(() => {}) : undefined;
  await client.say({ jsonrpc: "2.0", method: "a" });
  await client.say({ jsonrpc: "2.0", method: "b" });
  assertEquals(client.sent.at(-1), "POST a");
  client.clock.advance(100);
  await settled();
  assertEquals(client.sent.at(-1), "POST b");
  await finish(client);
});

Deno.test("R69 waits grow until something comes, for the GET stream and for an answer", async () => {
  const client = new StdioClient();
  // The longest that the waits can be.
  client.clock.randomBytes = () => new Uint8Array([255]);
  let stream = new WrittenStream();
  let fails = true;
  client.script = ({ request }) =>
    request.method === "GET" ? fails ? json({}, 503) : stream.answer() : undefined;
  await client.initialise();
  const gets = () => client.sent.filter((one) => one === "GET").length;
  const pass = async (ms: number) => {
    client.clock.advance(ms);
    await settled();
  };
  for (const ms of [100, 200, 400]) {
    const before = gets();
    await pass(ms - ms / 4);
    assertEquals(gets(), before);
    await pass(ms / 4);
    assertEquals(gets(), before + 1);
  }
  fails = false;
  await pass(1_000);
  stream.event({ jsonrpc: "2.0", method: "notifications/a" });
  stream.end();
  stream = new WrittenStream();
  await settled();
  const before = gets();
  await pass(100);
  assertEquals(gets(), before + 1);

  const answers = [1, 2, 3, 4, 5].map(() => new WrittenStream());
  let at = 0;
  client.script = () => answers[at++]!.answer();
  await client.ask(1);
  for (const one of answers.slice(0, 4)) {
    one.event({ jsonrpc: "2.0", method: "notifications/b" }, "1");
    one.breakOff();
    await settled();
    await pass(100);
  }
  const response = { jsonrpc: "2.0", id: 1, result: {} };
  answers[4]!.event(response);
  await settled();
  assertEquals(client.messages.at(-1), response);
  await finish(client);
});
