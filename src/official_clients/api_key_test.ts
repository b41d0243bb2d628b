/**
 * The official v1 client through a proxy that wants an API key.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { startSessionServer } from "../../conformance/servers/session.ts";
import { hashOfKey } from "../auth/mod.ts";
import { withProxy } from "../testing/proxy.ts";
import { Client, StreamableHTTPClientTransport, type Transport } from "./sdk_v1.ts";
import { FetchWatch } from "./session_client.ts";

const KEY = "sy_key-of-the-client";
const keys = [{ name: "ci", sha256: hashOfKey(KEY) }];

const NO_RECONNECTION = {
  maxRetries: 0,
  initialReconnectionDelay: 100,
  maxReconnectionDelay: 1_000,
  reconnectionDelayGrowFactor: 1,
};

const FORMS: readonly [string, Record<string, unknown>, Record<string, string>][] = [
  ["Authorization: Bearer", { keys }, { authorization: `Bearer ${KEY}` }],
  ["a field of its own", { header: "x-api-key", keys }, { "x-api-key": KEY }],
];

for (const [form, auth, headers] of FORMS) {
  Deno.test(`R94 the v1 client shows its key on POST, GET and DELETE, and without it gets 401 (${form})`, async () => {
    const server = startSessionServer();
    try {
      await withProxy({ upstream: server.url, config: { auth } }, async ({ endpoint }) => {
        const watch = new FetchWatch();
        const connect = async (sent: Record<string, string>) => {
          const transport = new StreamableHTTPClientTransport(new URL(endpoint), {
            fetch: watch.fetch,
            reconnectionOptions: NO_RECONNECTION,
            requestInit: { headers: sent },
          });
          const client = new Client({ name: "official-v1", version: "1" });
          await client.connect(transport as Transport);
          return { client, transport };
        };
        await assertRejects(() => connect({}));
        assertEquals(watch.statuses, [401]);
        const { client, transport } = await connect(headers);
        await watch.listening();
        const { tools } = await client.listTools();
        assert(tools.length > 0);
        await transport.terminateSession();
        await client.close();
        // Nothing but the first attempt, which had no key, was refused for it.
        assertEquals(watch.statuses.filter((status) => status === 401).length, 1);
      });
    } finally {
      await server.close();
    }
  });
}
