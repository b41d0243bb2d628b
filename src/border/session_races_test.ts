/**
 * R77, R81, R85: what goes wrong between requests of a session that overlap, over real sockets.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost, postText, RawClient } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";

const INNER = "7d3e9c1a-1f2b-4c5d-8e9f-0a1b2c3d4e5f";
const EMPTY = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const opening = (id = INNER) => jsonAnswer(messages.initializeResult(), { "mcp-session-id": id });

async function open(proxy: TestProxy): Promise<string> {
  const { status, headers } = await postText(proxy.origin, messages.initialize());
  assertEquals(status, 200);
  return headers.get("mcp-session-id")!;
}

async function status(proxy: TestProxy): Promise<{ clientConnections: number }> {
  return await (await fetch(`${proxy.adminOrigin}/status`)).json();
}

const deletion = (id: string) =>
  `DELETE /mcp HTTP/1.1\r\nhost: localhost\r\nmcp-session-id: ${id}\r\n\r\n`;

Deno.test("R77 a large JSON answer carries the session id that its reader knows", async () => {
  const said = (id: string) =>
    `{"jsonrpc":"2.0","id":2,"result":{"a":"${"x".repeat(70_000)}","b":"${id}","c":"${
      "y".repeat(200_000)
    }${id}"}}`;
  await using upstream = scriptedUpstream((request, to) =>
    to.write(
      new TextDecoder().decode(request.body).includes('"initialize"')
        ? opening()
        : jsonAnswer(said(INNER)),
    )
  );
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const id = await open(proxy);
    const { text } = await postText(proxy.origin, messages.ping("2"), { "mcp-session-id": id });
    assertEquals(text, said(id));
  });
});

const ANSWERS: Readonly<Record<string, string>> = {
  json: jsonAnswer(`{"jsonrpc":"2.0","id":2,"result":{"t":"${INNER}"}}`),
  error: jsonAnswer(
    `{"jsonrpc":"2.0","id":2,"error":{"code":-32600,"message":"${INNER}"}}`,
    {},
    "400 Bad Request",
  ),
  "not found": jsonAnswer(
    `{"jsonrpc":"2.0","id":2,"error":{"code":-32600,"message":"${INNER}"}}`,
    {},
    "404 Not Found",
  ),
  stream: "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" +
    `data: {"jsonrpc":"2.0","id":2,"result":{"t":"${INNER}"}}\n\n`,
};

const STATUSES: Readonly<Record<string, number>> = {
  json: 200,
  error: 400,
  "not found": 404,
  // Streams of a session end with it; none begins afterwards.
  stream: 404,
};

for (const [name, answer] of Object.entries(ANSWERS)) {
  Deno.test(`R77 an answer (${name}) behind the end of its session names no upstream session`, async () => {
    const called = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    await using upstream = scriptedUpstream(async (request, to) => {
      if (request.line.startsWith("DELETE")) return await to.write(EMPTY);
      if (new TextDecoder().decode(request.body).includes('"initialize"')) {
        return await to.write(opening());
      }
      called.resolve();
      await ended.promise;
      await to.write(answer);
      if (name === "stream") to.close();
    });
    await withProxy({ upstream: upstream.url }, async (proxy) => {
      const id = await open(proxy);
      const call = postText(proxy.origin, messages.ping("2"), { "mcp-session-id": id });
      await called.promise;
      assertEquals((await exchange(proxy.origin, deletion(id))).status, 200);
      ended.resolve();
      const { status, text } = await call;
      assert(!text.includes(INNER), text);
      assertEquals(status, STATUSES[name]);
    });
  });
}

Deno.test("R85 a flood of initialize at a slow server opens no more sessions there than may be", async () => {
  const refusedAll = Promise.withResolvers<void>();
  await using upstream = scriptedUpstream(async (request, to) => {
    if (request.line.startsWith("DELETE")) return await to.write(EMPTY);
    await refusedAll.promise;
    await to.write(opening());
  });
  const limits = { maxSessions: 3 };
  await withProxy({ upstream: upstream.url, config: { limits } }, async (proxy) => {
    let refusals = 0;
    const flood = Array.from({ length: 20 }, async () => {
      const { status, headers } = await postText(proxy.origin, messages.initialize());
      if (status !== 200 && ++refusals === 17) refusedAll.resolve();
      return [status, headers.get("retry-after")];
    });
    const told = await Promise.all(flood);
    assertEquals(told.filter(([status]) => status === 200).length, 3);
    assertEquals(told.filter(([status, after]) => status === 503 && after === "10").length, 17);
    assertEquals(upstream.requests.length, 3);
  });
});

for (const answer of ["an error", "nothing"]) {
  Deno.test(`R85 room that was kept for a session is free again after ${answer}`, async () => {
    await using upstream = scriptedUpstream(async (_, to) => {
      // One that gets no answer is sent once more.
      const refused = answer === "nothing" ? 8 : 4;
      if (upstream.requests.length > refused) return await to.write(opening());
      if (answer === "nothing") return to.close();
      await to.write(jsonAnswer(messages.initializeResult(), {}, "500 Oh"));
    });
    const limits = { maxSessions: 1 };
    await withProxy({ upstream: upstream.url, config: { limits } }, async (proxy) => {
      for (let count = 0; count < 4; count++) {
        const { status } = await postText(proxy.origin, messages.initialize());
        assertEquals(status, answer === "nothing" ? 502 : 500);
      }
      await open(proxy);
    });
  });
}

Deno.test("R82 R85 an upstream session that initialize opened within a session is ended at once", async () => {
  const second = "e5d0c1a2-1f2b-4c5d-8e9f-0a1b2c3d4e5f";
  const gone = Promise.withResolvers<string | undefined>();
  await using upstream = scriptedUpstream(async (request, to) => {
    if (request.line.startsWith("DELETE")) {
      gone.resolve(request.field("mcp-session-id"));
      return await to.write(EMPTY);
    }
    const isSecond = request.field("mcp-session-id") !== undefined;
    await to.write(opening(isSecond ? second : INNER));
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const id = await open(proxy);
    const fields = { "mcp-session-id": id };
    const again = await postText(proxy.origin, messages.initialize(), fields);
    assertEquals([again.status, again.headers.get("mcp-session-id")], [200, id]);
    assertEquals(await gone.promise, second);
    assertEquals((await postText(proxy.origin, messages.ping(), fields)).status, 200);
    assertEquals(upstream.requests.length, 4);
  });
});

Deno.test("R82 a client that leaves while its session is made leaves none at the server", async () => {
  const gone = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string | undefined>();
  await using upstream = scriptedUpstream(async (request, to) => {
    if (request.line.startsWith("DELETE")) {
      ended.resolve(request.field("mcp-session-id"));
      return await to.write(EMPTY);
    }
    await gone.promise;
    await to.write(opening());
  });
  const limits = { maxSessions: 1 };
  const config = { limits, admin: "127.0.0.1:0" };
  await withProxy({ upstream: upstream.url, config }, async (proxy) => {
    const client = await RawClient.connect(proxy.origin);
    await client.write(jsonPost(messages.initialize()));
    await upstream.received(0);
    client.close();
    while ((await status(proxy)).clientConnections > 0);
    gone.resolve();
    assertEquals(await ended.promise, INNER);
    await open(proxy);
  });
});

Deno.test("R77 an upstream's id with quotes and backslashes is found as JSON writes it", async () => {
  const odd = 'od"d\\session\\id;=1234';
  const said = (id: string) => `{"jsonrpc":"2.0","id":2,"result":{"t":${JSON.stringify(id)}}}`;
  await using upstream = scriptedUpstream((request, to) => {
    const { method, params } = JSON.parse(new TextDecoder().decode(request.body));
    if (method === "initialize") return to.write(opening(odd));
    assertEquals([request.field("mcp-session-id"), params.session], [odd, odd]);
    if (params.how === "json") return to.write(jsonAnswer(said(odd)));
    return to.write(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" +
        `data: ${said(odd)}\n\n`,
    ).then(() => to.close());
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const id = await open(proxy);
    for (const how of ["json", "sse"]) {
      const asking = JSON.stringify({
        jsonrpc: "2.0",
        id: 2,
        method: "x/y",
        params: { how, session: id },
      });
      const { status, text } = await postText(proxy.origin, asking, { "mcp-session-id": id });
      assertEquals(status, 200);
      assert(text.includes(said(id)) && !text.includes("session"), text);
    }
  });
});
