/**
 * Probes against real sockets, on a clock that stands still wherever time matters.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { freePort } from "../../conformance/free_port.ts";
import { ProxyError } from "../errors.ts";
import * as probes from "../testing/probing.ts";
import * as relay from "../testing/relay.ts";
import {
  jsonAnswer,
  type ReceivedRequest,
  type ScriptedConnection,
  scriptedUpstream,
} from "../testing/scripted_upstream.ts";
import {
  http1Client,
  http2Client,
  type HttpClientFactory,
  type HttpRequest,
} from "../upstream/mod.ts";
import type { ProbeOptions } from "./prober.ts";
import { chosenProbe, kindOfProbe } from "./probes.ts";

const { probing, SETTINGS } = probes;

/** The proxy's own client, and when the first head of an answer came. */
function watchedClient() {
  const { promise: headCame, resolve } = Promise.withResolvers<void>();
  const makeClient: HttpClientFactory = (options) => {
    const client = http1Client(options);
    const send = async (request: HttpRequest) => {
      const answer = await client.send(request);
      resolve();
      return answer;
    };
    return { send, close: () => client.close() };
  };
  return { headCame, makeClient };
}

type Script = (request: ReceivedRequest, to: ScriptedConnection) => Promise<void> | void;

/** What the first probe of a server with this script tells, and the request that it got. */
async function probeOnce(script: Script, options: Partial<ProbeOptions> = {}) {
  await using upstream = scriptedUpstream(script);
  const { clock, next, stop } = probing(upstream.url, options);
  const told = next();
  clock.advance(500);
  const result = await told;
  await stop();
  return { told: result, request: upstream.requests[0] };
}

const text = (request: ReceivedRequest) => new TextDecoder().decode(request.body);
const head = (status: string, type: string) =>
  `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\nconnection: close\r\n\r\n`;
const rpc = (body: string) => `{"jsonrpc":"2.0","id":"switchyard-probe",${body}}`;
const settings = (probe: string) => ({ settings: { ...SETTINGS, probe } });
const REFUSAL = '{"jsonrpc":"2.0","error":{"code":-32000,"message":"No session"},"id":null}';
const DISCOVERED = rpc('"result":{"resultType":"complete","supportedVersions":["2026-07-28"]}');

Deno.test("ping is a JSON-RPC request without a session, with the config's fields", async () => {
  const { told, request } = await probeOnce(
    (_, to) => to.write(jsonAnswer(rpc('"result":{}'))),
    { headers: { "X-Key": "k", Authorization: "Bearer up" } },
  );
  assertEquals(told, [true, undefined]);
  assertEquals(request!.line, "POST /mcp HTTP/1.1");
  assertEquals(JSON.parse(text(request!)), {
    jsonrpc: "2.0",
    id: "switchyard-probe",
    method: "ping",
  });
  assertEquals(request!.field("x-key"), "k");
  assertEquals(request!.field("authorization"), "Bearer up");
  assertEquals(request!.field("accept"), "application/json, text/event-stream");
  assertEquals(request!.field("content-type"), "application/json");
  assertEquals(request!.field("user-agent"), "switchyard/0.1.0");
  assertEquals(request!.field("mcp-session-id"), undefined);
});

Deno.test("the config may say another User-Agent", async () => {
  for (const probe of ["ping", "/healthz"]) {
    const { request } = await probeOnce(
      (_, to) => to.write(jsonAnswer("{}")),
      { ...settings(probe), headers: { "User-Agent": "mine" } },
    );
    const agents = request!.fields.filter(([name]) => name === "user-agent");
    assertEquals(agents, [["user-agent", "mine"]]);
  }
});

/** Answers, and what each kind of probe makes of them. */
const ANSWERS: readonly [string, string, string, probes.Told][] = [
  ["ping", "400, as servers with sessions do", head("400 X", "application/json") + REFUSAL, [
    true,
    undefined,
  ]],
  ["ping", "401", head("401 X", "text/plain"), [true, undefined]],
  ["ping", "404", head("404 X", "text/html") + "<html>", [true, undefined]],
  ["ping", "a stream that goes on", head("200 OK", "text/event-stream") + ": hi\n\n", [
    true,
    undefined,
  ]],
  ["ping", "500", head("500 X", "text/plain") + "no", [false, "answered 500"]],
  ["ping", "503", head("503 X", "application/json") + "{}", [false, "answered 503"]],
  ["discover", "a result", head("200 OK", "application/json") + DISCOVERED, [true, undefined]],
  [
    "discover",
    "a result on a stream",
    head("200 OK", "text/event-stream") + `: hi\n\nevent: message\ndata: ${DISCOVERED}\n\n`,
    [true, undefined],
  ],
  [
    "discover",
    "an error with 200",
    head("200 OK", "application/json") + rpc('"error":{"code":-32601,"message":"x"}'),
    [false, "answered with an error"],
  ],
  ["discover", "400", head("400 X", "application/json") + REFUSAL, [false, "answered 400"]],
  ["discover", "a page", head("200 OK", "text/html") + "<html>", [false, "no whole answer"]],
  ["discover", "half a stream", head("200 OK", "text/event-stream") + "data: {", [
    false,
    "no whole answer",
  ]],
  ["/healthz?deep=1", "204", "HTTP/1.1 204 X\r\nconnection: close\r\n\r\n", [true, undefined]],
  ["/healthz?deep=1", "200 with a page", head("200 OK", "text/html") + "<html>", [
    true,
    undefined,
  ]],
  ["/healthz?deep=1", "302", head("302 X", "text/html") + "<html>", [false, "answered 302"]],
  ["/healthz?deep=1", "404", head("404 X", "text/html") + "<html>", [false, "answered 404"]],
];

for (const [probe, name, bytes, expected] of ANSWERS) {
  Deno.test(`R65 ${probe} that is answered with ${name}: ${expected[1] ?? "good"}`, async () => {
    const script: Script = async (_, to) => {
      await to.write(bytes);
      if (!name.includes("goes on")) to.close();
    };
    assertEquals((await probeOnce(script, settings(probe))).told, expected);
  });
}

Deno.test("2026-07-28 server/discover is asked with _meta and the fields that mirror it", async () => {
  const { request } = await probeOnce(
    (_, to) => to.write(jsonAnswer(DISCOVERED)),
    settings("discover"),
  );
  assertEquals(request!.field("mcp-protocol-version"), "2026-07-28");
  assertEquals(request!.field("mcp-method"), "server/discover");
  const { method, params } = JSON.parse(text(request!));
  assertEquals([method, params._meta], ["server/discover", {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "switchyard", version: "0.1.0" },
    "io.modelcontextprotocol/clientCapabilities": {},
  }]);
});

Deno.test("a path is asked with GET, on the target and with the config's fields", async () => {
  const { request } = await probeOnce(
    (_, to) => to.write(jsonAnswer("{}")),
    { ...settings("/healthz?deep=1"), headers: { "X-Key": "k" } },
  );
  assertEquals(request!.line, "GET /healthz?deep=1 HTTP/1.1");
  assertEquals([request!.field("x-key"), request!.field("user-agent")], ["k", "switchyard/0.1.0"]);
});

const STREAMS: readonly [string, probes.Told][] = [
  [head("200 OK", "text/event-stream") + "event: endpoint\ndata: /message\n\n", [true, undefined]],
  [head("200 OK", "text/html"), [false, "answered without a stream"]],
  [head("404 X", "text/event-stream"), [false, "answered 404"]],
];
for (const [bytes, expected] of STREAMS) {
  Deno.test(`2024-11-05 HTTP+SSE is asked for its stream, which is closed at once: ${expected[1] ?? "good"}`, async () => {
    const closed = Promise.withResolvers<void>();
    const script: Script = async (_, to) => {
      await to.write(bytes);
      await to.closed;
      closed.resolve();
    };
    await using upstream = scriptedUpstream(script);
    const { clock, next, stop } = probing(upstream.url, { transport: "http+sse" });
    const told = next();
    clock.advance(500);
    assertEquals(await told, expected);
    await closed.promise;
    assertEquals(upstream.requests[0]!.line, "GET /mcp HTTP/1.1");
    assertEquals(upstream.requests[0]!.field("accept"), "text/event-stream");
    await stop();
  });
}

Deno.test({
  name: "a socket that the proxy may not open is told as that, and not as a server that is away",
  permissions: { read: true, net: true, write: false },
  async fn() {
    const { clock, next, stop } = probing("unix:/run/nowhere/mcp.sock");
    const told = next();
    clock.advance(500);
    assertEquals(await told, [false, "the proxy lacks a permission (--allow-write)"]);
    await stop();
  },
});

Deno.test("R65 a port that refuses is told as that, again and again", async () => {
  const { clock, next, stop } = probing(`http://127.0.0.1:${freePort()}/mcp`);
  for (const ms of [500, 200, 200]) {
    const told = next();
    clock.advance(ms);
    assertEquals(await told, [false, "refused"]);
    // The next one is set in the same turn as this one is told.
    assertEquals(clock.timers, 1);
  }
  await stop();
  assertEquals(clock.timers, 0);
});

Deno.test("R65 a name that nobody has is told without it", async () => {
  const { clock, next, stop } = probing("http://no-such-host.invalid/mcp");
  const told = next();
  clock.advance(500);
  assertEquals(await told, [false, "no connection"]);
  await stop();
});

const SILENT: readonly [string, string, string][] = [
  ["ping", "nothing at all", ""],
  ["discover", "a head and no body", head("200 OK", "application/json")],
  ["discover", "comments for ever", head("200 OK", "text/event-stream") + ": hi\n\n"],
];
for (const [probe, name, bytes] of SILENT) {
  Deno.test(`R61 ${probe} that is answered with ${name} is over after timeoutMs`, async () => {
    await using upstream = scriptedUpstream((_, to) => to.write(bytes));
    const { headCame, makeClient } = watchedClient();
    const { clock, told, next, stop } = probing(upstream.url, { ...settings(probe), makeClient });
    const result = next();
    clock.advance(500);
    await (bytes === "" ? upstream.received(0) : headCame);
    // Time may be over in the very moment of the head, or later.
    if (name !== "a head and no body") await relay.settled();
    clock.advance(199);
    await relay.settled();
    assertEquals(told, []);
    clock.advance(1);
    assertEquals(await result, [false, "no answer in 200 ms"]);
    await stop();
  });
}

for (const [probe, status, expected] of [["ping", 400, true], ["/healthz", 500, false]] as const) {
  Deno.test(`a body that does not end takes nothing back of what ${status} says to ${probe}`, async () => {
    const bytes = head(`${status} X`, "application/json");
    await using upstream = scriptedUpstream((_, to) => to.write(bytes));
    const { headCame, makeClient } = watchedClient();
    const { clock, told, next, stop } = probing(upstream.url, { ...settings(probe), makeClient });
    const result = next();
    clock.advance(500);
    await headCame;
    await relay.settled();
    clock.advance(199);
    await relay.settled();
    assertEquals(told, []);
    clock.advance(1);
    assertEquals(await result, [expected, expected ? undefined : "answered 500"]);
    await stop();
  });
}

Deno.test("an answer of any size is not read further than to 64 KiB", async () => {
  const cut = Promise.withResolvers<void>();
  await using upstream = scriptedUpstream(async (_, to) => {
    await to.write(head("200 OK", "text/plain") + "x".repeat(200_000));
    await to.closed;
    cut.resolve();
  });
  const { clock, next, stop } = probing(upstream.url);
  const result = next();
  clock.advance(500);
  assertEquals(await result, [true, undefined]);
  await cut.promise;
  await stop();
});

Deno.test("each probe has a connection of its own, which is closed after it", async () => {
  const closed: Promise<void>[] = [];
  const numbers: number[] = [];
  await using upstream = scriptedUpstream((_, to) => {
    closed.push(to.closed);
    numbers.push(to.number);
    return to.write(jsonAnswer("{}"));
  });
  const { clock, next, stop } = probing(upstream.url);
  for (const ms of [500, 1_000]) {
    const told = next();
    clock.advance(ms);
    await told;
    await closed.at(-1);
  }
  assertEquals(numbers, [0, 1]);
  await stop();
});

Deno.test("stop() gives a probe under way up, tells nothing of it, and leaves no timer", async () => {
  const gone = Promise.withResolvers<void>();
  await using upstream = scriptedUpstream(async (_, to) => {
    await to.closed;
    gone.resolve();
  });
  const { clock, told, stop } = probing(upstream.url);
  clock.advance(500);
  await upstream.received(0);
  await stop();
  await gone.promise;
  clock.advance(60_000);
  await stop();
  assertEquals([told, clock.timers, upstream.requests.length], [[], 0, 1]);
});

Deno.test("stop() closes the client once, and resolves when the probe is over", async () => {
  const seen: string[] = [];
  const asked = Promise.withResolvers<void>();
  let connectTimeoutMs = 0;
  const makeClient: HttpClientFactory = (options) => ({
    send: async ({ signal }) => {
      asked.resolve();
      ({ connectTimeoutMs } = options);
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      seen.push("aborted");
      await relay.settled();
      seen.push("over");
      throw new Error("never told");
    },
    close: () => Promise.resolve(void seen.push("closed")),
  });
  const { clock, told, stop } = probing("http://127.0.0.1:1/mcp", { makeClient });
  clock.advance(500);
  await asked.promise;
  await stop();
  await stop();
  assertEquals([seen.toSorted(), told], [["aborted", "closed", "over"], []]);
  assertEquals(connectTimeoutMs, SETTINGS.timeoutMs);
});

Deno.test("probes go over HTTP/2 where the upstream does", async () => {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(`${request.method} ${request.url}`);
    response.statusCode = 503;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { clock, next, stop } = probing(`http://127.0.0.1:${port}/mcp`, {
    makeClient: http2Client,
  });
  for (const ms of [500, 200]) {
    const told = next();
    clock.advance(ms);
    assertEquals(await told, [false, "answered 503"]);
  }
  assertEquals(paths, ["POST /mcp", "POST /mcp"]);
  await stop();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

Deno.test("off, and auto with one target, ask nothing; auto with several is ping", async () => {
  for (const [probe, targets] of [["off", 3], ["auto", 1]] as const) {
    const { clock, stop } = probing("http://127.0.0.1:1/mcp", { ...settings(probe), targets });
    assertEquals(clock.timers, 0);
    await stop();
  }
  assertEquals([chosenProbe("auto", 2), chosenProbe("auto", 1)], ["ping", "off"]);
  assertEquals([chosenProbe("discover", 1), chosenProbe("off", 2)], ["discover", "off"]);
  const kinds = ["off", "ping", "discover", "/x"].flatMap((probe) => [
    kindOfProbe(probe, "streamable-http"),
    kindOfProbe(probe, "http+sse"),
  ]);
  const expected = ["off", "off", "ping", "stream", "discover", "stream", "path", "path"];
  assertEquals<string[]>(kinds, expected);
});

Deno.test("a probe for which the proxy has no access token says nothing of the target, and the next one comes", async () => {
  for (const kind of ["server_token_unavailable", "server_access_refused"] as const) {
    await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(rpc('"result":{}'))));
    let isWithout = true;
    const { promise: refused, resolve } = Promise.withResolvers<void>();
    const makeClient: HttpClientFactory = (options) => {
      const client = http1Client(options);
      const send = (request: HttpRequest) => {
        if (!isWithout) return client.send(request);
        isWithout = false;
        queueMicrotask(resolve);
        return Promise.reject(new ProxyError(kind, "There is none."));
      };
      return { send, close: () => client.close() };
    };
    const { clock, next, told, stop } = probing(upstream.url, { makeClient });
    const first = next();
    clock.advance(500);
    await refused;
    // The next one is due in a fifth of an interval, as behind a failure.
    for (let turns = 0; turns < 20; turns++) await Promise.resolve();
    clock.advance(220);
    assertEquals([await first, told], [[true, undefined], [[true, undefined]]]);
    await stop();
  }
});
