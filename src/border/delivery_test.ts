/**
 * Which answers a client has ahead of the handler's promise, and that they are those of the promise.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { createApp } from "../app.ts";
import { systemClock } from "../clock.ts";
import { configSchema } from "../config/schema.ts";
import { type ClientAnswer, Fields, NEVER_ABORTED } from "../http/mod.ts";
import { loadPipelines } from "../interceptors.ts";
import { nullLogger } from "../telemetry/mod.ts";
import * as messages from "../testing/messages.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const TYPES = ["content-type", "application/json", "accept", "application/json, text/event-stream"];

/** What a client has got in the order in which it came: delivered answers, and that of the promise. */
async function asked(
  app: ReturnType<typeof createApp>,
  body: string,
  ...more: string[]
): Promise<ClientAnswer[]> {
  const got: ClientAnswer[] = [];
  const request = {
    method: "POST",
    target: "/mcp",
    headers: new Fields(["host", "localhost", ...TYPES, ...more]),
    signal: NEVER_ABORTED,
    body: () => new TextEncoder().encode(body),
  };
  got.push(await app.handler(request, (early) => void got.push(early)));
  return got;
}

const EVENT = `data: ${RESULT}\n\n`;
const STREAM = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  `content-length: ${EVENT.length}\r\n\r\n${EVENT}`;

const text = ({ body }: ClientAnswer) => new TextDecoder().decode(body as Uint8Array);

Deno.test("JSON that came whole is delivered once, and is what the promise gives", async () => {
  await using upstream = scriptedUpstream(async (request, to) => {
    const { id, method } = JSON.parse(new TextDecoder().decode(request.body));
    if (method === "initialize") {
      return await to.write(jsonAnswer(messages.initializeResult(), { "mcp-session-id": "up" }));
    }
    if (id === "stream") return await to.write(STREAM);
    if (id === "refused") return await to.write(jsonAnswer(RESULT, {}, "400 Bad Request"));
    await to.write(jsonAnswer(RESULT));
  });
  for (
    const [era, interceptors] of [["auto", []], ["both", []], ["auto", [{ use: "log" }]]] as const
  ) {
    const routes = [{ path: "/mcp", upstream: { url: upstream.url, era }, interceptors }];
    const config = configSchema.parse({ routes });
    const pipelines = await loadPipelines(config, { clock: systemClock, logger: nullLogger });
    const app = createApp({ config, pipelines });
    const [opened, ...none] = await asked(app, messages.initialize());
    assertEquals([opened!.status, none.length], [200, 0]);
    const session = ["mcp-session-id", opened!.fields.get("mcp-session-id")!];
    const [early, promised] = await asked(app, messages.ping(), ...session);
    assertEquals([early!.status, text(early!)], [200, RESULT]);
    assertEquals(early!.fields.get("mcp-session-id"), session[1]);
    // With an interceptor there is but one: what it makes of the answer has to be waited for.
    assertStrictEquals(promised, interceptors.length === 0 ? early : undefined);
    for (const id of ['"stream"', '"refused"']) {
      assertEquals((await asked(app, messages.ping(id), ...session)).length, 1, id);
    }
    // A page of a browser needs fields that are added behind.
    const page = await asked(app, messages.ping(), ...session, "origin", "http://localhost");
    assertEquals(page.length, 1);
    assert(page[0]!.fields.get("access-control-allow-origin") !== null);
    await app.close();
  }
});
