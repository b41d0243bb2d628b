/**
 * Changes that modern clients were not told of while the stream of the server's session was down.
 *
 * Source: 2026-07-28 basic/patterns/subscriptions: a client that listens keeps what it has until it is told of a
 * change; 2025-11-25 basic/transports, "Resumability and Redelivery": behind no event id nothing is given again.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as modern from "../../testing/as_modern.ts";
import * as relay from "../../testing/relay.ts";
import * as share from "../../testing/share.ts";
import { ProxyError } from "../../errors.ts";

const { metaKey, ModernSetup, modernMessages } = modern;
const { settled, sourceReader } = relay;

const ALL = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
};
const ID = metaKey("subscriptionId");
const TOOLS = { toolsListChanged: true };

async function listening(filters: readonly object[]) {
  const setup = new ModernSetup();
  const { server } = setup;
  server.capabilities = ALL;
  setup.numbered(() => undefined);
  const readers: relay.SourceReader[] = [];
  for (const [at, notifications] of filters.entries()) {
    const asked = await setup.post("subscriptions/listen", { notifications }, { id: at + 1 });
    readers.push(sourceReader(asked.body));
  }
  /** What each has been told behind its acknowledgement. */
  const told = async () => {
    const all = [];
    for (const reader of readers) {
      await reader.readAll();
      all.push(
        modernMessages(reader).slice(1).map(({ method, params }) =>
          [method!.slice("notifications/".length), params!.uri, params!._meta![ID]].filter(Boolean)
        ),
      );
    }
    return all;
  };
  /** The stream breaks and is opened again. */
  const breakOff = async () => {
    server.stream.body.fail(new ProxyError("upstream_closed", "reset"));
    await settled();
    server.clock.advance(1);
    await settled();
  };
  /** The server restarts, and a request finds its session lost. */
  const restart = async (lost = "s-1") => {
    const { script } = server;
    server.script = (call) => call.call.sessionId === lost ? server.json({}, 404) : script(call);
    await setup.ask("prompts/list");
    await settled();
  };
  return { setup, server, readers, told, breakOff, restart };
}

const FILTERS = [TOOLS, {
  promptsListChanged: true,
  resourcesListChanged: true,
  resourceSubscriptions: ["a:1", "a:2"],
}];

const MISSED = [
  [["tools/list_changed", 1]],
  [
    ["prompts/list_changed", 2],
    ["resources/list_changed", 2],
    ["resources/updated", "a:1", 2],
    ["resources/updated", "a:2", 2],
  ],
];

Deno.test("a stream taken up again behind no event: each subscription is told once what it asked for", async () => {
  const { setup, server, told, breakOff } = await listening(FILTERS);
  assertEquals(await told(), [[], []]);
  await breakOff();
  assertEquals([server.streams.length, await told()], [2, MISSED]);
  server.clock.advance(10_000);
  await settled();
  assertEquals(await told(), MISSED);
  await setup.close();
});

Deno.test("a stream taken up again behind an event was given what had come: nothing is told", async () => {
  const { setup, server, told, breakOff } = await listening([TOOLS]);
  server.stream.send(
    share.eventOf({ jsonrpc: "2.0", method: "notifications/prompts/list_changed" }, "e1"),
  );
  await settled();
  await breakOff();
  const asked = server.calls.filter(({ kind }) => kind === "listen").at(-1)!;
  assertEquals([asked.call.lastEventId, await told()], ["e1", [[]]]);
  await setup.close();
});

Deno.test("R66 a session made anew: all is told once its subscriptions and its stream are there", async () => {
  const { setup, server, told, restart } = await listening(FILTERS);
  let toldAtSubscribe: unknown;
  const { script } = server;
  server.script = (call) => {
    const { message: { id, method }, call: { sessionId } } = call;
    if (method !== "resources/subscribe" || sessionId !== "s-2") return script(call);
    return told().then((all) => {
      toldAtSubscribe = all;
      return server.json({ jsonrpc: "2.0", id, result: {} });
    });
  };
  await restart();
  assertEquals([toldAtSubscribe, await told()], [[[], []], MISSED]);
  assertEquals(server.streams.length, 2);
  await setup.close();
});

Deno.test("R66 a session made anew while its stream waits to be taken up again: all is told once", async () => {
  const { setup, server, told, restart } = await listening([TOOLS]);
  server.stream.send(
    share.eventOf({ jsonrpc: "2.0", method: "notifications/prompts/list_changed" }, "e1"),
  );
  server.stream.body.finish();
  await settled();
  await restart();
  server.clock.advance(1);
  await settled();
  const asked = server.calls.filter(({ kind }) => kind === "listen").at(-1)!;
  assertEquals([asked.call.sessionId, asked.call.lastEventId], ["s-2", null]);
  assertEquals(await told(), [[["tools/list_changed", 1]]]);
  await setup.close();
});

Deno.test("R66 where the new session has no stream, who listens is told so by the end of its own", async () => {
  const { setup, server, readers, restart } = await listening([TOOLS]);
  const { script } = server;
  server.script = (call) =>
    call.kind === "listen" && call.call.sessionId === "s-2" ? server.json({}, 405) : script(call);
  await restart();
  await readers[0]!.readAll();
  assert(readers[0]!.ending instanceof ProxyError);
  await setup.close();
});

Deno.test("R66 caching: what was learnt of tools goes with the session, also where nobody listens", async () => {
  const { setup, server, restart } = await listening([]);
  const { script } = server;
  const headers = { "mcp-param-x": "1" };
  server.script = (call) => {
    const { message: { id, method } } = call;
    if (method !== "tools/list") return script(call);
    const inputSchema = {
      type: "object",
      properties: { y: { type: "string", "x-mcp-header": "x" } },
    };
    const isOld = call.call.sessionId === "s-1";
    const tools = [{ name: "t", ...(isOld ? { inputSchema } : {}) }];
    return server.json({ jsonrpc: "2.0", id, result: { tools } });
  };
  await setup.ask("tools/list");
  const call = () => setup.ask("tools/call", { name: "t", arguments: {} }, { headers });
  const refused = await call().catch((error) => error.kind);
  assertEquals(refused, "header_mismatch");
  await restart();
  assertEquals((await call()).status, 200);
  await setup.close();
});
