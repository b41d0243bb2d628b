/**
 * HTTP+SSE towards servers, over real sockets.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { type FieldReader, Fields } from "../http/mod.ts";
import { http1Client, parseTarget } from "../upstream/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { type ReceivedRequest, scriptedUpstream } from "../testing/scripted_upstream.ts";
import type { ScriptedConnection, ScriptedUpstream } from "../testing/scripted_upstream.ts";
import { type Channel, httpSseChannel, type HttpSseOptions } from "./mod.ts";

const CANARY = "canary-0123456789abcdef";
const ENDPOINT = `event: endpoint\ndata: /message?sessionId=${CANARY}\n\n`;
const ACCEPTED = "HTTP/1.1 202 Accepted\r\ncontent-length: 8\r\n\r\nAccepted";
const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n" +
  "transfer-encoding: chunked\r\n\r\n";
const NO_TLS = { caCerts: [], cert: undefined, key: undefined };
const NOTHING_SENT = { requestSent: false, answerBegun: false };
const TIMEOUTS = { headersMs: 5_000, totalMs: 5_000, bodyIdleMs: 5_000, streamIdleMs: 5_000 };

function chunk(text: string): string {
  return `${new TextEncoder().encode(text).length.toString(16)}\r\n${text}\r\n`;
}

const message = (data: string) => chunk(`event: message\ndata: ${data}\n\n`);

type Script = (request: ReceivedRequest, to: ScriptedConnection) => Promise<void> | void;

interface Setup extends AsyncDisposable {
  readonly server: ScriptedUpstream;
  /** What the channel told, `over` with the failure's sentence last. */
  readonly told: string[];
  readonly failure: () => ProxyError | undefined;
  /** Resolves when so much has been told. */
  has(count: number): Promise<void>;
  open(headers?: FieldReader): Promise<Channel>;
}

/** What a server says to GET: what stands behind the head of a stream, or all of it. */
type First = string | ((to: ScriptedConnection) => Promise<void> | void);

/** A server that says `first`, and takes messages unless `script` says otherwise. */
function setup(
  first: First,
  { script, maxConnections = 8, ...options }:
    & Partial<HttpSseOptions>
    & { script?: Script; maxConnections?: number } = {},
): Setup {
  const server = scriptedUpstream(async (request, to) => {
    if (request.line.startsWith("GET")) {
      return await (typeof first === "string" ? to.write(HEAD + first) : first(to));
    }
    if (script !== undefined) return await script(request, to);
    await to.write(ACCEPTED);
  });
  const clock = options.clock ?? systemClock;
  const { target, path } = parseTarget(server.url.replace("/mcp", "/sse"), NO_TLS)!;
  const client = http1Client({
    target,
    connectTimeoutMs: 5_000,
    maxConnections,
    maxStreams: 8,
    maxQueued: 8,
    queueTimeoutMs: 5_000,
    keepAliveMs: 1_000,
    clock,
  });
  const told: string[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let failure: ProxyError | undefined;
  const tell = (text: string) => {
    told.push(text);
    for (const { count, resolve } of waiting) if (told.length >= count) resolve();
  };
  const open = httpSseChannel(client, {
    target,
    path,
    query: "",
    headers: {},
    forwardCredentials: false,
    withheld: [],
    timeouts: TIMEOUTS,
    endpointTimeoutMs: 5_000,
    maxEventBytes: 1_000,
    ...options,
    clock,
  });
  return {
    server,
    told,
    failure: () => failure,
    has(count) {
      if (told.length >= count) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ count, resolve }));
    },
    open: (headers = new Fields()) =>
      open({
        message: tell,
        over(error) {
          failure = error;
          tell(`over ${error?.message ?? "cleanly"}`);
        },
      }, headers),
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.close();
    },
  };
}

Deno.test("a channel gives the messages of its stream, and sends messages to its endpoint", async () => {
  const events = chunk(': hello\n\nevent: ping\ndata: 1\n\nretry: 5\n\ndata: {"a":1}\n\n') +
    message('[{"b":2}]') + message("") + "0\r\n\r\n";
  await using test = setup(chunk(": first\n\nretry: 7\n\n") + chunk(ENDPOINT));
  const channel = await test.open();
  await channel.send('{"id":1}');
  const [get, post] = test.server.requests;
  assertEquals(get!.line, "GET /sse HTTP/1.1");
  assertEquals([get!.field("accept"), get!.field("accept-encoding")], [
    "text/event-stream",
    "identity",
  ]);
  assertEquals(post!.line, `POST /message?sessionId=${CANARY} HTTP/1.1`);
  assertEquals(post!.field("content-type"), "application/json");
  assertEquals(new TextDecoder().decode(post!.body), '{"id":1}');
  await channel.close();
  assertEquals(test.told, ["over cleanly"]);

  await using other = setup(chunk(ENDPOINT) + events);
  const second = await other.open();
  await other.has(3);
  assertEquals(other.told, ['{"a":1}', '[{"b":2}]', "over cleanly"]);
  const error = await assertRejects(() => second.send("{}"), ProxyError);
  assertEquals([error.source, error.progress?.requestSent], ["upstream", false]);
  await second.close();
});

Deno.test("R93 credentials and fields of Streamable HTTP stay here; configured fields go with every request", async () => {
  const headers = new Fields([
    ...["authorization", "Bearer secret", "cookie", "a=1", "x-key", "sy_key", "x_key", "sy_key"],
    ...["mcp-session-id", "s", "mcp-protocol-version", "2025-11-25", "mcp-method", "m"],
    ...[
      "last-event-id",
      "7",
      "content-type",
      "text/odd",
      "accept",
      "text/odd",
      "origin",
      "http://a",
    ],
    ...["x-team", "client's", "x-more", "kept"],
  ]);
  await using test = setup(chunk(ENDPOINT), {
    headers: { "X-Team": "configured" },
    withheld: ["x-key"],
  });
  const channel = await test.open(headers);
  await channel.send("{}");
  for (const { fields } of test.server.requests) {
    const named = fields.filter(([name]) =>
      !["host", "content-length", "connection"].includes(name)
    );
    const own = named.filter(([name]) =>
      !["accept", "accept-encoding", "content-type"].includes(name)
    );
    assertEquals(own, [["x-more", "kept"], ["x-team", "configured"]]);
    assertEquals(named.filter(([, value]) => value === "text/odd"), []);
  }
  await channel.close();

  await using forwarding = setup(chunk(ENDPOINT), {
    forwardCredentials: true,
    withheld: ["x-key"],
  });
  const other = await forwarding.open(headers);
  await other.send("{}");
  for (const request of forwarding.server.requests) {
    assertEquals([request.field("authorization"), request.field("x-key")], [
      "Bearer secret",
      undefined,
    ]);
  }
  await other.close();
});

Deno.test("R71 R97 an endpoint on another origin closes the channel, and nothing goes there", async () => {
  const elsewhere = scriptedUpstream((_, to) => to.write(ACCEPTED));
  const url = `${elsewhere.url}?sessionId=${CANARY}`;
  await using test = setup(chunk(`event: endpoint\ndata: ${url}\n\n`));
  const error = await assertRejects(() => test.open(), ProxyError, "another origin");
  assert(!Deno.inspect(error).includes(CANARY));
  assertEquals([elsewhere.requests.length, test.server.requests.length, test.told], [0, 1, []]);
  await elsewhere.close();
});

Deno.test("R71 a second endpoint event closes the channel with an error", async () => {
  await using test = setup(chunk(ENDPOINT) + message("1") + chunk(ENDPOINT) + message("2"));
  const channel = await test.open();
  await test.has(2);
  assertEquals(test.told, ["1", "over The upstream server sent a second endpoint event."]);
  await assertRejects(() => channel.send("{}"), ProxyError);
  await channel.close();
  assertEquals(test.told.length, 2);
});

Deno.test("what is no stream with an endpoint first is refused", async () => {
  const cases: [string, string][] = [
    [message("{}"), "ahead of its endpoint"],
    ["0\r\n\r\n", "broke its event stream off"],
    [chunk("event: endpoint\ndata: /m\n") + "0\r\n\r\n", "broke its event stream off"],
    [chunk(`event: endpoint\ndata: ${"x".repeat(2_000)}\n\n`), "more than 1000 bytes"],
  ];
  for (const [first, sentence] of cases) {
    await using test = setup(first);
    const error = await assertRejects(() => test.open(), ProxyError, sentence);
    assertEquals([error.source, test.told], ["upstream", []]);
    assertEquals(error.progress, NOTHING_SENT);
  }
});

Deno.test("R65 no message went to a server without an endpoint: what it refuses may go to another", async () => {
  await using silent = setup("", { endpointTimeoutMs: 10 });
  const error = await assertRejects(() => silent.open(), ProxyError, "in time");
  assertEquals([error.kind, error.progress], ["upstream_timeout", NOTHING_SENT]);
  for (const [status, isLater] of [[401, false], [429, true], [503, true]] as const) {
    const answer = `HTTP/1.1 ${status} No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n`;
    await using test = setup((to) => to.write(answer));
    const error = await assertRejects(() => test.open(), ProxyError);
    // What another principal's credentials may be good for is no reason to ask elsewhere.
    assertEquals([error.retrySafe, error.upstreamStatus], [isLater, isLater ? status : undefined]);
  }
});

Deno.test("R63 R70 an answer to GET that is no stream is refused, a redirect not followed", async () => {
  const cases: [string, string][] = [
    ["HTTP/1.1 307 T\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n", "redirect"],
    ["HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi", "with a stream"],
    ["HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n", "status 405"],
  ];
  for (const [answer, sentence] of cases) {
    await using test = setup((to) => to.write(answer), { query: "?configured=1" });
    await assertRejects(() => test.open(), ProxyError, sentence);
    assertEquals(test.server.requests.map(({ line }) => line), [
      "GET /sse?configured=1 HTTP/1.1",
    ]);
    assertEquals(test.told, []);
  }
});

Deno.test("R97 a refused message is an error of that message alone, without the address; 404 ends the channel", async () => {
  const statuses = [
    "500 No",
    "400 No",
    "307 There\r\nlocation: http://evil.test/",
    "404 Not Found",
  ];
  const left = [...statuses];
  await using test = setup(chunk(ENDPOINT), {
    script: (request, to) => {
      const body = `no such thing as ${request.line}`;
      return to.write(`HTTP/1.1 ${left.shift()}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    },
  });
  const channel = await test.open();
  for (const _ of statuses) {
    assertEquals(test.told, []);
    const error = await assertRejects(() => channel.send("{}"), ProxyError);
    assertEquals([error.source, error.progress?.requestSent], ["upstream", true]);
    assert(!Deno.inspect(error).includes(CANARY) && !Deno.inspect(error).includes("evil"));
  }
  assertEquals(test.told, ["over The upstream server does not know this session any more."]);
  await channel.close();
});

Deno.test("R60 a message whose connection breaks is an error, and was sent once", async () => {
  await using test = setup(chunk(ENDPOINT), { script: (_, to) => to.close() });
  const channel = await test.open();
  const error = await assertRejects(() => channel.send("{}"), ProxyError);
  assertEquals([error.source, error.progress?.requestSent], ["upstream", true]);
  assert(!Deno.inspect(error).includes(CANARY));
  assertEquals([test.server.requests.length, test.told], [2, []]);
  await channel.close();
});

Deno.test("the answer to a message is read to its end when it is small, and given up when it is not", async () => {
  const connections: number[] = [];
  let body = "x".repeat(1_000);
  await using test = setup(chunk(ENDPOINT), {
    // The next message waits for the connection of the one before.
    maxConnections: 1,
    script: async (_, to) => {
      connections.push(to.number);
      await to.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    },
  });
  const channel = await test.open();
  await channel.send("{}");
  await channel.send("{}");
  body = "x".repeat(1_000_000);
  await channel.send("{}");
  await channel.send("{}");
  assertEquals(new Set(connections.slice(0, 3)).size, 1);
  assert(connections[3] !== connections[2]);
  await channel.close();
});

Deno.test("R42 an event over the cap ends the channel behind what came ahead of it", async () => {
  await using test = setup(chunk(ENDPOINT) + message("1") + message("x".repeat(2_000)));
  await test.open();
  await test.has(2);
  assertEquals(test.told[0], "1");
  assertEquals(test.failure()?.kind, "upstream_protocol");
});

Deno.test("a stream that breaks off is the end of the channel, with an error", async () => {
  for (const rest of [message("1"), message("1") + chunk("data: half")]) {
    await using test = setup(async (to) => {
      await to.write(HEAD + chunk(ENDPOINT) + rest);
      to.close();
    });
    const channel = await test.open();
    await test.has(2);
    assertEquals([test.told[0], test.failure()?.kind], ["1", "upstream_closed"]);
    await channel.close();
  }
});

Deno.test("the endpoint has a deadline, and so has the silence of the stream", async () => {
  const clock = new ManualClock();
  await using test = setup(chunk(": nothing yet\n\n"), { clock, endpointTimeoutMs: 1_000 });
  const opening = assertRejects(() => test.open(), ProxyError, "did not name its endpoint");
  await test.server.received(0);
  // The head is read before the deadline is set: it is set when there is one timer more.
  while (clock.timers < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  clock.advance(1_000);
  await opening;
  assertEquals(test.told, []);

  const later = new ManualClock();
  const timeouts = { ...TIMEOUTS, streamIdleMs: 2_000 };
  await using silent = setup(chunk(ENDPOINT), { clock: later, timeouts });
  await silent.open();
  later.advance(2_000);
  await silent.has(1);
  assertEquals(silent.failure()?.kind, "upstream_timeout");
});

Deno.test("R49 a paused channel takes no more messages and stops the server; resumed it misses none", async () => {
  const total = 2_000;
  let written = 0;
  const flood = async (to: ScriptedConnection) => {
    await to.write(HEAD + chunk(ENDPOINT));
    for (; written < total; written++) await to.write(message(`${written} ${"x".repeat(20_000)}`));
    await to.write("0\r\n\r\n");
  };
  await using paused = setup(flood, { maxEventBytes: 100_000 });
  const channel = await paused.open();
  channel.pause();
  let before = -1;
  while (written !== before) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  assert(written < total, "all was taken");
  const { length } = paused.told;
  channel.resume();
  channel.pause();
  channel.resume();
  await paused.has(total + 1);
  assert(length < total);
  const order = paused.told.slice(0, -1).map((text) => Number(text.split(" ")[0]));
  assertEquals(order, Array.from({ length: total }, (_, at) => at));
  assertEquals(paused.told.at(-1), "over cleanly");
});

Deno.test("closing a channel ends its stream and what is on its way, and is harmless again", async () => {
  const held = Promise.withResolvers<ScriptedConnection>();
  let stream: ScriptedConnection | undefined;
  await using test = setup((to) => {
    stream = to;
    return to.write(HEAD + chunk(ENDPOINT));
  }, { script: (_, to) => held.resolve(to) });
  const channel = await test.open();
  channel.pause();
  const sending = assertRejects(() => channel.send("{}"), ProxyError, "has ended");
  const post = await held.promise;
  await Promise.all([channel.close(), channel.close()]);
  const error = await sending;
  assertEquals([error.kind, error.source, error.progress?.requestSent], [
    "upstream_closed",
    "upstream",
    true,
  ]);
  await Promise.all([post.closed, stream!.closed]);
  assertEquals(test.told, ["over cleanly"]);
});
