/**
 * The v1 SDK's client over HTTP+SSE, for the table of session-era cases.
 *
 * @module
 */

import {
  type CallToolResult,
  EmptyResultSchema,
  SSEClientTransport,
  type Transport,
} from "./sdk_v1.ts";
import { type ConnectOptions, FetchWatch, type SessionClient } from "./session_client.ts";
import { v1Client } from "./session_v1.ts";

/** A watch that waits for the proxy's own listening stream: the client's opens long before that. */
class SseWatch extends FetchWatch {
  readonly #upstreamListens: () => Promise<void>;

  constructor(upstreamListens: () => Promise<void>) {
    super();
    this.#upstreamListens = upstreamListens;
  }

  override listening(): Promise<void> {
    return this.#upstreamListens();
  }
}

/** Connects a v1 client to the stream at `url`; `upstreamListens` resolves when the server can speak first. */
export async function connectSse(
  url: string,
  options: ConnectOptions,
  upstreamListens: () => Promise<void>,
): Promise<SessionClient> {
  const watch = new SseWatch(upstreamListens);
  const transport = new SSEClientTransport(new URL(url), { fetch: watch.fetch });
  const { client, received, asked } = v1Client(options.answers);
  let revision: string | undefined;
  const settle = transport.setProtocolVersion.bind(transport);
  transport.setProtocolVersion = (version) => {
    revision = version;
    settle(version);
  };
  await client.connect(transport as Transport);
  return {
    methods: client,
    received,
    asked,
    watch,
    sessionId: undefined,
    get revision() {
      return revision;
    },
    call: (use, callOptions) =>
      client.callTool({ ...use }, undefined, { ...callOptions }) as Promise<CallToolResult>,
    unknownMethod: () => client.request({ method: "test/unknown" }, EmptyResultSchema),
    terminate: () => client.close(),
    close: () => client.close(),
  };
}
