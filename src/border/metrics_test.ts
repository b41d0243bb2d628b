/**
 * The page for Prometheus on the admin address, over real sockets.
 *
 * The format is that of Prometheus, "Exposition formats", version 0.0.4; its own tool reads it where it is
 * installed.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import * as admin from "../testing/admin.ts";
import * as eventClient from "../testing/event_client.ts";
import { eventServer } from "../testing/event_server.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { postText, RawClient } from "../testing/raw_client.ts";
import { sessionUpstream } from "../testing/session_upstream.ts";
import * as streams from "../testing/streams.ts";

const { adminRequest } = admin;
const config = { admin: "127.0.0.1:0" };

async function scraped(proxy: TestProxy): Promise<string> {
  const { status, text } = await adminRequest(proxy.adminOrigin, "GET", "/metrics");
  assertEquals(status, 200);
  return text;
}

/** The values of a figure, by its labels as they stand there. */
function valuesOf(text: string, name: string): Record<string, number> {
  const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`));
  return Object.fromEntries(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(name.length, at), Number(line.slice(at))];
  }));
}

/** A proxy before a server with sessions. */
async function withMetrics(test: (proxy: TestProxy) => Promise<void>): Promise<void> {
  const upstream = sessionUpstream();
  const upstreamConfig = { era: "session", targets: [{ name: "a", url: upstream.url }] };
  try {
    await withProxy({ upstreamConfig, config }, test);
  } finally {
    await upstream.close();
  }
}

Deno.test("/metrics counts requests by route, era, method and status, and times them", async () => {
  await withMetrics(async (proxy) => {
    const session = await eventClient.openSession(proxy.origin);
    const fields = { "mcp-session-id": session };
    const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
    for (let call = 0; call < 3; call++) await postText(proxy.origin, ping, fields);
    const text = await scraped(proxy);
    const of = (rpc: string) =>
      `{route="/mcp",http="POST",era="session",rpc="${rpc}",status="200"}`;
    const requests = valuesOf(text, "switchyard_requests_total");
    assertEquals([requests[of("initialize")], requests[of("ping")]], [1, 3]);
    const counts = valuesOf(text, "switchyard_request_first_byte_seconds_count");
    assertEquals(counts['{route="/mcp",rpc="ping"}'], 3);
    const sums = valuesOf(text, "switchyard_request_first_byte_seconds_sum");
    assert(sums['{route="/mcp",rpc="ping"}']! > 0);
    assertMatch(text, /^switchyard_sessions 1$/m);
    assertMatch(text, /^process_resident_memory_bytes \d{7,}$/m);
    const target = '{route="/mcp",target="a"';
    assertEquals(valuesOf(text, "switchyard_target_calls_total")[`${target}}`]! >= 4, true);
    const states = valuesOf(text, "switchyard_target_state");
    assertEquals([states[`${target},state="up"}`], states[`${target},state="down"}`]], [1, 0]);
  });
});

Deno.test("/metrics counts the proxy's own errors by kind, also of requests that came to no route", async () => {
  await withMetrics(async (proxy) => {
    const lost = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
    assertEquals((await postText(proxy.origin, lost, { "mcp-session-id": "gone" })).status, 404);
    const there = await adminRequest(proxy.origin, "GET", "/elsewhere");
    assertEquals(there.status, 404);
    const errors = valuesOf(await scraped(proxy), "switchyard_errors_total");
    assertEquals(errors, {
      '{route="/mcp",kind="session_not_found",source="client"}': 1,
      '{route="",kind="route_not_found",source="client"}': 1,
    });
  });
});

Deno.test("/metrics counts requests whose head is refused, which come to no route", async () => {
  await withMetrics(async (proxy) => {
    const lines = `X-Long: ${"x".repeat(70_000)}\r\n`;
    for (
      const [head, status] of [
        ["GET / HTTP/3.0\r\n\r\n", 505],
        ["POST /mcp HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
        [`POST /mcp HTTP/1.1\r\nHost: a\r\n${lines}\r\n`, 431],
      ] as const
    ) {
      using client = await RawClient.connect(proxy.origin);
      await client.write(head);
      assertEquals((await client.readHead()).status, status);
    }
    const text = await scraped(proxy);
    const refused = Object.entries(valuesOf(text, "switchyard_errors_total"));
    assertEquals(refused.map(([, count]) => count).reduce((sum, count) => sum + count, 0), 3);
    for (const [labels] of refused) {
      assertMatch(labels, /^\{route="",kind="\w+",source="client"\}$/);
    }
    assertEquals(valuesOf(text, "switchyard_requests_total"), {});
  });
});

Deno.test("R58 /metrics counts an answer that fails behind its head as an error, beside its status of 200", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url, { config }), async (proxy) => {
    using stream = await eventClient.begin(proxy.origin, streams.modernCall());
    const server = await upstream.stream(0);
    await server.end();
    assertStringIncludes((await stream.rest())[0]!.data!, "-31502");
    const text = await scraped(proxy);
    assertEquals(valuesOf(text, "switchyard_errors_total"), {
      '{route="/mcp",kind="upstream_closed",source="upstream"}': 1,
    });
    const labels = '{route="/mcp",http="POST",era="modern",rpc="tools/call",status="200"}';
    assertEquals(valuesOf(text, "switchyard_requests_total")[labels], 1);
  });
});

Deno.test("a client that leaves in the middle of its answer is no failure, neither counted nor logged", async () => {
  await using upstream = eventServer();
  await withProxy(streams.reconnecting(upstream.url, { config }), async (proxy) => {
    {
      using stream = await eventClient.begin(proxy.origin, streams.modernCall());
      const server = await upstream.stream(0);
      await server.send(streams.event(null, streams.progress(1)));
      await stream.next();
    }
    // It has gone, and the server has been told so.
    await (await upstream.stream(0)).closed;
    const text = await scraped(proxy);
    assertEquals(valuesOf(text, "switchyard_errors_total"), {});
    assertMatch(text, /^switchyard_answers_under_way 0$/m);
    assert(!proxy.logs.some((line) => line.includes("failed")));
  });
});

Deno.test("R96 nothing that a client says becomes a label: methods that are not known are one", async () => {
  await withMetrics(async (proxy) => {
    const session = await eventClient.openSession(proxy.origin);
    for (let call = 0; call < 5; call++) {
      const method = `canary/${call}`;
      const body = JSON.stringify({ jsonrpc: "2.0", id: `canary-${call}`, method });
      await postText(proxy.origin, body, { "mcp-session-id": session });
    }
    await adminRequest(proxy.origin, "CANARY", "/mcp");
    const text = await scraped(proxy);
    assert(!/canary/i.test(text), text);
    assert(!text.includes(session));
    const others = Object.entries(valuesOf(text, "switchyard_requests_total"))
      .filter(([labels]) => labels.includes('rpc="other"'));
    assertEquals(others.map(([, count]) => count).reduce((sum, count) => sum + count, 0), 5);
    assertEquals(others.length, 1);
    assertStringIncludes(text, 'http="other"');
  });
});

/** Exit code and words of Prometheus' own checker, or null where it is not installed. */
async function promtool(text: string): Promise<{ code: number; said: string } | null> {
  let child: Deno.ChildProcess;
  try {
    const args = ["check", "metrics"];
    child = new Deno.Command("promtool", { args, stdin: "piped", stdout: "piped", stderr: "piped" })
      .spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, said: decoder.decode(stdout) + decoder.decode(stderr) };
}

const hasPromtool = await promtool("") !== null;

Deno.test({
  name: `Prometheus' own tool has nothing to say of /metrics${
    hasPromtool ? "" : " (SKIPPED: promtool is not installed)"
  }`,
  ignore: !hasPromtool,
  fn: () =>
    withMetrics(async (proxy) => {
      await eventClient.openSession(proxy.origin);
      await adminRequest(proxy.origin, "GET", "/elsewhere");
      assertEquals(await promtool(await scraped(proxy)), { code: 0, said: "" });
    }),
});
