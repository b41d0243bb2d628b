import { assert, assertEquals } from "@std/assert";
import { Fields } from "../http/mod.ts";
import { Session } from "../session/mod.ts";
import { createLogger } from "../telemetry/mod.ts";
import { settled, tableUnderTest } from "../testing/table_under_test.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import {
  heldBody,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamCall,
} from "../upstream/mod.ts";
import { AbandonedSessions } from "./abandoned.ts";

/** An upstream that is told of ended sessions, and answers when the test says so. */
class Server {
  readonly calls: UpstreamCall[] = [];
  readonly bodies: UpstreamAnswer["body"][] = [];
  underWay = 0;
  #waiting: ((status: number | Error) => void)[] = [];

  terminate = async (call: UpstreamCall): Promise<UpstreamAnswer> => {
    this.calls.push(call);
    this.underWay++;
    const status = await new Promise<number | Error>((resolve) => this.#waiting.push(resolve));
    this.underWay--;
    if (status instanceof Error) throw status;
    const body = heldBody(new TextEncoder().encode("some text"));
    this.bodies.push(body);
    return { status, headers: new Fields(), sessionId: undefined, kind: "other", body };
  };

  /** Answers all that wait now. */
  async answer(status: number | Error = 200): Promise<void> {
    for (const resolve of this.#waiting.splice(0)) resolve(status);
    await settled();
  }
}

function setUp() {
  const server = new Server();
  const logs: string[] = [];
  const sink = { write: (line: string) => void logs.push(line), flush: () => Promise.resolve() };
  const logger = createLogger({
    level: "debug",
    format: "json",
    clock: new ManualClock(),
    sink,
  });
  const abandoned = new AbandonedSessions(logger);
  abandoned.serve("r", server as unknown as Upstream);
  let count = 0;
  const session = (more: { route?: string; revision?: string } = {}) => {
    const record = {
      key: `key-${++count}`,
      route: "r",
      principal: "p",
      state: "open" as const,
      upstreamId: `up-${count}`,
      generation: 0,
      createdMs: 0,
      lastUsedMs: 0,
      subscriptions: [],
      ...more,
    };
    return new Session(`id-${count}`, record, 0);
  };
  return { server, logs, abandoned, session };
}

Deno.test("R82 the upstream is told of an abandoned session by its own id and revision", async () => {
  const { server, abandoned, session, logs } = setUp();
  abandoned.end(session({ revision: "2025-06-18" }));
  abandoned.end(session());
  const told = server.calls.map(({ sessionId, principal, query, headers, signal }) => {
    return [sessionId, principal, query, headers.get("mcp-protocol-version"), signal.aborted];
  });
  assertEquals(told, [["up-1", "p", "", "2025-06-18", false], ["up-2", "p", "", null, false]]);
  await server.answer();
  assertEquals([server.bodies.map(({ ended }) => ended), logs], [[true, true], []]);
});

Deno.test("R82 eight sessions are ended at a time, the others in their turn", async () => {
  const { server, abandoned, session } = setUp();
  for (let count = 0; count < 20; count++) abandoned.end(session());
  assertEquals([server.calls.length, server.underWay], [8, 8]);
  await server.answer();
  assertEquals([server.calls.length, server.underWay], [16, 8]);
  await server.answer();
  await server.answer();
  assertEquals([server.calls.length, server.underWay], [20, 0]);
  assertEquals(new Set(server.calls.map(({ sessionId }) => sessionId)).size, 20);
  abandoned.end(session());
  assertEquals(server.underWay, 1);
  await server.answer();
});

Deno.test("no more than 10,000 sessions wait to be ended", async () => {
  const { server, abandoned, session } = setUp();
  for (let count = 0; count < 10_500; count++) abandoned.end(session());
  while (server.underWay > 0) await server.answer();
  assertEquals(server.calls.length, 10_008);
});

Deno.test("what fails, or is refused, is logged, and the next session has its turn", async () => {
  const { server, abandoned, session, logs } = setUp();
  for (let count = 0; count < 9; count++) abandoned.end(session());
  await server.answer(new Error("connection refused"));
  assertEquals([server.calls.length, logs.length], [9, 8]);
  const line = JSON.parse(logs[0]!);
  assertEquals([line.level, line.session, line.route], ["debug", "key-1", "r"]);
  assert(logs[0]!.includes("connection refused") && !logs[0]!.includes("up-1"));
  // A server that knows the session no more, or lets no client end one, has not failed.
  for (const [status, lines] of [[404, 0], [405, 0], [401, 1], [500, 1]] as const) {
    await server.answer();
    logs.length = 0;
    abandoned.end(session());
    await server.answer(status);
    assertEquals(logs.length, lines, String(status));
    if (lines > 0) assertEquals(JSON.parse(logs[0]!).status, status);
    assert(server.bodies.at(-1)!.ended);
  }
});

Deno.test("a session of a route that is not served any more is passed over", async () => {
  const { server, abandoned, session } = setUp();
  abandoned.end(session({ route: "other" }));
  abandoned.end(session());
  await settled();
  assertEquals(server.calls.length, 1);
  await server.answer();
});

Deno.test("close() forgets those that wait, and takes no more", async () => {
  const { server, abandoned, session } = setUp();
  for (let count = 0; count < 20; count++) abandoned.end(session());
  abandoned.close();
  abandoned.end(session());
  await server.answer();
  assertEquals([server.calls.length, server.underWay], [8, 0]);
});

Deno.test("R82 what the table reaps is told upstream", async () => {
  const { server, abandoned } = setUp();
  const { open, clock, abandoned: reaped } = tableUnderTest();
  await open();
  clock.advance(600_000);
  for (const session of reaped) abandoned.end(session);
  assertEquals(server.calls.map(({ sessionId }) => sessionId), ["up-1"]);
  await server.answer();
});

Deno.test("R82 a server that hangs holds up no other", async () => {
  const { server, abandoned, session } = setUp();
  const other = new Server();
  abandoned.serve("other", other as unknown as Upstream);
  for (let count = 0; count < 20; count++) abandoned.end(session());
  for (let count = 0; count < 9; count++) abandoned.end(session({ route: "other" }));
  assertEquals([server.calls.length, other.calls.length], [8, 8]);
  await other.answer();
  assertEquals([server.calls.length, other.calls.length], [8, 9]);
  await other.answer();
  await server.answer();
  await server.answer();
  await server.answer();
  assertEquals(server.calls.length, 20);
});
