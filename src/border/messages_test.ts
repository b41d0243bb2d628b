/**
 * R21 to R33: what a POST may hold, over a real socket.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { jsonPost, postText, RawClient } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const decoder = new TextDecoder();

async function withUpstream(
  test: (proxy: TestProxy, bodies: () => string[]) => Promise<void>,
  config: Record<string, unknown> = {},
): Promise<void> {
  await using upstream = scriptedUpstream((_, connection) => connection.write(jsonAnswer(RESULT)));
  await withProxy(
    { upstream: upstream.url, config },
    (proxy) => test(proxy, () => upstream.requests.map(({ body }) => decoder.decode(body))),
  );
}

/** Bodies that are refused: the rule, the body, the HTTP status, the JSON-RPC code. */
const REFUSED: readonly [string, string | Uint8Array, number, number][] = [
  ["R22 a duplicate id", '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 400, -32600],
  [
    "R22 a duplicate method, one escaped",
    '{"jsonrpc":"2.0","id":1,"method":"ping","meth\\u006fd":"x"}',
    400,
    -32600,
  ],
  [
    "R22 a duplicate name in params",
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}',
    400,
    -32600,
  ],
  ["R25 an id null", '{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600],
  ["R25 an id object", '{"jsonrpc":"2.0","id":{},"method":"ping"}', 400, -32600],
  ["R25 an id array", '{"jsonrpc":"2.0","id":[1],"method":"ping"}', 400, -32600],
  ["R25 an id true", '{"jsonrpc":"2.0","id":true,"method":"ping"}', 400, -32600],
  ["R26 nesting 200,000 deep", "[".repeat(200_000) + "]".repeat(200_000), 400, -32700],
  [
    "R26 nesting 200,000 deep inside params",
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":' + "[".repeat(200_000) +
    "]".repeat(200_000) + "}}",
    400,
    -32700,
  ],
  ["R27 NaN", '{"jsonrpc":"2.0","id":NaN,"method":"ping"}', 400, -32700],
  ["R27 trailing data", messages.ping() + "x", 400, -32700],
  ["R27 two messages", messages.ping() + messages.ping(), 400, -32700],
  ["R27 a trailing comma", '{"jsonrpc":"2.0","id":1,"method":"ping",}', 400, -32700],
  ["R27 a comment", '{"jsonrpc":"2.0","id":1/**/,"method":"ping"}', 400, -32700],
  ["R27 an unterminated string", '{"jsonrpc":"2.0","id":"1', 400, -32700],
  ["R27 a raw newline in a string", '{"jsonrpc":"2.0","id":"\n","method":"ping"}', 400, -32700],
  ["R27 a leading byte order mark", "\ufeff" + messages.ping(), 400, -32700],
  ["R27 an empty body", "", 400, -32700],
  ["R28 invalid UTF-8", Uint8Array.of(0x22, 0xff, 0x22), 400, -32700],
  ["R28 an overlong encoding", Uint8Array.of(0x22, 0xc0, 0xaf, 0x22), 400, -32700],
  ["a JSON string", '"ping"', 400, -32600],
  ["a JSON null", "null", 400, -32600],
  ["no jsonrpc", '{"id":1,"method":"ping"}', 400, -32600],
  ["jsonrpc 1.0", '{"jsonrpc":"1.0","id":1,"method":"ping"}', 400, -32600],
  ["a method that is a number", '{"jsonrpc":"2.0","id":1,"method":5}', 400, -32600],
  ["neither method nor result", '{"jsonrpc":"2.0","id":1}', 400, -32600],
  ["a result without id", '{"jsonrpc":"2.0","result":{}}', 400, -32600],
  ["both result and error", '{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', 400, -32600],
  ["both method and result", '{"jsonrpc":"2.0","id":1,"method":"a","result":{}}', 400, -32600],
  ["params that are a list", '{"jsonrpc":"2.0","id":1,"method":"a","params":[]}', 400, -32600],
  ["R21 Method for method", '{"jsonrpc":"2.0","id":1,"Method":"ping"}', 400, -32600],
  ["an empty batch", "[]", 400, -32600],
  ["a batch with a number", `[${messages.ping()},1]`, 400, -32600],
  ["a batch with initialize", `[${messages.initialize()}]`, 400, -32600],
];

for (const [name, body, status, code] of REFUSED) {
  Deno.test(`${name} is answered with ${status} and ${code}, and never goes upstream`, async () => {
    await withUpstream(async (proxy, bodies) => {
      const response = await postText(proxy.origin, body);
      assertEquals(response.status, status);
      assertEquals(response.headers.get("content-type"), "application/json");
      assertEquals(JSON.parse(response.text).error.code, code);
      assertEquals(bodies(), []);
    });
  });
}

/** Bodies that pass untouched. */
const PASSED: readonly [string, string][] = [
  [
    "R21 look-alikes of field names",
    '{"jsonrpc":"2.0","id":1,"method":"a","Method":"b","ｍethod":"c"}',
  ],
  ["R23 __proto__", '{"jsonrpc":"2.0","id":1,"method":"a","params":{"__proto__":{"x":1}}}'],
  ["R24 an id 1", messages.ping("1")],
  ['R24 an id "1"', messages.ping('"1"')],
  ["R24 an id 2^53+1", messages.ping("9007199254740993")],
  ["R24 an id 1.0", messages.ping("1.0")],
  ["R24 an empty id", messages.ping('""')],
  ["R24 an id with escapes", messages.ping('"\\u0061\\n\\\\"')],
  ["R28 odd white space and key order", ' {\t"method" : "a" ,\r\n"id":\n1 , "jsonrpc":"2.0"}\n'],
  [
    "R28 numbers that no parser keeps",
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"n":1e400,"m":0.10}}',
  ],
  ["R29 a batch without a version", `[${messages.ping()}, ${messages.initialized}]`],
];

for (const [name, body] of PASSED) {
  Deno.test(`${name} goes upstream byte for byte`, async () => {
    await withUpstream(async (proxy, bodies) => {
      const response = await postText(proxy.origin, body);
      assertEquals([response.status, response.text], [200, RESULT]);
      assertEquals(bodies(), [body]);
    });
  });
}

for (const idText of ["1", '"1"', "9007199254740993", "1.0", '""', '"\\u0061"']) {
  Deno.test(`R24 the id ${idText} stands in a refusal as it was written`, async () => {
    await withUpstream(async (proxy) => {
      const response = await postText(
        proxy.origin,
        `{"jsonrpc":"2.0","id":${idText},"method":5}`,
      );
      assertStringIncludes(response.text, `"id":${idText},"error"`);
    });
  });
}

const VERSIONS_WITHOUT_BATCHES = ["2025-06-18", "2025-11-25", "2026-07-28"];
for (const version of VERSIONS_WITHOUT_BATCHES) {
  Deno.test(`R29 a batch under ${version} is answered with 400`, async () => {
    await withUpstream(async (proxy, bodies) => {
      const response = await postText(proxy.origin, `[${messages.ping()}]`, {
        "mcp-protocol-version": version,
      });
      assertEquals(response.status, 400);
      assertEquals(JSON.parse(response.text).error.code, -32600);
      assertEquals(bodies(), []);
    });
  });
}

Deno.test("R29 a batch under 2025-03-26 passes, one too long does not", async () => {
  await withUpstream(async (proxy, bodies) => {
    const fields = { "mcp-protocol-version": "2025-03-26" };
    const batch = `[${messages.ping("1")},${messages.ping("2")}]`;
    assertEquals((await postText(proxy.origin, batch, fields)).status, 200);
    const tooLong = `[${messages.ping("1")},${messages.ping("2")},${messages.ping("3")}]`;
    assertEquals((await postText(proxy.origin, tooLong, fields)).status, 400);
    assertEquals(bodies(), [batch]);
  }, { limits: { maxBatchMessages: 2 } });
});

for (const type of ["text/plain", "application/json-rpc", "application/jsonx", null]) {
  Deno.test(`R30 a POST of ${type ?? "no type"} is answered with 415`, async () => {
    await withUpstream(async (proxy, bodies) => {
      const response = await postText(proxy.origin, messages.ping(), { "content-type": type });
      assertEquals(response.status, 415);
      assertEquals(bodies(), []);
    });
  });
}

Deno.test("R30 application/json with charset utf-8 passes, another charset does not", async () => {
  await withUpstream(async (proxy) => {
    const post = (type: string) =>
      postText(proxy.origin, messages.ping(), { "content-type": type }).then(({ status }) =>
        status
      );
    assertEquals(await post("application/json; charset=utf-8"), 200);
    assertEquals(await post('Application/JSON;charset="UTF-8"'), 200);
    assertEquals(await post("application/json; charset=latin1"), 415);
  });
});

Deno.test("R87 a compressed body is answered with 415", async () => {
  await withUpstream(async (proxy) => {
    const response = await postText(proxy.origin, messages.ping(), { "content-encoding": "gzip" });
    assertEquals(response.status, 415);
  });
});

const ACCEPTS: readonly [string | null, number][] = [
  [null, 406],
  ["application/json", 406],
  ["text/event-stream", 406],
  ["text/html", 406],
  ["application/json;q=0, text/event-stream", 406],
  ["text/event-stream, application/json", 200],
  ["application/json;q=0.5,text/event-stream;q=0.1", 200],
  ["*/*", 200],
  [`application/json, text/event-stream${", a/b".repeat(150)}`, 200],
  // To look through a long one would hold up everybody else.
  [`application/json, text/event-stream${", a/b".repeat(300)}`, 406],
];
for (const [accept, status] of ACCEPTS) {
  Deno.test(`R31 a POST with Accept ${accept?.slice(0, 60)} is answered with ${status}`, async () => {
    await withUpstream(async (proxy) => {
      assertEquals((await postText(proxy.origin, messages.ping(), { accept })).status, status);
    });
  });
}

Deno.test("R31 a GET without Accept for event streams is answered with 406", async () => {
  await withUpstream(async (proxy, bodies) => {
    for (const accept of ["application/json", "text/html"]) {
      const response = await fetch(proxy.endpoint, { headers: { accept } });
      await response.body?.cancel();
      assertEquals(response.status, 406);
    }
    assertEquals(bodies(), []);
  });
});

Deno.test("R32 a body over the limit is answered with 413, with Content-Length", async () => {
  await withUpstream(async (proxy, bodies) => {
    using client = await RawClient.connect(proxy.origin);
    const head = decoder.decode(jsonPost("", { "content-length": "1001" }));
    await client.write(head);
    // Not one byte of the body is sent: the head alone is enough to refuse.
    assertEquals((await client.readResponse()).status, 413);
    assertEquals(bodies(), []);
  }, { limits: { maxRequestBytes: 1000 } });
});

Deno.test("R32 a body over the limit is answered with 413, chunked", async () => {
  await withUpstream(async (proxy, bodies) => {
    using client = await RawClient.connect(proxy.origin);
    await client.write(jsonPost("", { "content-length": null, "transfer-encoding": "chunked" }));
    const chunk = `1f4\r\n${" ".repeat(500)}\r\n`;
    await client.write(chunk + chunk + chunk);
    assertEquals((await client.readResponse()).status, 413);
    assertEquals(bodies(), []);
  }, { limits: { maxRequestBytes: 1000 } });
});

Deno.test("a chunked body within the limit passes with one Content-Length", async () => {
  await using upstream = scriptedUpstream((_, connection) => connection.write(jsonAnswer(RESULT)));
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    using client = await RawClient.connect(proxy.origin);
    await client.write(jsonPost("", { "content-length": null, "transfer-encoding": "chunked" }));
    const body = messages.ping();
    for (const byte of body) await client.write(`1\r\n${byte}\r\n`);
    await client.write("0\r\n\r\n");
    assertEquals((await client.readResponse()).status, 200);
    const [request] = upstream.requests;
    assertEquals(decoder.decode(request!.body), body);
    assertEquals(request!.field("content-length"), String(body.length));
    assertEquals(request!.field("transfer-encoding"), undefined);
  });
});

Deno.test("a large body passes byte for byte", async () => {
  await withUpstream(async (proxy, bodies) => {
    const body = messages.ping(`"${"é".repeat(500_000)}"`);
    assertEquals((await postText(proxy.origin, body)).status, 200);
    assert(bodies()[0] === body);
  });
});
