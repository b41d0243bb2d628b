/**
 * A proxy with several targets behind one route, and servers to be those.
 *
 * @module
 */

import * as messages from "./messages.ts";
import { type TestProxy, withProxy } from "./proxy.ts";
import { exchange, postText } from "./raw_client.ts";
import {
  jsonAnswer,
  type ReceivedRequest,
  type ScriptedUpstream,
  scriptedUpstream,
} from "./scripted_upstream.ts";
import { type SessionUpstream, sessionUpstream } from "./session_upstream.ts";

/** Settings of an upstream. */
export type Settings = Readonly<Record<string, unknown>>;

/** The servers, by the names of their targets; weights where they differ. */
export function targetsOf(
  servers: Readonly<Record<string, { url: string }>>,
  weights: number[] = [],
) {
  return Object.entries(servers).map(([name, { url }], at) => ({
    name,
    url,
    weight: weights[at] ?? 1,
  }));
}

/** An upstream of these targets: in turn, and never probed. */
export function balanced(targets: readonly unknown[], more: Settings = {}): Settings {
  const { balance, health, ...rest } = more as Record<string, Settings | undefined>;
  return {
    targets,
    balance: { policy: "round-robin", ...balance },
    health: { probe: "off", ...health },
    ...rest,
  };
}

/** Runs `test` with a proxy before these servers, in turn. */
export function before(
  servers: Readonly<Record<string, { url: string }>>,
  test: (proxy: TestProxy) => Promise<void>,
  more: Settings = {},
  weights: number[] = [],
  config: Settings = {},
): Promise<void> {
  const upstreamConfig = balanced(targetsOf(servers, weights), more);
  return withProxy({ upstreamConfig, config: { admin: "127.0.0.1:0", ...config } }, test);
}

/** The servers are not asked what they speak. */
export const MODERN = { era: "modern" };
/** A result of 2026-07-28. */
export const RESULT = '{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete"}}';

/** A request of 2026-07-28. */
export function modern(proxy: { origin: string }, method: string) {
  const named = method === "tools/call" ? { "mcp-name": "t" } : {};
  const params = method === "tools/call" ? { name: "t", arguments: {} } : {};
  return postText(proxy.origin, messages.modern(method, params), {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    ...named,
  });
}

/** A server of 2026-07-28 that answers everything. */
export function answering(): ScriptedUpstream {
  return scriptedUpstream((_, to) => to.write(jsonAnswer(RESULT)));
}

/** A server of 2026-07-28 with one tool. */
export function modernServer(): ScriptedUpstream {
  return scriptedUpstream(async (request, to) => {
    const { id, method } = JSON.parse(new TextDecoder().decode(request.body));
    const result = method === "server/discover"
      ? {
        resultType: "complete",
        supportedVersions: ["2026-07-28"],
        capabilities: { tools: {} },
        serverInfo: { name: "b", version: "1" },
      }
      : method === "tools/list"
      ? { resultType: "complete", tools: [{ name: "t", inputSchema: { type: "object" } }] }
      : { resultType: "complete", content: [] };
    await to.write(jsonAnswer(JSON.stringify({ jsonrpc: "2.0", id, result })));
  });
}

/** An address where nobody listens. */
export async function nobody(): Promise<{ url: string }> {
  const { url, close } = answering();
  await close();
  return { url };
}

/** A server with sessions that can be closed at any time without a call being lost on its way. */
export function leavable(): SessionUpstream {
  return sessionUpstream({ instead: noStream, keeps: false });
}

/** The method of a request. */
export const methodOf = ({ body }: ReceivedRequest) => {
  const text = new TextDecoder().decode(body);
  return text === "" ? "" : JSON.parse(text).method;
};

/** How often a method arrived. */
export function times(server: ScriptedUpstream, method: string): number {
  return server.requests.filter((request) => methodOf(request) === method).length;
}

/** What the status page says of the route. */
export async function told({ adminOrigin }: TestProxy) {
  const page = await exchange(
    adminOrigin!,
    "GET /status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
  );
  return JSON.parse(page.text).routes[0].upstream;
}

/** There is no stream on which the server speaks first. */
export async function noStream(
  { line }: ReceivedRequest,
  to: { write(text: string): Promise<void> },
) {
  if (!line.startsWith("GET")) return false;
  await to.write("HTTP/1.1 405 No\r\nallow: POST\r\ncontent-length: 0\r\n\r\n");
  return true;
}
