import { assertEquals, assertStringIncludes } from "@std/assert";
import { startHttpSseServer } from "./http_sse.ts";

Deno.test("HTTP+SSE server: the first event names the endpoint; answers come on the stream", async () => {
  const server = await startHttpSseServer();
  const stream = await fetch(server.url);
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
  const first = await reader.read();
  const path = /^event: endpoint\ndata: (\/message\?sessionId=\S+)$/m.exec(first.value ?? "")?.[1];
  const posted = await fetch(new URL(path ?? "", server.url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  });
  await posted.text();
  assertEquals(posted.status, 202);
  const second = await reader.read();
  assertStringIncludes(second.value ?? "", '"id":1');
  await server.close();
  assertEquals((await reader.read()).done, true);
});

Deno.test("HTTP+SSE server: an unknown session is 404, a foreign Origin 403", async () => {
  const server = await startHttpSseServer();
  const endpoint = new URL("/message?sessionId=none", server.url);
  const unknown = await fetch(endpoint, { method: "POST", body: "{}" });
  const foreign = await fetch(server.url, { headers: { origin: "http://evil.example" } });
  await unknown.text();
  await foreign.text();
  assertEquals([unknown.status, foreign.status], [404, 403]);
  await server.close();
});
