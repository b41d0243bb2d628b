/**
 * The official v1 client over HTTP+SSE through the proxy, to the session server of this repository and to the
 * reference server, both over Streamable HTTP.
 *
 * @module
 */

import { startSessionServer } from "../../conformance/servers/session.ts";
import { startReferenceServer } from "../cli/reference.ts";
import { type Relay, startRelay } from "./relay.ts";
import { CALLS } from "./session_calls.ts";
import { runCase, type SessionCase } from "./session_case.ts";
import type { Connect } from "./session_client.ts";
import { connectSse } from "./session_sse.ts";
import { STREAMS } from "./session_streams.ts";
import { FIXTURE, REFERENCE, type SessionTarget } from "./session_targets.ts";
import { connectV1 } from "./session_v1.ts";

/** HTTP+SSE has no resumption. */
const CASES: readonly SessionCase[] = [...CALLS, ...STREAMS].filter(({ resumes }) => !resumes);

/** A client over HTTP+SSE at the proxy, and one over Streamable HTTP at the server itself. */
function connecting({ url, exchanges }: Relay): Connect {
  let clients = 0;
  const isListening = ({ method }: { method: string }) => method === "GET";
  return async (endpoint, options) => {
    if (endpoint === url) return await connectV1(endpoint, options);
    const at = ++clients;
    const upstreamListens = async () =>
      void await exchanges.take(at, "the proxy's listening at the server", isListening);
    const stream = at % 2 === 0 ? `${endpoint}/sse` : endpoint.replace(/mcp$/, "sse");
    return await connectSse(stream, options, upstreamListens);
  };
}

async function run(each: SessionCase, target: SessionTarget, upstream: string): Promise<void> {
  await using relay = await startRelay(upstream);
  await runCase(each, target, relay.url, connecting(relay), "dedicated");
}

function casesFor(target: SessionTarget): SessionCase[] {
  return CASES.filter(({ only }) => only === undefined || only === target);
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
  } finally {
    await server.stop();
  }
});
