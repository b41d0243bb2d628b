/**
 * Clients of HTTP+SSE before a proxy before an upstream of Streamable HTTP.
 *
 * @module
 */

import { type EventServer, eventServer } from "./event_server.ts";
import { type TestProxy, withProxy } from "./proxy.ts";
import type { ReceivedRequest, ScriptedUpstream } from "./scripted_upstream.ts";
import { type SseCaller, sseCaller } from "./sse_caller.ts";
import * as streams from "./streams.ts";

/** The upstream's id of its session. */
export const INNER = "inner-session-id-0123456789";
/** A call of a tool. */
export const call = (id: number) =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"t","arguments":{}}}`;
/** That there is no stream on which the server speaks first. */
export const NO_LISTENING = "HTTP/1.1 405 No\r\nallow: POST\r\ncontent-length: 0\r\n\r\n";

/** The body of a request as text. */
export const bodyOf = ({ body }: ReceivedRequest) => new TextDecoder().decode(body);

/** The first request that matches, once it is there. */
export async function arrival(
  upstream: ScriptedUpstream,
  matches: (request: ReceivedRequest) => boolean,
): Promise<ReceivedRequest> {
  for (let at = 0;; at++) {
    const request = await upstream.received(at);
    if (matches(request)) return request;
  }
}

/** Whether a request names a method. */
export const says = (method: string) => (request: ReceivedRequest) =>
  bodyOf(request).includes(`"${method}"`);
/** Whether a request ends a session. */
export const isDelete = ({ line }: ReceivedRequest) => line.startsWith("DELETE");

/** A server whose stream for itself nobody gets, so that streams are answers alone. */
export function quietServer(options: Parameters<typeof eventServer>[0] = {}): EventServer {
  return eventServer({
    sessionId: INNER,
    ...options,
    otherwise: async (request, to) => {
      if (await options.otherwise?.(request, to)) return true;
      if (!request.line.startsWith("GET") || request.field("last-event-id")) return false;
      await to.write(NO_LISTENING);
      return true;
    },
  });
}

/** Runs `test` with a client that has a session. */
export async function withCaller(
  test: (caller: SseCaller, upstream: EventServer, proxy: TestProxy) => Promise<void>,
  options: Parameters<typeof eventServer>[0] = {},
  config: Record<string, unknown> = {},
): Promise<void> {
  await using upstream = quietServer(options);
  await withProxy(streams.reconnecting(upstream.url, { config }), async (proxy) => {
    using caller = await sseCaller(proxy.origin);
    await caller.start();
    await test(caller, upstream, proxy);
  });
}
