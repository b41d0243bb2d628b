/**
 * 2025-06-18 and later, basic/transports, "Protocol Version Header": where the proxy is the server itself, a
 * revision that is not supported is answered with 400.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { SESSION_REVISIONS } from "../era/mod.ts";
import { Fields } from "../http/mod.ts";
import { ModernFake } from "../testing/bridge.ts";
import * as channel from "../testing/channel.ts";
import * as messages from "../testing/messages.ts";
import * as relay from "../testing/relay.ts";
import * as share from "../testing/share.ts";
import type { Upstream, UpstreamCall } from "../upstream/mod.ts";

/** Sessions that the proxy has with clients, each settled on 2025-11-25, and how a call in one is made. */
const SERVERS: Readonly<Record<string, () => Promise<{ upstream: Upstream; call: UpstreamCall }>>> =
  {
    "a server on a channel": async () => {
      const fake = new channel.FakeChannels();
      const { client } = await fake.join();
      return { upstream: fake.upstream, call: client.call() };
    },
    "a modern server": async () => {
      const { bridge } = new ModernFake();
      const client = new share.SharedClient(bridge, { revision: "2025-11-25" });
      const { sessionId } = await client.initialize();
      return { upstream: bridge, call: client.call({ sessionId }) };
    },
  };

const encode = (text: string) => new TextEncoder().encode(text);

for (const [name, server] of Object.entries(SERVERS)) {
  Deno.test(`${name}: an unsupported MCP-Protocol-Version is 400 on POST, GET and DELETE, and the session stays`, async () => {
    const { upstream, call } = await server();
    const naming = (version: string | undefined): UpstreamCall => ({
      ...call,
      headers: new Fields(version === undefined ? [] : ["mcp-protocol-version", version]),
    });
    for (const version of ["1999-01-01", "banana", ""]) {
      const refused = await upstream.exchange(naming(version), encode(messages.ping("7")));
      assertEquals(refused.status, 400);
      assertEquals(JSON.parse(await share.textOf(refused.body)).id, 7);
      const { status } = await upstream.notify(naming(version), encode(messages.initialized));
      assertEquals(status, 400);
      assertEquals((await upstream.listen(naming(version))).status, 400);
      assertEquals((await upstream.terminate(naming(version))).status, 400);
    }
    for (const version of [undefined, ...SESSION_REVISIONS]) {
      const { status } = await upstream.notify(naming(version), encode(messages.initialized));
      assertEquals(status, 202);
    }
    await relay.settled();
    assertEquals((await upstream.terminate(naming("2025-06-18"))).status, 200);
    await upstream.close();
  });
}

Deno.test("a server on a channel: a revision that it settled for itself may be named", async () => {
  const fake = new channel.FakeChannels();
  const client = new channel.ChannelClient(fake.upstream);
  const answering = client.ask(0, "initialize");
  await relay.settled();
  fake.channels[0]!.answer("initialize", { protocolVersion: "2024-10-07" });
  const { sessionId } = await answering;
  const headers = new Fields(["mcp-protocol-version", "2024-10-07"]);
  const call = client.call({ sessionId, headers });
  assertEquals((await fake.upstream.notify(call, encode(messages.initialized))).status, 202);
  await fake.upstream.close();
});
