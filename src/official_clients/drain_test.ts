/**
 * R68: how the official v2 client takes the end of a subscription that the proxy ends, on servers of either era.
 *
 * Source: 2026-07-28 basic/patterns/subscriptions, "Graceful Closure".
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { startModernServer } from "../../conformance/servers/modern.ts";
import { startSessionServer } from "../../conformance/servers/session.ts";
import * as admin from "../testing/admin.ts";
import { withProxy } from "../testing/proxy.ts";
import { connectModern } from "./modern_case.ts";
import { within } from "./wait.ts";

const SERVERS = { modern: () => startModernServer(), session: () => startSessionServer() };

for (const [era, start] of Object.entries(SERVERS)) {
  Deno.test(`R68 v2 client, ${era} server: a drained subscription has ended gracefully, and calls go on`, async () => {
    const server = start();
    try {
      const config = { admin: "127.0.0.1:0" };
      await withProxy({ upstream: server.url, config }, async ({ endpoint, adminOrigin }) => {
        const { client } = await connectModern(endpoint);
        const { closed } = await client.listen({ toolsListChanged: true });
        await admin.adminRequest(adminOrigin, "POST", "/drain");
        assertEquals(await within(closed, "the end of the subscription"), "graceful");
        await client.listTools();
        await admin.adminRequest(adminOrigin, "POST", "/resume");
        const again = await client.listen({ toolsListChanged: true });
        await again.close();
        await client.close();
      });
    } finally {
      await server.close();
    }
  });
}
