/**
 * R57 to R70: several targets behind one route, over real sockets.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import * as behind from "../testing/balanced.ts";
import * as messages from "../testing/messages.ts";
import { withProgramInstances } from "../testing/program_instances.ts";
import { withProxy } from "../testing/proxy.ts";
import { jsonPost, postText, RawClient } from "../testing/raw_client.ts";
import { redisTest } from "../testing/redis.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import { SessionCaller } from "../testing/session_caller.ts";

const {
  answering,
  balanced,
  before,
  leavable,
  methodOf,
  MODERN,
  modern,
  modernServer,
  nobody,
  RESULT,
  targetsOf,
  times,
  told,
} = behind;

Deno.test("sessions stay each with its target, and are shared out by weight", async () => {
  await using a = leavable();
  await using b = leavable();
  await before(
    { a, b },
    async (proxy) => {
      const clients = await Promise.all(
        Array.from({ length: 30 }, () => new SessionCaller(proxy).ready()),
      );
      for (let round = 0; round < 3; round++) {
        const answers = await Promise.all(clients.map((client) => client.ask("tools/call")));
        assert(answers.every(({ status }) => status === 200));
      }
      for (const client of clients) assertEquals((await client.ask("ping")).status, 200);
      assertEquals([times(a, "initialize"), times(b, "initialize")], [10, 20]);
      // Each got what belongs to its own sessions, and all of it.
      assertEquals([times(a, "tools/call"), times(b, "tools/call")], [30, 60]);
      for (const client of clients) {
        for (const { text } of client.seen) assert(!text.includes("inner-"));
      }
    },
    {},
    [1, 2],
  );
});

Deno.test("hash-principal has a caller's sessions all at one target", async () => {
  await using a = leavable();
  await using b = leavable();
  await before({ a, b }, async (proxy) => {
    for (let count = 0; count < 8; count++) await new SessionCaller(proxy).open();
    assertEquals([times(a, "initialize"), times(b, "initialize")].sort(), [0, 8]);
  }, { balance: { policy: "hash-principal" } });
});

redisTest("a session goes on at its target whichever instance it comes to", async (redis) => {
  await using a = leavable();
  await using b = leavable();
  const upstream = balanced(targetsOf({ a, b }));
  await withProgramInstances(redis, upstream, async (one, other) => {
    const ids: string[] = [];
    for (let count = 0; count < 6; count++) {
      const { headers } = await postText(one.origin, messages.initialize());
      ids.push(headers.get("mcp-session-id")!);
    }
    for (const id of ids) {
      const { status } = await postText(other.origin, messages.ping(), { "mcp-session-id": id });
      assertEquals(status, 200);
    }
    assertEquals([times(a, "ping"), times(b, "ping")], [3, 3]);
    // One that is lost goes on elsewhere, for both.
    await a.close();
    for (const id of ids) {
      for (const { origin } of [other, one]) {
        const { status } = await postText(origin, messages.ping(), { "mcp-session-id": id });
        assertEquals(status, 200);
      }
    }
    assertEquals(times(b, "initialize"), 6);
  });
});

Deno.test("R66 sessions of a lost target go on elsewhere, begun there exactly once", async () => {
  await using a = leavable();
  await using b = leavable();
  await before({ a, b }, async (proxy) => {
    const clients: SessionCaller[] = [];
    for (let count = 0; count < 10; count++) clients.push(await new SessionCaller(proxy).ready());
    assertEquals([times(a, "initialize"), times(b, "initialize")], [5, 5]);
    await a.close();
    const called = b.requests.length;
    const answers = await Promise.all(
      clients.flatMap((client) =>
        Array.from({ length: 4 }, (_, id) => client.ask("tools/call", {}, id))
      ),
    );
    assert(answers.every(({ status }) => status === 200), `${answers.map((one) => one.status)}`);
    assertEquals(times(b, "initialize"), 10);
    assertEquals(times(b, "tools/call"), 40);
    const sessions = b.told(called).filter((one) => one.startsWith("tools/call@"));
    assertEquals(new Set(sessions).size, 10);
    for (const client of clients) {
      const ids = client.seen.map(({ headers }) => headers.get("mcp-session-id"));
      assert(ids.every((id) => id === client.id));
    }
    // Their DELETE finds them where they are now.
    assertEquals((await clients[0]!.end()).status, 202);
    assertEquals(times(b, ""), 1);
  });
});

Deno.test("R60 R65 a call for a target that refuses is delivered to another, once", async () => {
  await using b = answering();
  const a = await nobody();
  await before({ a, b }, async (proxy) => {
    for (let count = 0; count < 12; count++) {
      assertEquals((await modern(proxy, "tools/call")).status, 200);
    }
    assertEquals(times(b, "tools/call"), 12);
    const { targets } = await told(proxy);
    assertEquals([targets[0].state, targets[0].calls >= 5], ["down", true]);
    assertEquals([targets[1].state, targets[1].failures], ["up", 0]);
    const page = JSON.stringify(await told(proxy)) + proxy.logs.join("");
    assert(!page.includes(new URL(a.url).host), "an address was told");
  }, MODERN);
});

Deno.test("R60 R65 with HTTP/2 what was not sent goes elsewhere, and what may have been does not", async () => {
  const breaking = scriptedUpstream((_, to) => to.close());
  const targets = targetsOf({ a: await nobody(), b: breaking, c: await nobody() });
  const upstreamConfig = balanced(targets, { ...MODERN, http2: true });
  await using _ = breaking;
  await withProxy({ upstreamConfig, config: { admin: "127.0.0.1:0" } }, async (proxy) => {
    assertEquals((await modern(proxy, "tools/call")).status, 502);
    assertEquals((await told(proxy)).retries.made, 1);
    const { targets } = await told(proxy);
    assertEquals(targets.map(({ calls }: { calls: number }) => calls), [1, 1, 0]);
  });
});

/** The targets that the log names, of the lines with this message. */
function targetsIn({ logs }: { readonly logs: readonly string[] }, message: string) {
  return logs.map((line) => JSON.parse(line)).filter((line) => line.message === message)
    .map(({ rpc, http, target }) => `${rpc ?? http ?? "-"} ${target}`);
}

Deno.test("a request's line in the log names the target that was asked last", async () => {
  await using a = leavable();
  await using b = leavable();
  await before({ a, b }, async (proxy) => {
    const one = await new SessionCaller(proxy).ready();
    const other = await new SessionCaller(proxy).open();
    await one.ask("ping");
    await a.close();
    await one.ask("ping");
    await other.end();
    await other.ask("ping");
    assertEquals(targetsIn(proxy, "request"), [
      "initialize a",
      "notifications/initialized a",
      "initialize b",
      "ping a",
      "ping b",
      "DELETE b",
      "ping undefined",
    ]);
  });
  const breaking = scriptedUpstream((_, to) => to.close());
  await using _ = breaking;
  await before({ c: breaking }, async (proxy) => {
    await modern(proxy, "tools/call");
    assertEquals(targetsIn(proxy, "request failed"), ["tools/call c"]);
  }, MODERN);
  await using dying = scriptedUpstream(async (_, to) => {
    const head = "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    await to.write(`HTTP/1.1 200 OK\r\n${head}5\r\n: c\n\n\r\n`);
    to.close();
  });
  await before({ d: dying }, async (proxy) => {
    assertMatch((await modern(proxy, "tools/call")).text, /"code":-31502/);
    assertEquals(targetsIn(proxy, "request failed"), ["tools/call d"]);
  }, MODERN);
});

for (const era of ["session", "modern"]) {
  Deno.test(`so does it where a bridge is between, before a server of era ${era}`, async () => {
    const server = era === "modern" ? modernServer() : leavable();
    await using _ = server;
    await before({ only: server }, async (proxy) => {
      if (era === "session") await modern(proxy, "tools/call");
      else {
        const client = await new SessionCaller(proxy).open();
        await client.ask("tools/call", { name: "t" });
      }
      assertEquals(targetsIn(proxy, "request").at(-1), "tools/call only");
    }, { era });
  });
}

Deno.test("R64 R60 what was sent is not sent elsewhere, unless it only reads", async () => {
  const breaking = () => scriptedUpstream((_, to) => to.close());
  await using a = breaking();
  await using b = breaking();
  await using c = answering();
  await before({ a, b, c }, async (proxy) => {
    const all = (method: string) => [a, b, c].map((server) => times(server, method));
    assertEquals((await modern(proxy, "tools/call")).status, 502);
    assertEquals(all("tools/call"), [1, 0, 0]);
    assertEquals((await modern(proxy, "tools/list")).status, 200);
    assertEquals(all("tools/list"), [0, 1, 1]);
    assertEquals((await told(proxy)).retries, { made: 1, refused: 0 });
  }, MODERN);
});

Deno.test("R64 an answer with Retry-After passes, and its target is left alone for so long", async () => {
  await using a = scriptedUpstream((_, to) =>
    to.write(jsonAnswer(RESULT, { "retry-after": "60" }, "503 S"))
  );
  await using b = answering();
  await before({ a, b }, async (proxy) => {
    const first = await modern(proxy, "tools/list");
    assertEquals([first.status, first.headers.get("retry-after")], [503, "60"]);
    for (let count = 0; count < 5; count++) {
      assertEquals((await modern(proxy, "tools/call")).status, 200);
    }
    assertEquals([a.requests.length, b.requests.length], [1, 5]);
  }, MODERN);
});

Deno.test("a client that goes away is not held against the target, and nothing is sent again", async () => {
  const gone: Promise<void>[] = [];
  await using a = scriptedUpstream((_, to) => void gone.push(to.closed));
  await using b = answering();
  await before({ a, b }, async (proxy) => {
    for (let count = 0; count < 3; count++) {
      using client = await RawClient.connect(proxy.origin);
      const body = messages.modern("tools/list");
      const fields = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" };
      await client.write(jsonPost(body, fields));
      await a.received(count);
      client[Symbol.dispose]();
      await gone[count];
      // The next turn is b's.
      assertEquals((await modern(proxy, "tools/list")).status, 200);
    }
    assertEquals([a.requests.length, b.requests.length], [3, 3]);
    const { targets: [told0], retries } = await told(proxy);
    assertEquals([told0.failures, told0.failuresInRow, told0.state], [0, 0, "up"]);
    assertEquals(retries, { made: 0, refused: 0 });
  }, MODERN);
});

Deno.test("beyond the budget for retries a failure is told", async () => {
  await using b = answering();
  const a = await nobody();
  const balance = { retryBudgetPercent: 0, retryMinPerSecond: 0 };
  await before({ a, b }, async (proxy) => {
    const statuses: number[] = [];
    for (let count = 0; count < 4; count++) {
      statuses.push((await modern(proxy, "tools/list")).status);
    }
    assertEquals(statuses, [502, 200, 502, 200]);
    assertEquals((await told(proxy)).retries, { made: 0, refused: 2 });
  }, { ...MODERN, balance });
});

Deno.test("a call that finds all connections to a target in use goes to another, which is no failure", async () => {
  const holding: Promise<void>[] = [];
  const release = Promise.withResolvers<void>();
  await using a = scriptedUpstream(async (_, to) => {
    holding.push(release.promise);
    await release.promise;
    await to.write(jsonAnswer(RESULT));
  });
  await using b = answering();
  await before({ a, b }, async (proxy) => {
    const held = modern(proxy, "tools/call");
    await a.received(0);
    assertEquals((await modern(proxy, "tools/call")).status, 200);
    assertEquals((await modern(proxy, "tools/call")).status, 200);
    assertEquals([a.requests.length, b.requests.length], [1, 2]);
    const { targets } = await told(proxy);
    assertEquals(targets.map(({ failures }: { failures: number }) => failures), [0, 0]);
    release.resolve();
    assertEquals((await held).status, 200);
  }, { ...MODERN, maxConnections: 1, queueTimeoutMs: 20 });
});

Deno.test("where calls only run into deadlines further ones are answered at once, with Retry-After", async () => {
  await using a = scriptedUpstream(() => {});
  const upstreamConfig = {
    ...MODERN,
    headersTimeoutMs: 200,
    health: { breakerTimeouts: 2, breakerMs: 60_000 },
  };
  await withProxy({ upstream: a.url, upstreamConfig }, async (proxy) => {
    for (const status of [504, 504, 503, 503]) {
      const answer = await modern(proxy, "tools/call");
      assertEquals([answer.status, JSON.parse(answer.text).id], [status, 1]);
      const retryAfter = answer.headers.get("retry-after");
      if (status === 503) assertMatch(retryAfter!, /^(60|59)$/);
    }
    await a.received(1);
    assertEquals(a.requests.length, 2);
  });
});

Deno.test("a server's id that is too long with its target in front is refused, and told", async () => {
  const opening = (length: number) =>
    scriptedUpstream((_, to) =>
      to.write(jsonAnswer(messages.initializeResult(), { "mcp-session-id": "x".repeat(length) }))
    );
  await using fits = opening(4_094);
  await using over = opening(4_095);
  for (const [a, wanted] of [[fits, 200], [over, 502]] as const) {
    await before({ a }, async (proxy) => {
      const { status, text } = await postText(proxy.origin, messages.initialize());
      assertEquals(status, wanted);
      if (wanted === 502) assertMatch(JSON.parse(text).error.message, /id that cannot be used/);
    });
  }
  await withProxy({ upstream: over.url }, async (proxy) => {
    assertEquals((await postText(proxy.origin, messages.initialize())).status, 200);
  });
});

const INNER = "7d3e9c1a-1f2b-4c5d-8e9f-0a1b2c3d4e5f";

for (const sessions of ["dedicated", "shared"]) {
  Deno.test(`R77 with targets the ids of a ${sessions} session stay each on its own side`, async () => {
    await using a = scriptedUpstream(async (request, to) => {
      const text = new TextDecoder().decode(request.body);
      if (!text.includes('"id"')) {
        return await to.write("HTTP/1.1 202 A\r\ncontent-length: 0\r\n\r\n");
      }
      const { id, method } = JSON.parse(text);
      const opening = JSON.parse(messages.initializeResult()).result;
      const result = method === "initialize" ? opening : { said: `<${INNER}>` };
      const answer = JSON.stringify({ jsonrpc: "2.0", id, result });
      await to.write(jsonAnswer(answer, { "mcp-session-id": INNER }));
    });
    await before({ a }, async (proxy) => {
      const client = await new SessionCaller(proxy).ready();
      const { text, headers } = await client.ask("tools/call", { name: client.id });
      assertEquals(headers.get("mcp-session-id"), client.id);
      assertEquals(JSON.parse(text).result, { said: `<${client.id}>` });
      const call = a.requests.find((request) => methodOf(request) === "tools/call")!;
      assertEquals(call.field("mcp-session-id"), INNER);
      const { params } = JSON.parse(new TextDecoder().decode(call.body));
      assertEquals(params, { name: INNER });
    }, { sessions });
  });
}

Deno.test("a session from before there were targets, or from when there were, is begun anew", async () => {
  await using a = leavable();
  const folder = await Deno.makeTempDir();
  const config = { dataDir: folder, sessions: { store: "sqlite" } };
  const configs = [{ url: a.url }, balanced(targetsOf({ a })), { url: a.url }];
  try {
    let id = "";
    for (const [at, upstreamConfig] of configs.entries()) {
      await withProxy({ upstreamConfig, config }, async (proxy) => {
        const client = new SessionCaller(proxy);
        if (at === 0) await client.ready();
        else client.id = id;
        assertEquals((await client.ask("tools/call")).status, 200);
        ({ id } = client);
      });
    }
    assertEquals([times(a, "initialize"), times(a, "tools/call")], [3, 3]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
