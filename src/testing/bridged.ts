/**
 * A server of either era behind `bridged`, with bridges that only tell what they were asked.
 *
 * @module
 */

import { bridged, type BridgedOptions } from "../bridge/mod.ts";
import { Fields, NEVER_ABORTED } from "../http/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { type FakeCall, FakeServer, textOf } from "./share.ts";

/** A call of a client of this era. */
export function bridgedCall(
  era: "modern" | "session",
  more: Partial<UpstreamCall> = {},
): UpstreamCall {
  const headers = new Fields(["content-type", "application/json", "mcp-method", "tools/list"]);
  return {
    era,
    headers,
    sessionId: undefined,
    principal: "p",
    query: "",
    signal: NEVER_ABORTED,
    ...more,
  };
}

/** A request as bytes. */
export function requestBytes(
  method: string,
  id: number | string = 7,
  params: unknown = {},
): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
}

/** A bridge that tells what it was asked. */
function marked(server: FakeServer, name: string): Upstream & { asked: string[] } {
  const asked: string[] = [];
  const answer = (what: string) => {
    asked.push(what);
    return Promise.resolve(server.json({ bridge: name }));
  };
  return {
    asked,
    exchange: (_, body) => answer(JSON.parse(new TextDecoder().decode(body)).method),
    notify: (_, body) => answer(JSON.parse(new TextDecoder().decode(body)).method),
    listen: () => answer("GET"),
    terminate: () => answer("DELETE"),
    close: () => Promise.resolve(void asked.push("close")),
  };
}

/** The server, the bridges, and what stands in front of them. */
export function bridgedServer(options: Partial<BridgedOptions> = {}) {
  const server = new FakeServer();
  const asModern = marked(server, "asModern");
  const asSession = marked(server, "asSession");
  let doubt = () => {};
  const upstream = bridged(server, {
    clock: server.clock,
    timeoutMs: 5_000,
    isStdio: false,
    startMs: 60_000,
    open: (onDoubt) => {
      doubt = onDoubt;
      return { asModern, asSession };
    },
    ...options,
  });
  return { server, asModern, asSession, upstream, doubt: () => doubt() };
}

/** A `DiscoverResult` with these versions. */
export function discovered(
  server: FakeServer,
  { message: { id } }: FakeCall,
  versions = ["2026-07-28"],
) {
  return server.json({ jsonrpc: "2.0", id, result: { supportedVersions: versions } });
}

/** A JSON-RPC error. */
export function refusal(
  server: FakeServer,
  { message: { id } }: FakeCall,
  status: number,
  code: number,
  data?: unknown,
): UpstreamAnswer {
  return server.json({ jsonrpc: "2.0", id, error: { code, message: "no", data } }, status);
}

/** The message in an answer. */
export async function said({ body }: UpstreamAnswer) {
  return JSON.parse(await textOf(body));
}
