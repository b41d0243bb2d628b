/**
 * R50, R66, R72, R77, R78: clients that share an upstream session, over real sockets.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { seededRandom as seeded } from "../http1/fuzz_cases.ts";
import * as eventClient from "../testing/event_client.ts";
import { eventServer } from "../testing/event_server.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxyOptions, withProxy } from "../testing/proxy.ts";
import { exchange, postText } from "../testing/raw_client.ts";
import {
  jsonAnswer,
  type ReceivedRequest,
  scriptedUpstream,
} from "../testing/scripted_upstream.ts";
import * as streams from "../testing/streams.ts";

const { call, listen, openSession } = eventClient;
const { event } = streams;

function shared(url: string, more: Partial<TestProxyOptions> = {}): TestProxyOptions {
  const options = streams.reconnecting(url, more);
  return { ...options, upstreamConfig: { ...options.upstreamConfig, sessions: "shared" } };
}

function bodyOf({ body }: ReceivedRequest) {
  return JSON.parse(new TextDecoder().decode(body));
}

const LIST_CHANGED = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}';

Deno.test("R77 R78 clients share one session of which they know nothing; equal ids, answers in any order", async () => {
  await using upstream = eventServer();
  await withProxy(shared(upstream.url), async ({ origin }) => {
    const sessions = await Promise.all(Array.from({ length: 20 }, () => openSession(origin)));
    assertEquals(new Set(sessions).size, 20);
    const calls = await Promise.all(
      sessions.flatMap((session) =>
        [1, "1", 2, 3, 4].map(async (id) => ({
          id,
          session,
          stream: await call(origin, session, id),
        }))
      ),
    );
    const order = Array.from(calls.keys());
    const random = seeded(78);
    order.sort(() => random() - 0.5);
    const upstreamIds = new Set<string>();
    for (const at of order) {
      const { send, end, request } = await upstream.stream(at);
      const { id } = bodyOf(request);
      upstreamIds.add(JSON.stringify(id));
      assertEquals(request.field("mcp-session-id"), "inner");
      await send(event(`e${id}`, `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${at}}`));
      await end();
    }
    assertEquals(upstreamIds.size, 100);
    const results = new Set<number>();
    for (const { id, stream } of calls) {
      const last = (await stream.rest()).findLast(({ data }) => data !== "");
      const response = JSON.parse(last!.data!);
      assertEquals(response.id, id);
      results.add(response.result);
      stream[Symbol.dispose]();
    }
    assertEquals(results.size, 100);
    const opened = upstream.requests.filter(({ body }) =>
      new TextDecoder().decode(body).includes('"initialize"')
    );
    assertEquals(opened.length, 1);
  });
});

Deno.test("R50 a client that does not read loses its queue and is told; the others get everything at once", async () => {
  await using upstream = eventServer();
  await withProxy(shared(upstream.url), async ({ origin }) => {
    const sessions = await Promise.all(Array.from({ length: 5 }, () => openSession(origin)));
    const listening = await Promise.all(sessions.map((session) => listen(origin, session)));
    const server = await upstream.stream(0);
    const [slow, ...others] = listening;
    const long = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":"${
      "x".repeat(200_000)
    }"}`;
    for (const stream of others) await stream.next();
    for (let n = 0; n < 100; n++) {
      await server.send(event(null, long));
      for (const stream of others) {
        const next = await stream.next();
        assert(next !== null && next !== "cut");
        assertEquals(next.data, long);
      }
    }
    const got = await slow!.rest();
    assert(got.at(-1)!.comments[0]!.includes("messages were dropped"), got.at(-1)!.comments[0]);
    const lastId = got.findLast(({ id }) => id !== undefined)!.id;
    using again = await listen(origin, sessions[0]!, lastId);
    await server.send(event(null, LIST_CHANGED));
    assertEquals((await again.next() as { data: string }).data, LIST_CHANGED);
    assertEquals(upstream.streams, 1);
    for (const stream of listening) stream[Symbol.dispose]();
  });
});

Deno.test("a question on the stream of a call is answered by its client; what others answer goes nowhere", async () => {
  await using upstream = eventServer();
  await withProxy(shared(upstream.url), async ({ origin }) => {
    const capable = JSON.parse(messages.initialize());
    capable.params.capabilities = { sampling: {} };
    const opened = await postText(origin, JSON.stringify(capable));
    const session = opened.headers.get("mcp-session-id")!;
    const other = await openSession(origin);
    using stream = await call(origin, session, 1);
    const server = await upstream.stream(0);
    await server.send(
      event(null, '{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}'),
    );
    const events = [await stream.next(), await stream.next()];
    const { id } = JSON.parse((events[1] as { data: string }).data);
    const answer = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"by":"NAME"}}`;
    const before = upstream.requests.length;
    const wrong = await postText(origin, answer.replace("NAME", "other"), {
      "mcp-session-id": other,
    });
    const right = await postText(origin, answer.replace("NAME", "asked"), {
      "mcp-session-id": session,
    });
    assertEquals([wrong.status, right.status], [202, 202]);
    const sent = upstream.requests.slice(before).map(bodyOf);
    assertEquals(sent, [{ jsonrpc: "2.0", id: "q", result: { by: "asked" } }]);
  });
});

Deno.test("R66 R72 a restart of the server is not noticed; a session that was ended is gone, for its client alone", async () => {
  let current = 1;
  await using upstream = scriptedUpstream(async (request, to) => {
    const text = new TextDecoder().decode(request.body);
    const named = { "mcp-session-id": `inner-${current}` };
    if (text.includes('"initialize"')) {
      const result = messages.initializeResult().replace('"id":1', `"id":${JSON.parse(text).id}`);
      return await to.write(jsonAnswer(result, named));
    }
    if (request.field("mcp-session-id") !== `inner-${current}`) {
      return await to.write(jsonAnswer("{}", {}, "404 Not Found"));
    }
    const { id } = JSON.parse(text);
    if (id === undefined) {
      return await to.write("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
    }
    await to.write(jsonAnswer(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{}}`));
  });
  await withProxy(shared(upstream.url), async ({ origin }) => {
    const [a, b] = [await openSession(origin), await openSession(origin)];
    const ask = (session: string) =>
      postText(origin, messages.ping('"p"'), { "mcp-session-id": session });
    assertEquals(JSON.parse((await ask(a)).text), { jsonrpc: "2.0", id: "p", result: {} });
    current = 2;
    const answers = await Promise.all([ask(a), ask(b)]);
    assertEquals(answers.map(({ status }) => status), [200, 200]);
    const ended = await exchange(
      origin,
      `DELETE /mcp HTTP/1.1\r\nhost: localhost\r\nmcp-session-id: ${a}\r\n\r\n`,
    );
    assertEquals(ended.status, 200);
    assertEquals([(await ask(a)).status, (await ask(b)).status], [404, 200]);
    const opened = upstream.requests.filter(({ field }) => field("mcp-session-id") === undefined);
    assertEquals(opened.length, 2);
  });
});

Deno.test("R77 the shared session's id stands in no message: each client finds its own there", async () => {
  const inner = 'a "shared" upstream session';
  const asked: string[] = [];
  const said = (id: unknown, session: string) =>
    JSON.stringify({ jsonrpc: "2.0", id, result: { session, text: `in ${session}` } });
  await using upstream = scriptedUpstream(async (request, to) => {
    if (!request.line.startsWith("POST")) return to.close();
    const { id, method, params } = bodyOf(request);
    if (method === "initialize") {
      return await to.write(jsonAnswer(messages.initializeResult(), { "mcp-session-id": inner }));
    }
    if (method.startsWith("notifications/")) {
      return await to.write("HTTP/1.1 202 A\r\ncontent-length: 0\r\n\r\n");
    }
    asked.push(params.session);
    if (method === "refuse") return await to.write(jsonAnswer(said(id, inner), {}, "403 Not So"));
    if (method === "json") return await to.write(jsonAnswer(said(id, inner)));
    await to.write(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" +
        event(null, said(id, inner)),
    );
    to.close();
  });
  await withProxy(shared(upstream.url), async ({ origin }) => {
    for (let client = 0; client < 2; client++) {
      const session = await openSession(origin);
      for (const method of ["json", "sse", "refuse"]) {
        const body = JSON.stringify({ jsonrpc: "2.0", id: 7, method, params: { session } });
        const { text } = await postText(origin, body, { "mcp-session-id": session });
        assert(text.includes(said(7, session)) && !text.includes("upstream session"), text);
      }
    }
    assertEquals(asked, Array(6).fill(inner));
  });
});

Deno.test("R64 a refusal that only speaks of sessions costs no shared session, and is not sent again", async () => {
  await using upstream = scriptedUpstream((request, to) => {
    const { id, method } = bodyOf(request);
    if (method === "initialize") {
      return to.write(jsonAnswer(messages.initializeResult(), { "mcp-session-id": "inner" }));
    }
    if (method.startsWith("notifications/")) {
      return to.write("HTTP/1.1 202 A\r\ncontent-length: 0\r\n\r\n");
    }
    const error = { code: -32000, message: "charged; the session has no budget left" };
    return to.write(jsonAnswer(JSON.stringify({ jsonrpc: "2.0", id, error }), {}, "400 Bad"));
  });
  await withProxy(shared(upstream.url), async ({ origin }) => {
    const session = await openSession(origin);
    const { status } = await postText(origin, messages.ping("3"), { "mcp-session-id": session });
    assertEquals([status, upstream.requests.length], [400, 3]);
  });
});
