/**
 * The recorder between real clients and real servers.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
// @ts-types="@modelcontextprotocol/sdk/server/sse"
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
// @ts-types="@modelcontextprotocol/sdk/client/sse"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { Server } from "@modelcontextprotocol/sdk/server";
import { startModernServer } from "../../conformance/servers/modern.ts";
import { startSessionServer } from "../../conformance/servers/session.ts";
import { type Entry, type Fixture, formatFixture } from "../../fixtures/format/mod.ts";
import { systemClock } from "../clock.ts";
import { Client, type Transport } from "../official_clients/sdk_v1.ts";
import { FIXTURE } from "../official_clients/session_targets.ts";
import { connectV1 } from "../official_clients/session_v1.ts";
import { createLogger } from "../telemetry/mod.ts";
import * as messages from "../testing/messages.ts";
import { jsonPost, RawClient } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import { toFixture } from "./fixture.ts";
import { listenAndRecord } from "./listen.ts";

interface Recorded {
  readonly fixture: Fixture;
  readonly doubts: readonly string[];
  readonly logs: readonly string[];
  /** The text of both files. */
  readonly files: string;
}

async function record(
  upstream: string,
  talk: (endpoint: string) => Promise<void>,
  maxBytes = 500_000,
): Promise<Recorded> {
  const logs: string[] = [];
  const sink = { write: (line: string) => void logs.push(line), flush: () => Promise.resolve() };
  const logger = createLogger({ level: "debug", format: "json", clock: systemClock, sink });
  const listen = { hostname: "127.0.0.1", port: 0 };
  const recorder = listenAndRecord({ upstream, listen, maxBytes, clock: systemClock, logger });
  try {
    await talk(recorder.endpoint);
    const { fixture, doubts } = toFixture(recorder.stop(), { name: "test" });
    const { meta, exchange } = formatFixture(fixture);
    return { fixture, doubts, logs, files: meta + exchange };
  } finally {
    await recorder.close();
  }
}

function kinds({ entries }: Fixture, exchange: number): string[] {
  return entries.filter((entry) => entry.exchange === exchange)
    .map(({ from, type }) => `${from} ${type}`);
}

function texts(entries: readonly Entry[], from: string): string[] {
  return entries.flatMap((entry) => entry.type === "data" && entry.from === from ? entry.text : []);
}

Deno.test("a session of the v1 SDK is recorded, with its ids as placeholders", async () => {
  const server = startSessionServer();
  let sessionId = "";
  try {
    const { fixture, doubts, files } = await record(server.url, async (endpoint) => {
      const client = await connectV1(endpoint, { answers: FIXTURE.answers });
      sessionId = client.sessionId ?? "";
      await client.call(FIXTURE.progress, { onprogress: () => {} });
      await client.call(FIXTURE.sample);
      await client.call(FIXTURE.elicit);
      await client.close();
    });
    const { meta } = fixture;
    assertEquals(doubts, []);
    assertEquals([meta.revision, meta.transport], ["2025-11-25", "streamable-http"]);
    assertEquals(meta.server.name, "switchyard-session-fixture");
    assertEquals(meta.client, { name: "official-v1", version: "1" });
    for (const feature of ["sse", "session", "delete", "progress", "sampling", "elicitation"]) {
      assert(meta.features.includes(feature), feature);
    }
    assertMatch(sessionId, /^[0-9a-f-]{36}$/);
    assert(!files.includes(sessionId));
    assert(!files.includes(new URL(server.url).host));
    assertStringIncludes(files, '["mcp-session-id","{{session:1}}"]');
    assertStringIncludes(files, "id: {{event:1}}\\n");
  } finally {
    await server.close();
  }
});

Deno.test("two recordings of one session differ in their times alone", async () => {
  const once = async () => {
    const server = startSessionServer();
    try {
      const { fixture } = await record(server.url, async (endpoint) => {
        const post = async (body: string, session?: string) => {
          const response = await fetch(endpoint, {
            method: "POST",
            body,
            headers: {
              "content-type": "application/json",
              accept: "application/json, text/event-stream",
              ...(session !== undefined && { "mcp-session-id": session }),
            },
          });
          await response.text();
          return response.headers.get("mcp-session-id") ?? undefined;
        };
        const session = await post(messages.initialize());
        await post(messages.initialized, session);
        await post(messages.ping("2"), session);
      });
      // Which events share a piece is the network's to say.
      const joined = fixture.entries.reduce((all, { at: _, ...entry }) => {
        const last = all.at(-1);
        if (entry.type === "data" && last?.type === "data" && last.from === entry.from) {
          last.text += entry.text;
        } else all.push(entry);
        return all;
      }, [] as Omit<Entry, "at">[] as { type: string; from: string; text?: string }[]);
      return { meta: fixture.meta, joined };
    } finally {
      await server.close();
    }
  };
  assertEquals(await once(), await once());
});

Deno.test("the revision, the server and the client of 2026-07-28 are read from _meta", async () => {
  const server = startModernServer();
  try {
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "server/discover",
      params: {
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientInfo": { name: "modern-client", version: "3" },
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    });
    const { fixture: { meta }, doubts } = await record(server.url, async (endpoint) => {
      const response = await fetch(endpoint, {
        method: "POST",
        body,
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          "mcp-protocol-version": "2026-07-28",
          "mcp-method": "server/discover",
        },
      });
      assertEquals(response.status, 200);
      await response.text();
    });
    assertEquals(doubts, []);
    assertEquals(meta.revision, "2026-07-28");
    assertEquals(meta.client, { name: "modern-client", version: "3" });
    assert(meta.server.name !== "unknown");
  } finally {
    await server.close();
  }
});

/** An HTTP+SSE server of the v1 SDK, whose endpoint event is a path or its whole address. */
async function startSse(absolute: boolean) {
  const transports = new Map<string, SSEServerTransport>();
  const http = createServer(async (request, response) => {
    const url = new URL(request.url!, "http://x");
    if (request.method === "POST") {
      await transports.get(url.searchParams.get("sessionId")!)!.handlePostMessage(
        request,
        response,
      );
      return;
    }
    const transport = new SSEServerTransport("/messages", absolute ? whole(response) : response);
    transports.set(transport.sessionId, transport);
    const server = new Server({ name: "sse-server", version: "7" }, { capabilities: {} });
    await server.connect(transport as Transport);
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  /** The SDK names paths alone, so its event is changed on its way out. */
  const whole = (response: ServerResponse) => {
    const write = response.write.bind(response) as (text: string) => boolean;
    response.write =
      ((text: string) =>
        write(text.replace("data: /messages", `data: ${origin}/messages`))) as never;
    return response;
  };
  return {
    origin,
    close: () => {
      http.closeAllConnections();
      return new Promise<void>((resolve) => http.close(() => resolve()));
    },
  };
}

for (const absolute of [false, true]) {
  const name = absolute ? "its whole address" : "a path";
  Deno.test(`HTTP+SSE is recorded where the endpoint event is ${name}`, async () => {
    const server = await startSse(absolute);
    try {
      const { fixture, files } = await record(`${server.origin}/sse`, async (endpoint) => {
        assertMatch(endpoint, /\/sse$/);
        const client = new Client({ name: "sse-client", version: "5" });
        await client.connect(new SSEClientTransport(new URL(endpoint)) as Transport);
        await client.ping();
        await client.close();
      });
      assertEquals(fixture.meta.transport, "http+sse");
      assertEquals(fixture.meta.server, { name: "sse-server", version: "7" });
      assertEquals(fixture.meta.client, { name: "sse-client", version: "5" });
      // initialize, initialized and ping came through the recorder and not past it.
      const targets = fixture.entries.flatMap((entry) =>
        entry.type === "request" ? [`${entry.method} ${entry.target}`] : []
      );
      assertEquals(targets, [
        "GET /sse",
        ...Array(3).fill("POST /messages?sessionId={{session:1}}"),
      ]);
      assertEquals(
        texts(fixture.entries, "server")[0],
        `event: endpoint\ndata: ${
          absolute ? "http://{{host}}" : ""
        }/messages?sessionId={{session:1}}\n\n`,
      );
      assert(!files.includes(server.origin));
    } finally {
      await server.close();
    }
  });
}

Deno.test("events come on their own, each in the piece in which it came", async () => {
  const seen = Promise.withResolvers<void>();
  await using upstream = scriptedUpstream(async (_, to) => {
    const chunk = (text: string) => to.write(`${text.length.toString(16)}\r\n${text}\r\n`);
    await to.write(
      "HTTP/1.1 200 OK\r\nX-Z: 1\r\ncontent-type: text/event-stream\r\n" +
        "a-field: 2\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    await chunk("data: 1\n\n");
    await seen.promise;
    await chunk("data: 2\n");
    await new Promise((resolve) => setTimeout(resolve, 30));
    await chunk("\n");
    await to.write("0\r\n\r\n");
  });
  const { fixture } = await record(upstream.url, async (endpoint) => {
    const response = await fetch(endpoint);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    // The server waits until the client has the first event.
    assertEquals((await reader.read()).value, "data: 1\n\n");
    seen.resolve();
    while (!(await reader.read()).done);
  });
  assertEquals(texts(fixture.entries, "server"), ["data: 1\n\n", "data: 2\n", "\n"]);
  const response = fixture.entries.find((entry) => entry.type === "response");
  // In the order in which the server sent them.
  assertEquals(response?.fields, [
    ["x-z", "1"],
    ["content-type", "text/event-stream"],
    ["a-field", "2"],
  ]);
  const times = fixture.entries.filter(({ from }) => from === "server").map(({ at }) => at);
  assert(times.at(-2)! - times.at(-3)! >= 20, String(times));
});

Deno.test("requests pass untouched but for the fields of the connection", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer("{}")));
  await record(`${upstream.url}?key=configured`, async (endpoint) => {
    using client = await RawClient.connect(endpoint);
    await client.write(jsonPost("[1]", {
      host: new URL(endpoint).host,
      connection: "x-hop",
      "x-hop": "1",
      "mcp-session-id": "abc",
      authorization: "Bearer abc",
      cookie: "a=b",
      "accept-encoding": "gzip",
      "last-event-id": "7",
    }, "/other/./path?a=%20"));
    await client.readResponse();
    await client.write(jsonPost("[2]", { host: new URL(endpoint).host }, "/mcp?mine=1"));
    await client.readResponse();
  });
  const [first, second] = upstream.requests;
  assertEquals(first!.line, "POST /other/./path?a=%20 HTTP/1.1");
  assertEquals(first!.field("host"), new URL(upstream.url).host);
  assertEquals(first!.field("accept-encoding"), "identity");
  assertEquals(first!.field("x-hop"), undefined);
  for (const name of ["mcp-session-id", "authorization", "cookie", "last-event-id"]) {
    assert(first!.field(name) !== undefined, name);
  }
  assertEquals(second!.line, "POST /mcp?key=configured HTTP/1.1");
});

Deno.test("any method passes, and an answer without a body", async () => {
  await using upstream = scriptedUpstream((request, to) =>
    to.write(
      request.line.startsWith("HEAD")
        ? "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
        : "HTTP/1.1 204 No Content\r\nallow: x\r\n\r\n",
    )
  );
  const { fixture } = await record(upstream.url, async (endpoint) => {
    for (const method of ["OPTIONS", "HEAD", "PUT", "DELETE", "PATCH"]) {
      const response = await fetch(endpoint, { method });
      assertEquals([response.status, await response.text()], [method === "HEAD" ? 200 : 204, ""]);
    }
  });
  assertEquals(upstream.requests.map(({ line }) => line.split(" ")[0]), [
    "OPTIONS",
    "HEAD",
    "PUT",
    "DELETE",
    "PATCH",
  ]);
  for (let exchange = 1; exchange <= 5; exchange++) {
    assertEquals(kinds(fixture, exchange), [
      "client request",
      "client end",
      "server response",
      "server end",
    ]);
  }
});

Deno.test("a status that no answer may have is the server's failure, and ends nothing", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer("{}", {}, "799 Odd")));
  await record(upstream.url, async (endpoint) => {
    for (let count = 0; count < 2; count++) {
      const response = await fetch(endpoint);
      assert(response.status >= 500 && response.status < 600, String(response.status));
      await response.text();
    }
  });
});

Deno.test("a client that leaves a stream is recorded, and the server is told", async () => {
  const closed = Promise.withResolvers<void>();
  await using upstream = scriptedUpstream(async (_, to) => {
    await to.write(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n",
    );
    await to.closed;
    closed.resolve();
  });
  const { fixture } = await record(upstream.url, async (endpoint) => {
    const response = await fetch(endpoint);
    const reader = response.body!.getReader();
    await reader.read();
    await reader.cancel();
    await closed.promise;
  });
  assertEquals(kinds(fixture, 1), [
    "client request",
    "server response",
    "server data",
    "client abort",
  ]);
  assert(fixture.meta.features.includes("abort"));
});

Deno.test("a server that breaks off is recorded, and one that cannot be reached too", async () => {
  await using upstream = scriptedUpstream(async (_, to) => {
    await to.write(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
        "transfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n",
    );
    to.close();
  });
  const broken = await record(upstream.url, async (endpoint) => {
    using client = await RawClient.connect(endpoint);
    await client.write(`GET /mcp HTTP/1.1\r\nhost: ${new URL(endpoint).host}\r\n\r\n`);
    assertEquals((await client.readResponse()).complete, false);
  });
  assertEquals(kinds(broken.fixture, 1).at(-1), "server abort");
  const gone = await record("http://127.0.0.1:9/mcp", async (endpoint) => {
    const response = await fetch(endpoint);
    assertEquals(response.status, 502);
    await response.text();
  });
  assertEquals(gone.fixture.meta.features, ["json", "error"]);
  assertEquals(gone.doubts.length, 3);
});

Deno.test("secrets of requests and answers stand nowhere in what is written", async () => {
  const canaries = Array.from({ length: 9 }, (_, index) => `canary-${index}-5f3a9c`);
  const body = JSON.stringify({
    access_token: canaries[0],
    nested: JSON.stringify({ client_secret: canaries[1], text: `Bearer ${canaries[2]}` }),
    echo: `${canaries[3]} ${canaries[4]} ${canaries[5]} ${canaries[6]}`,
  });
  const answer = jsonAnswer(body, { "set-cookie": `s=${canaries[6]}; HttpOnly` });
  await using upstream = scriptedUpstream(async (_, to) => {
    const middle = answer.indexOf(canaries[3]!) + 5;
    await to.write(answer.slice(0, middle));
    await new Promise((resolve) => setTimeout(resolve, 30));
    await to.write(answer.slice(middle));
  });
  const { files } = await record(upstream.url, async (endpoint) => {
    const response = await fetch(`${endpoint}?api_key=${canaries[3]}`, {
      method: "POST",
      body: JSON.stringify({ params: { arguments: { password: canaries[7] } } }),
      headers: {
        authorization: `Bearer ${canaries[4]}`,
        cookie: `sid=${canaries[5]}`,
        "x-api-key": canaries[8]!,
      },
    });
    assertStringIncludes(await response.text(), canaries[3]!);
  });
  for (const canary of canaries) assert(!files.includes(canary), canary);
  assert(!files.includes("5f3a9c"));
});

Deno.test("the traffic goes on when the recording is full, which a log line says", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer('{"a":1}')));
  const { fixture, logs } = await record(upstream.url, async (endpoint) => {
    for (let count = 0; count < 20; count++) {
      const response = await fetch(endpoint, { method: "POST", body: messages.ping() });
      assertEquals(await response.text(), '{"a":1}');
    }
  }, 2_000);
  assertEquals(fixture.meta.truncated, true);
  assertEquals(logs.filter((line) => line.includes("the recording is full")).length, 1);
});

Deno.test("R90 only this machine may call, and only its own pages", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer("{}")));
  const { fixture } = await record(upstream.url, async (endpoint) => {
    const { host } = new URL(endpoint);
    for (const fields of [{ host: "evil.example" }, { host, origin: "https://evil.example" }]) {
      using client = await RawClient.connect(endpoint);
      await client.write(jsonPost("{}", fields));
      assertEquals((await client.readResponse()).status, 403);
    }
    using client = await RawClient.connect(endpoint);
    await client.write(jsonPost("{}", { host, origin: "http://localhost:5173" }));
    assertEquals((await client.readResponse()).status, 200);
  });
  assertEquals(upstream.requests.length, 1);
  assertEquals(fixture.entries.filter(({ type }) => type === "request").length, 1);
});

Deno.test("a request body over the limit is refused, and the recorder lives on", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer("{}")));
  const { fixture } = await record(upstream.url, async (endpoint) => {
    const response = await fetch(endpoint, {
      method: "POST",
      body: new Uint8Array(4_194_305).fill(65),
    });
    assertEquals(response.status, 413);
    await response.text();
    const after = await fetch(endpoint, { method: "POST", body: "{}" });
    assertEquals(after.status, 200);
    await after.text();
  });
  // What nobody has read whole is in no recording.
  const first = fixture.entries.filter(({ exchange }) => exchange === 1);
  assertEquals(first.map(({ from, type }) => `${from} ${type}`), [
    "client request",
    "server response",
    "server data",
    "server end",
  ]);
  assertEquals(upstream.requests.length, 1);
});
