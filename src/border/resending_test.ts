/**
 * R60, R64: what is sent again, and what is not, over real sockets.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as messages from "../testing/messages.ts";
import { withProxy } from "../testing/proxy.ts";
import { exchange, postText } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";

const GET = "GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n";
const SSE_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "transfer-encoding: chunked\r\n\r\n";
const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';

/** What may change something at the server. */
const TOOL_CALL = '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"t"}}';

Deno.test("R60 a POST whose reused connection closes without an answer is sent once", async () => {
  await using upstream = scriptedUpstream(async (_, connection) => {
    if (upstream.requests.length === 1) return await connection.write(jsonAnswer(RESULT));
    connection.close();
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    assertEquals((await postText(proxy.origin, messages.ping())).status, 200);
    const second = await postText(proxy.origin, TOOL_CALL);
    assertEquals([second.status, JSON.parse(second.text).id], [502, 2]);
    assertEquals(upstream.requests.length, 2);
  });
});

Deno.test("R60 a POST that only reads is sent again on a fresh connection, once", async () => {
  const numbers: number[] = [];
  await using upstream = scriptedUpstream(async (request, connection) => {
    numbers.push(connection.number);
    const text = new TextDecoder().decode(request.body);
    if (numbers.length === 2 || text.includes("resources/read")) connection.close();
    else await connection.write(jsonAnswer(RESULT));
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const ask = (method: string) =>
      postText(proxy.origin, JSON.stringify({ jsonrpc: "2.0", id: 1, method }));
    assertEquals((await ask("ping")).status, 200);
    assertEquals((await ask("tools/list")).status, 200);
    assertEquals(numbers, [0, 0, 1]);
    assertEquals((await ask("resources/read")).status, 502);
    assertEquals(numbers, [0, 0, 1, 1, 2]);
  });
});

Deno.test("R60 what is sent again goes out on a new connection, not on another that was kept", async () => {
  const both = Promise.withResolvers<void>();
  const numbers: number[] = [];
  await using upstream = scriptedUpstream(async (_, connection) => {
    if (numbers.push(connection.number) === 2) both.resolve();
    await both.promise;
    if (numbers.length === 3) connection.close();
    else await connection.write(jsonAnswer(RESULT));
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    const ping = () => postText(proxy.origin, messages.ping());
    await Promise.all([ping(), ping()]);
    assertEquals((await ping()).status, 200);
    assertEquals([numbers.length, numbers.at(-1)], [4, 2]);
  });
});

Deno.test("R64 no request that only reads is sent again once anything of an answer has come", async () => {
  await using upstream = scriptedUpstream(async (_, connection) => {
    await connection.write("HTTP/1.1 2");
    connection.close();
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    assertEquals((await postText(proxy.origin, messages.ping())).status, 502);
    assertEquals(upstream.requests.length, 1);
  });
});

Deno.test("R60 a GET whose reused connection closes without an answer is sent again", async () => {
  await using upstream = scriptedUpstream(async (request, connection) => {
    if (request.line.startsWith("POST")) return await connection.write(jsonAnswer(RESULT));
    if (upstream.requests.length === 2) return connection.close();
    await connection.write(SSE_HEAD + "0\r\n\r\n");
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    assertEquals((await postText(proxy.origin, messages.ping())).status, 200);
    assertEquals((await exchange(proxy.origin, GET)).status, 200);
    assertEquals(upstream.requests.length, 3);
  });
});

Deno.test("R60 what clients of HTTP+SSE ask is sent again where it only reads", async () => {
  let closing = false;
  await using upstream = sessionUpstream({
    instead: async ({ line, method }, to) => {
      if (line.startsWith("GET")) {
        await to.write("HTTP/1.1 405 No\r\nallow: POST\r\ncontent-length: 0\r\n\r\n");
        return true;
      }
      if (!closing || method === "DELETE") return false;
      closing = false;
      to.close();
      return true;
    },
  });
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    using caller = await sseCaller(proxy.origin);
    await caller.start();
    for (const [method, times] of [["tools/list", 2], ["tools/call", 1]] as const) {
      closing = true;
      await caller.post(JSON.stringify({ jsonrpc: "2.0", id: 7, method }));
      const answer = JSON.parse(await caller.next());
      assertEquals([answer.id, "error" in answer], [7, times === 1]);
      assertEquals(upstream.told().filter((one) => one.startsWith(method)).length, times);
    }
  });
});
