/**
 * R24, R44, R47, R48, R88: interceptors at work in the proxy, over real sockets.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { createApp } from "./app.ts";
import { loadConfig } from "./config/mod.ts";
import { configSchema } from "./config/schema.ts";
import { loadPipelines } from "./interceptors.ts";
import * as eventClient from "./testing/event_client.ts";
import { eventServer } from "./testing/event_server.ts";
import { ManualClock } from "./testing/manual_clock.ts";
import * as messages from "./testing/messages.ts";
import { type TestProxyOptions, withProxy } from "./testing/proxy.ts";
import { jsonPost, postText } from "./testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "./testing/scripted_upstream.ts";
import * as streams from "./testing/streams.ts";

const { call, listen, openSession } = eventClient;
const { event, progress, result } = streams;

const MODULE = new URL("./testing/interceptor.ts", import.meta.url).href;

function using(url: string, ...interceptors: readonly unknown[]): TestProxyOptions {
  return streams.reconnecting(url, { config: { interceptors } });
}

function own(mode: string, more: Readonly<Record<string, unknown>> = {}): unknown {
  return { module: MODULE, options: { mode }, ...more };
}

const DENY_RM = { use: "access", options: { tools: { deny: ["rm*"] } } };

const TOOLS = '{"jsonrpc":"2.0","id":9007199254740993,"result":{"tools":[{"name":"ls"},' +
  '{"name":"rm"}],"n":1.0}}';
const WITHOUT_RM =
  '{"jsonrpc":"2.0","id":9007199254740993,"result":{"tools":[{"name":"ls"}],"n":1.0}}';
const LIST = '{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/list"}';

/** An upstream that answers `tools/list` in one of the ways there are. */
function lister(kind: "json" | "sse") {
  return scriptedUpstream(async (request, to) => {
    const body = new TextDecoder().decode(request.body);
    if (body.includes('"initialize"')) {
      return await to.write(jsonAnswer(messages.initializeResult(), { "mcp-session-id": "inner" }));
    }
    if (kind === "json") return await to.write(jsonAnswer(TOOLS));
    const text = event(null, TOOLS);
    await to.write(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
        `content-length: ${text.length}\r\n\r\n${text}`,
    );
  });
}

for (const kind of ["json", "sse"] as const) {
  for (const era of ["of a session", "without one"]) {
    Deno.test(`R24 a list as ${kind} ${era} loses what is denied, and nothing else of it`, async () => {
      await using upstream = lister(kind);
      await withProxy(using(upstream.url, DENY_RM), async ({ origin }) => {
        const headers: Record<string, string> = era === "of a session"
          ? { "mcp-session-id": await openSession(origin) }
          : {};
        const { text } = await postText(origin, LIST, headers);
        const found = kind === "json" ? text : /^data: (\{"jsonrpc".*)$/m.exec(text)?.[1];
        assertEquals(found, WITHOUT_RM);
      });
    });
  }
}

Deno.test("a denied call is answered by the proxy and never reaches the server", async () => {
  await using upstream = lister("json");
  await withProxy(using(upstream.url, DENY_RM), async ({ origin }) => {
    const session = { "mcp-session-id": await openSession(origin) };
    const rm = '{"jsonrpc":"2.0","id":"7","method":"tools/call","params":{"name":"rm"}}';
    const { status, text } = await postText(origin, rm, session);
    const { id, error } = JSON.parse(text);
    assertEquals([status, id, error.code, upstream.requests.length], [200, "7", -32602, 1]);
  });
});

Deno.test("R28 what no interceptor changes passes byte for byte, both ways", async () => {
  const odd = '{ "jsonrpc" : "2.0", "id":1.0,\n "result": {"x": 1e2} }';
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(odd)));
  await withProxy(using(upstream.url, DENY_RM, { use: "log" }), async ({ origin }) => {
    const sent = '{ "jsonrpc":"2.0","id":1.0 , "method":"ping"}';
    assertEquals((await postText(origin, sent)).text, odd);
    assertEquals(new TextDecoder().decode(upstream.requests[0]!.body), sent);
  });
});

Deno.test("header fields of 2026-07-28 say what the changed body says", async () => {
  await using upstream = scriptedUpstream((_, to) =>
    to.write(jsonAnswer('{"jsonrpc":"2.0","id":7,"result":{}}'))
  );
  const rename = { use: "rewrite", options: { tools: { größe: "t" } } };
  const redact = {
    use: "redact",
    options: { keys: ["token"], direction: "client" },
  };
  await withProxy(using(upstream.url, rename, redact), async ({ origin }) => {
    const meta = '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",' +
      '"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},' +
      '"io.modelcontextprotocol/clientCapabilities":{}}';
    const args = '{"token":"canary","place":"Bern"}';
    await postText(
      origin,
      `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t","arguments":${args},${meta}}}`,
      {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "t",
        "mcp-param-token": "canary",
        "mcp-param-place": "Bern",
      },
    );
    const [request] = upstream.requests;
    const seen = ["mcp-name", "mcp-param-token", "mcp-param-place"].map(request!.field);
    assertEquals(seen, ["=?base64?Z3LDtsOfZQ==?=", "[redacted]", "Bern"]);
    assert(!new TextDecoder().decode(request!.body).includes("canary"));
  });
});

Deno.test("R48 an interceptor that throws touches that message alone, and its words stay here", async () => {
  await using upstream = lister("json");
  await withProxy(using(upstream.url, own("throws")), async ({ origin, logs }) => {
    const bad = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"bad"}}';
    const [failed, fine] = [await postText(origin, bad), await postText(origin, LIST)];
    assertEquals(JSON.parse(failed.text).error.code, -31500);
    assertEquals(fine.text, TOOLS);
    assert(!failed.text.includes("secret-canary") && !logs.join("").includes("secret-canary"));
    assertEquals(upstream.requests.length, 1);
  });
});

Deno.test("R48 an interceptor that throws over one event of a stream leaves the others alone", async () => {
  await using upstream = eventServer();
  await withProxy(using(upstream.url, own("throws on answers")), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(event("up-1", progress(1)) + event("up-2", result(7)));
    await server.end();
    const events = await stream.rest();
    assertEquals(events.map(({ data }) => data).filter((data) => data), [result(7)]);
  });
});

Deno.test("R88 an interceptor that hangs has its deadline, on the way there and back", async () => {
  const clock = new ManualClock();
  await using upstream = eventServer();
  const config = { interceptors: [own("hangs", { timeoutMs: 50 })], limits: { keepAliveMs: 0 } };
  const options = { upstream: upstream.url, config, clock };
  await withProxy(options, async ({ origin }) => {
    const session = { "mcp-session-id": await openSessionThrough(origin, clock) };
    const bad = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"bad"}}';
    const { text } = await passing(clock, postText(origin, bad, session));
    assertEquals(JSON.parse(text).error.code, -31504);
    using stream = await call(origin, session["mcp-session-id"], 7);
    const server = await upstream.stream(0);
    await server.send(event(null, progress(1)) + event(null, result(7)));
    await server.end();
    const events = await passing(clock, stream.rest());
    assertEquals(JSON.parse(events.at(-1)!.data!).error.code, -31504);
    assertEquals(events.at(-2)!.data, progress(1));
  });
});

async function openSessionThrough(origin: string, clock: ManualClock): Promise<string> {
  // The answer to initialize hangs too, and the session is there all the same.
  const response = await passing(clock, postText(origin, messages.initialize()));
  return response.headers.get("mcp-session-id")!;
}

/** Lets time pass until something is there. */
async function passing<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let done = false;
  const finished = work.finally(() => done = true);
  while (!done) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    clock.advance(10);
  }
  return await finished;
}

Deno.test("one message that becomes several is a stream, whether it came as JSON or as an event", async () => {
  const told: (string | undefined)[][] = [];
  for (const kind of ["json", "sse"] as const) {
    await using upstream = lister(kind);
    await withProxy(using(upstream.url, own("expands")), async ({ origin }) => {
      using stream = await eventClient.begin(origin, jsonPost(LIST));
      assertEquals(stream.headers.get("content-type"), "text/event-stream");
      told.push((await streamed(stream)).map(({ data }) => data));
    });
  }
  assertEquals(told[0], told[1]);
  assertEquals(told[0]!.map((data) => JSON.parse(data!).method), [
    "notifications/message",
    undefined,
  ]);
});

async function streamed(stream: eventClient.ClientStream) {
  return stream.headers.has("content-length") ? await stream.whole() : await stream.rest();
}

Deno.test("R44 an event hook changes name and data; line breaks stay inside of the data", async () => {
  await using upstream = eventServer();
  await withProxy(using(upstream.url, own("renames events")), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(event("up-1", "not JSON-RPC 1") + event("up-2", result(7)));
    await server.end();
    const [, first, last] = await stream.rest();
    assertEquals([first!.event, first!.data], ["renamed", "not JSON-RPC one\ntwo"]);
    assertEquals(last!.event, "renamed");
  });
});

Deno.test("R47 an event that is no JSON-RPC passes interceptors of messages as it came", async () => {
  await using upstream = eventServer();
  await withProxy(using(upstream.url, DENY_RM), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(event("up-1", "hello") + event("up-2", "[1]") + event("up-3", result(7)));
    await server.end();
    assertEquals((await stream.rest()).map(({ data }) => data), ["", "hello", "[1]", result(7)]);
  });
});

Deno.test("a request of the server that an interceptor answers goes no further, and is answered", async () => {
  await using upstream = eventServer();
  await withProxy(using(upstream.url, own("answers the server")), async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await listen(origin, session);
    const server = await upstream.stream(0);
    const ask = '{"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage","params":{}}';
    await server.send(event("up-1", ask) + event("up-2", progress(1)));
    await stream.next();
    const { data, id } = await stream.next() as eventClient.ReadEvent;
    // The place of the event that did not pass is kept: a client may come back behind it.
    assertEquals([data, id?.split(".")[1]], [undefined, "1"]);
    assertEquals((await stream.next() as eventClient.ReadEvent).data, progress(1));
    const reply = await upstream.received(2);
    const { id: answered, result: told } = JSON.parse(new TextDecoder().decode(reply.body));
    assertEquals([answered, told.model, reply.field("mcp-session-id")], ["s1", "m", "inner"]);
  });
});

Deno.test("what an interceptor answers to the server during a call is a POST of its own", async () => {
  await using upstream = eventServer();
  await withProxy(using(upstream.url, own("answers the server")), async ({ origin }) => {
    const session = await openSession(origin);
    using _stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(
      event("up-1", '{"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage","params":{}}'),
    );
    const { fields } = await upstream.received(2);
    const types = fields.filter(([name]) => name === "content-type").map(([, value]) => value);
    assertEquals(types, ["application/json"]);
  });
});

Deno.test("an event that is changed keeps its id, on the last one that stands for it", async () => {
  await using upstream = eventServer();
  const config = { interceptors: [own("expands")], eventLog: { store: "off" } };
  await withProxy({ upstream: upstream.url, config }, async ({ origin }) => {
    const session = await openSession(origin);
    using stream = await call(origin, session, 7);
    const server = await upstream.stream(0);
    await server.send(`: c\nretry: 5\n${event("up-1", result(7))}`);
    await server.end();
    const events = await stream.rest();
    assertEquals(events.map(({ id, retry }) => id ?? retry), [5, undefined, "up-1"]);
  });
});

Deno.test("R96 an interceptor sees enough of a session id to tell sessions apart, and no more", async () => {
  await using upstream = lister("json");
  await withProxy(using(upstream.url, own("tells the session")), async ({ origin, logs }) => {
    const session = await openSession(origin);
    await postText(origin, LIST, { "mcp-session-id": session });
    const text = logs.join("");
    assert(text.includes(`"session":"${session.slice(0, 12)}"`) && !text.includes(session));
  });
});

Deno.test("of a batch some may be answered here: the client gets all answers together", async () => {
  const upstream = scriptedUpstream(async (request, to) => {
    const body = new TextDecoder().decode(request.body);
    if (body.includes('"initialize"')) {
      const result = messages.initializeResult("2025-03-26");
      return await to.write(jsonAnswer(result, { "mcp-session-id": "inner" }));
    }
    await to.write(jsonAnswer('[{"jsonrpc":"2.0","id":2,"result":{}}]'));
  });
  await using _ = upstream;
  await withProxy(using(upstream.url, own("answers pings")), async ({ origin }) => {
    const session = { "mcp-session-id": await openSession(origin, "2025-03-26") };
    const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
    const list = '{"jsonrpc":"2.0","id":2,"method":"tools/list"}';
    const both = await postText(origin, `[${ping},${list}]`, session);
    assertEquals(JSON.parse(both.text).map(({ id }: { id: number }) => id), [2, 1]);
    assertEquals(new TextDecoder().decode(upstream.requests[1]!.body), `[${list}]`);
    const alone = await postText(origin, `[${ping}]`, session);
    assertEquals([alone.status, JSON.parse(alone.text).length], [200, 1]);
    assertEquals(upstream.requests.length, 2);
  });
});

for (const session of [true, false]) {
  Deno.test(`answers given here come ahead of a stream that answers the rest of a batch${session ? ", in a session" : ""}`, async () => {
    await using upstream = eventServer({ revision: "2025-03-26" });
    await withProxy(using(upstream.url, own("answers pings")), async ({ origin }) => {
      const fields: Record<string, string> = session
        ? { "mcp-session-id": await openSession(origin, "2025-03-26") }
        : {};
      const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
      const list = '{"jsonrpc":"2.0","id":2,"method":"tools/list"}';
      using stream = await eventClient.begin(origin, jsonPost(`[${ping},${list}]`, fields));
      const server = await upstream.stream(0);
      await server.send(event(null, result(2)));
      await server.end();
      const ids = (await stream.rest()).map(({ data }) => JSON.parse(data!).id);
      assertEquals(ids, [1, 2]);
    });
  });
}

Deno.test("an error of the server passes the interceptors too", async () => {
  const told =
    '{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no","data":{"token":"x"}}}';
  await using upstream = scriptedUpstream((_, to) =>
    to.write(jsonAnswer(told, {}, "404 Not Found"))
  );
  const redact = { use: "redact", options: { keys: ["token"], direction: "server" } };
  await withProxy(using(upstream.url, redact), async ({ origin }) => {
    const { status, text } = await postText(origin, '{"jsonrpc":"2.0","id":7,"method":"x"}');
    assertEquals([status, JSON.parse(text).error.data.token], [404, "[redacted]"]);
  });
});

Deno.test("a JSON answer too large to be looked into is refused rather than passed unseen", async () => {
  await using upstream = lister("json");
  const config = { interceptors: [DENY_RM], limits: { maxEventBytes: 64 } };
  await withProxy({ upstream: upstream.url, config }, async ({ origin }) => {
    const { status, text } = await postText(origin, LIST);
    assertEquals([status, JSON.parse(text).error.code], [502, -31502]);
    assertMatch(text, /"id":9007199254740993/);
  });
});

Deno.test("interceptors of a config are never passed over in silence", async () => {
  const routes = [{ path: "/mcp", upstream: { url: "http://localhost:1/mcp" } }];
  const config = configSchema.parse({ interceptors: [DENY_RM], routes });
  assertThrows(() => createApp({ config }), TypeError, "loadPipelines");
  const missing = configSchema.parse({ interceptors: [{ module: "./no-such.ts" }], routes });
  await assertRejects(() => loadPipelines(missing), Error, "no-such.ts");
});

Deno.test("the path of a module begins at the folder of the config file", async () => {
  const text = `{"routes":[{"path":"/mcp","upstream":{"url":"http://localhost:1/mcp"},
    "interceptors":[{"module":"./m.ts"},{"module":"/abs.ts"}]}]}`;
  const config = await loadConfig({
    file: "/etc/switchyard/config.json",
    needsRoutes: true,
    readTextFile: () => Promise.resolve(text),
  });
  const modules = config.routes[0]!.interceptors.map(({ module }) => module);
  assertEquals(modules, ["/etc/switchyard/m.ts", "/abs.ts"]);
});

Deno.test("R96 what an interceptor throws is told by its kind and place, however little it says", async () => {
  await using upstream = lister("json");
  const folder = await Deno.makeTempDir();
  const module = `${folder}/thrower.ts`;
  await Deno.writeTextFile(
    module,
    `class Odd extends Error { override name = "OddError"; }
    const THROWN = [undefined, null, "secret-canary", 7, { a: "secret-canary" }, new Map(),
      new TypeError(), new Odd("secret-canary"), Object.create(null)];
    let calls = 0;
    export default { name: "thrower", clientMessage() { throw THROWN[calls++]; } };`,
  );
  const wanted = [
    ["threw undefined"],
    ["threw null"],
    ["threw a string of 13 characters, no Error"],
    ["threw a number, no Error"],
    ["threw an object of Object, no Error"],
    ["threw an object of Map, no Error"],
    ["threw TypeError without a message", "thrower.ts:3:7"],
    ["threw OddError", "thrower.ts:3:24"],
    ["threw an object, no Error"],
  ];
  await withProxy(using(upstream.url, { module }), async ({ origin, logs }) => {
    for (const _ of wanted) {
      const { text } = await postText(origin, LIST);
      assertEquals(JSON.parse(text).id !== undefined, true);
    }
    const told = logs.map((line) => JSON.parse(line))
      .filter(({ message }) => message === "interceptor failed");
    assertEquals(
      told.map(({ why, at }) => [why, ...(at === undefined ? [] : [at.split("/").at(-1)])]),
      wanted,
    );
    for (const { route, interceptor, hook } of told) {
      assertEquals([route, interceptor, hook], ["/mcp", "thrower", "clientMessage"]);
    }
    assertEquals(logs.join().includes("canary"), false);
  });
  await Deno.remove(folder, { recursive: true });
});
