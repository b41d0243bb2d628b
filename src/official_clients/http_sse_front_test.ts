/**
 * The official v1 client over HTTP+SSE through the proxy, to the session server of this repository and to the
 * reference server, both over Streamable HTTP.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { startSessionServer } from "../../conformance/servers/session.ts";
import { startReferenceServer } from "../cli/reference.ts";
import { testProxy } from "../testing/proxy.ts";
import { type Relay, startRelay } from "./relay.ts";
import { SSEClientTransport, type Transport } from "./sdk_v1.ts";
import { CALLS } from "./session_calls.ts";
import { runCase, type SessionCase } from "./session_case.ts";
import type { Connect, SessionClient } from "./session_client.ts";
import { connectSse } from "./session_sse.ts";
import { STREAMS } from "./session_streams.ts";
import { FIXTURE, REFERENCE, type SessionTarget } from "./session_targets.ts";
import { connectV1, v1Client } from "./session_v1.ts";

/** HTTP+SSE has no resumption. */
const CASES: readonly SessionCase[] = [...CALLS, ...STREAMS].filter(({ resumes }) => !resumes);

/** A client over HTTP+SSE at the proxy, and one over Streamable HTTP at the server itself. */
function connecting({ url, exchanges, arrived }: Relay): Connect {
  let clients = 0;
  let gone = 0;
  const isListening = ({ method }: { method: string }) => method === "GET";
  return async (endpoint, options) => {
    if (endpoint === url) return await connectV1(endpoint, options);
    const at = ++clients;
    const upstreamListens = async () =>
      void await exchanges.take(at, "the proxy's listening at the server", isListening);
    const stream = at % 2 === 0 ? `${endpoint}/sse` : endpoint.replace(/mcp$/, "sse");
    const client = await connectSse(stream, options, upstreamListens);
    const close = async () => {
      await client.close();
      // What a client that leaves has the proxy do must be done before the proxy stops.
      await arrived.take(++gone, "the end of the session", ({ method }) => method === "DELETE");
    };
    return Object.create(client, { close: { value: close } }) as SessionClient;
  };
}

async function run(each: SessionCase, target: SessionTarget, upstream: string): Promise<void> {
  await using relay = await startRelay(upstream);
  await runCase(each, target, relay.url, connecting(relay), "dedicated");
}

/**
 * The SDK hands notifications to their handlers a moment later, and forgets the handler at once when the
 * response comes (`shared/protocol.js`): where both come in one read, as from the reference server, which sends
 * its last progress and the response together, `onprogress` misses that one. Over one stream nothing keeps
 * them apart.
 */
const COALESCED = "progress reaches onprogress in the order the server sent it";

function casesFor(target: SessionTarget): SessionCase[] {
  return CASES.filter(({ only, name }) =>
    (only === undefined || only === target) && !(target === REFERENCE && name === COALESCED)
  );
}

/** The same case, as the messages come out of the transport. */
async function progressOnTheWire(upstream: string): Promise<void> {
  const proxy = await testProxy({ upstream });
  const messages: { method?: string; id?: unknown; params?: { progress?: number } }[] = [];
  const { client } = v1Client(REFERENCE.answers);
  const transport = new SSEClientTransport(new URL(`${proxy.endpoint}/sse`));
  await client.connect(transport as Transport);
  const take = transport.onmessage!;
  transport.onmessage = (message) => {
    messages.push(message as typeof messages[number]);
    take(message);
  };
  await client.callTool({ ...REFERENCE.progress }, undefined, { onprogress: () => {} });
  const steps = messages.flatMap(({ method, params }) =>
    method === "notifications/progress" ? [params?.progress] : []
  );
  assertEquals(steps, [...REFERENCE.progressSteps]);
  assertEquals(messages.findIndex(({ method }) => method === undefined), messages.length - 1);
  await client.close();
  await proxy.stop();
}

for (const each of casesFor(FIXTURE)) {
  Deno.test(`v1 client over HTTP+SSE, session server: ${each.name}`, async () => {
    const server = startSessionServer();
    try {
      await run(each, FIXTURE, server.url);
    } finally {
      await server.close();
    }
  });
}

Deno.test("v1 client over HTTP+SSE, reference server", async (t) => {
  const server = await startReferenceServer();
  try {
    for (const each of casesFor(REFERENCE)) {
      await t.step(each.name, () => run(each, REFERENCE, server.url));
    }
    await t.step("all progress comes ahead of the response", () => progressOnTheWire(server.url));
  } finally {
    await server.stop();
  }
});
