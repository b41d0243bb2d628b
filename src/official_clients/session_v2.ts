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
import {
  type ConnectOptions,
  endSession,
  FetchWatch,
  reconnectionOptions,
  type SessionClient,
} from "./session_client.ts";
import { answerWith, collectNotifications } from "./v2_client.ts";

/** Connects a v2 client that speaks the session era. */
export async function connectV2(
  endpoint: string,
  options: ConnectOptions,
  mode: VersionNegotiationMode = "legacy",
): Promise<SessionClient> {
  const watch = new FetchWatch();
  const transport = new StreamableHTTPClientTransport(new URL(endpoint), {
    fetch: watch.fetch,
    reconnectionOptions: reconnectionOptions(options),
    ...(options.sessionId !== undefined && { sessionId: options.sessionId }),
  });
  const client = new Client({ name: "official-v2", version: "1" }, {
    capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } },
    versionNegotiation: { mode },
  });
  const received = collectNotifications(client);
  const asked = answerWith(client, options.answers);
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
    call: (use, callOptions) => client.callTool({ ...use }, { ...callOptions }),
    unknownMethod: () => client.request({ method: "test/unknown" }, z.looseObject({})),
    terminate: () => transport.terminateSession(),
    close: async () => {
      const { sessionId } = transport;
      await client.close();
      await endSession(endpoint, sessionId);
    },
  };
}
