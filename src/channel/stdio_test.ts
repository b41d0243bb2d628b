import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { systemClock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import { createLogger } from "../telemetry/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as processes from "../testing/processes.ts";
import type { Channel, ChannelEvents } from "./channel.ts";
import { stdioChannel, type StdioOptions } from "./stdio.ts";

interface Answer {
  readonly id: number;
  readonly result: Record<string, unknown>;
}

/** A channel as a session uses it. */
class Opened implements ChannelEvents {
  channel: Channel | undefined;
  readonly ended = Promise.withResolvers<ProxyError | undefined>();
  readonly #answers = new Map<number, PromiseWithResolvers<Answer>>();
  #serial = 0;

  message(text: string): void {
    const answer = JSON.parse(text) as Answer;
    this.#answers.get(answer.id)?.resolve(answer);
  }

  over(failure: ProxyError | undefined): void {
    this.ended.resolve(failure);
  }

  async ask(method: string, params: unknown = {}): Promise<Answer["result"]> {
    const id = ++this.#serial;
    const answer = Promise.withResolvers<Answer>();
    this.#answers.set(id, answer);
    await this.channel!.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    return (await answer.promise).result;
  }
}

function setUp(stdio: ReturnType<typeof processes.stdioServer>, more: Partial<StdioOptions> = {}) {
  const logs: Record<string, unknown>[] = [];
  const sink = {
    write: (line: string) => void logs.push(JSON.parse(line)),
    flush: () => Promise.resolve(),
  };
  const logger = createLogger({ level: "debug", format: "json", clock: systemClock, sink });
  const open = stdioChannel({
    ...stdio,
    maxMessageBytes: 100_000,
    maxPendingBytes: 1_000_000,
    maxProcesses: 2,
    closeMs: 10_000,
    backOff: { initialDelayMs: 1_000, maxDelayMs: 8_000 },
    clock: systemClock,
    logger,
    name: "scripted",
    ...more,
  });
  const start = async () => {
    const opened = new Opened();
    opened.channel = await open(opened, new Fields());
    return opened;
  };
  return { start, logs };
}

Deno.test("a message goes as one line, and the answer comes back", async () => {
  const { start } = setUp(processes.stdioServer());
  const opened = await start();
  assertEquals(await opened.ask("x"), {});
  await opened.channel!.send('{\r\n"jsonrpc": "2.0",\n"method": "y"\n}\n');
  const about = await opened.ask("about");
  assert(processes.runs(about.pid as number));
  await opened.channel!.close();
  assertEquals(await opened.ended.promise, undefined);
  assert(!processes.runs(about.pid as number));
  await opened.channel!.close();
  await assertRejects(() => opened.channel!.send("{}"), ProxyError);
});

Deno.test("a program gets PATH, HOME, LANG and what the config says, and nothing else", async () => {
  const own = processes.stdioServer();
  Deno.env.set("SWITCHYARD_SESSION_KEYS", "secret");
  try {
    const { start } = setUp({
      ...own,
      env: { ...own.env, ADDED: "1" },
      cwd: "/",
      args: [
        ...own.args.slice(0, 3),
        own.cwd + own.args[3],
      ],
    });
    const opened = await start();
    const { env, cwd } = await opened.ask("about") as { env: Record<string, string>; cwd: string };
    assertEquals([cwd, env.ADDED, env.PATH], ["/", "1", Deno.env.get("PATH")]);
    const known = new Set(["PATH", "HOME", "LANG", "ADDED", ...Object.keys(own.env)]);
    assertEquals(Object.keys(env).filter((name) => !known.has(name)), []);
    await opened.channel!.close();
  } finally {
    Deno.env.delete("SWITCHYARD_SESSION_KEYS");
  }
});

Deno.test("what is no message on stdout, and stderr, is logged in part and passed over", async () => {
  const { start, logs } = setUp(processes.stdioServer());
  const opened = await start();
  assertEquals(await opened.ask("noise"), {});
  await opened.channel!.close();
  const told = logs.map(({ level, message, text }) => [level, message, String(text).length]);
  const noMessage = "an upstream server wrote what is no message to stdout";
  const noText = "an upstream server wrote what is no UTF-8 to stdout";
  const stderr = "an upstream server wrote to stderr";
  assertEquals(
    told.toSorted(),
    [
      ["info", stderr, 5],
      ["info", stderr, 1_025],
      ["warn", noMessage, 18],
      ["warn", noMessage, 12],
      ["warn", noText, 3],
    ].toSorted(),
  );
});

Deno.test("a line over the cap ends the channel with an error", async () => {
  const { start } = setUp(processes.stdioServer());
  const opened = await start();
  assertEquals(await opened.ask("large", { bytes: 90_000 }) as unknown, "x".repeat(90_000));
  opened.ask("large", { bytes: 100_000 });
  const failure = await opened.ended.promise;
  assertEquals(failure?.kind, "upstream_protocol");
  await opened.channel!.close();
});

Deno.test("a program that crashes ends the channel, and says how", async () => {
  const { start } = setUp(processes.stdioServer());
  const opened = await start();
  opened.ask("crash");
  const failure = await opened.ended.promise;
  assertEquals(failure?.kind, "upstream_closed");
  assertStringIncludes(failure!.message, "code 3");
  await opened.channel!.close();
});

Deno.test("a program that ignores the end of stdin and SIGTERM is killed", async () => {
  const { start } = setUp(processes.stdioServer("stubborn"), { closeMs: 100 });
  const opened = await start();
  const { pid } = await opened.ask("about");
  await opened.channel!.close();
  assert(!processes.runs(pid as number));
});

Deno.test("what a program has started ends with it", async () => {
  const { start } = setUp(processes.stdioServer("nested", "stubborn"), { closeMs: 100 });
  const opened = await start();
  const { pid, parent } = await opened.ask("about") as { pid: number; parent: number };
  assert(processes.runs(pid) && processes.runs(parent));
  await opened.channel!.close();
  await processes.noneLeft(() => [pid, parent].filter(processes.runs));
});

Deno.test("processes are capped, those that are ending included", async () => {
  const { start } = setUp(processes.stdioServer(), { maxProcesses: 1 });
  const opened = await start();
  const error = await assertRejects(start, ProxyError);
  assertEquals(error.kind, "upstream_saturated");
  const closing = opened.channel!.close();
  await assertRejects(start, ProxyError);
  await closing;
  await (await start()).channel!.close();
});

Deno.test("starts that fail are upstream_unreachable, and are not tried again at once", async () => {
  const clock = new ManualClock();
  const bytes = Uint8Array.of(255);
  clock.randomBytes = () => bytes;
  const { start, logs } = setUp({ ...processes.stdioServer(), command: "/no/such/program" }, {
    clock,
  });
  const tries = async () => {
    const error = await assertRejects(start, ProxyError);
    assertEquals([error.kind, error.retrySafe], ["upstream_unreachable", true]);
    return logs.length;
  };
  assertEquals([await tries(), await tries()], [1, 1]);
  clock.advance(999);
  assertEquals(await tries(), 2);
  clock.advance(1_000);
  assertEquals(await tries(), 2);
  clock.advance(1_000);
  assertEquals(await tries(), 3);
  for (let n = 0; n < 40; n++) {
    clock.advance(8_000);
    await tries();
  }
  assertEquals(logs.length, 43);
});

Deno.test("a program that ends before its first message has failed to start", async () => {
  const { start } = setUp(processes.stdioServer("gone"), {
    backOff: { initialDelayMs: 1_000_000, maxDelayMs: 1_000_000 },
    // By chance the wait may be 0, once in 256 times.
    clock: { ...systemClock, randomBytes: (length) => new Uint8Array(length).fill(255) },
  });
  const opened = await start();
  assertStringIncludes((await opened.ended.promise)!.message, "code 4");
  await opened.channel!.close();
  const error = await assertRejects(start, ProxyError);
  assertEquals(error.kind, "upstream_unreachable");
});

Deno.test("what a program does not read is bounded", async () => {
  const { start } = setUp({ ...processes.stdioServer(), command: "sleep", args: ["1000"] }, {
    maxPendingBytes: 300_000,
    closeMs: 50,
  });
  const opened = await start();
  const sending = [1, 2].map(() => opened.channel!.send("x".repeat(140_000)));
  const failed = sending.map((one) => assertRejects(() => one, ProxyError));
  const error = await assertRejects(() => opened.channel!.send("x".repeat(140_000)), ProxyError);
  assertEquals([error.kind, error.retrySafe], ["upstream_saturated", true]);
  await opened.channel!.close();
  await Promise.all(failed);
});

Deno.test("R49 nothing is told between pause and resume", async () => {
  const { start } = setUp(processes.stdioServer());
  const opened = await start();
  await opened.ask("x");
  opened.channel!.pause();
  let told = false;
  const asking = opened.ask("about").then(() => told = true);
  // The answer stands in the pipe when the next process has come and gone.
  const other = await start();
  await other.ask("x");
  await other.channel!.close();
  assertEquals(told, false);
  opened.channel!.resume();
  await asking;
  await opened.channel!.close();
});
