/**
 * The v2 SDK's client in legacy mode, for the table of session-era cases.
 *
 * @module
 */

import {
  Client,
  StreamableHTTPClientTransport,
  type VersionNegotiationMode,
} from "@modelcontextprotocol/client";
import { z } from "zod";
import { type ConnectOptions, FetchWatch, type SessionClient } from "./session_client.ts";
import { answerWith, collectNotifications } from "./v2_client.ts";

/** Connects a v2 client that speaks the session era. */
export async function connectV2(
  endpoint: string,
  { answers, sessionId }: ConnectOptions,
  mode: VersionNegotiationMode = "legacy",
): Promise<SessionClient> {
  const watch = new FetchWatch();
  const transport = new StreamableHTTPClientTransport(new URL(endpoint), {
    fetch: watch.fetch,
    ...(sessionId !== undefined && { sessionId }),
  });
  const client = new Client({ name: "official-v2", version: "1" }, {
    capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } },
    versionNegotiation: { mode },
  });
  const received = collectNotifications(client);
  const asked = answerWith(client, answers);
  await client.connect(transport);
  return {
    methods: client,
    received,
    asked,
    watch,
    get sessionId() {
      return transport.sessionId;
    },
    get revision() {
      return client.getNegotiatedProtocolVersion();
    },
    call: (use, options) => client.callTool({ ...use }, { ...options }),
    unknownMethod: () => client.request({ method: "test/unknown" }, z.looseObject({})),
    terminate: () => transport.terminateSession(),
    close: async () => {
      await transport.terminateSession().catch(() => {});
      await client.close();
    },
  };
}
