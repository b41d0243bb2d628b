/**
 * Programs on stdio that take long to start, as those that npx fetches first: whoever asks them waits.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import * as messages from "../testing/messages.ts";
import * as processes from "../testing/processes.ts";
import { withProxy } from "../testing/proxy.ts";
import { postText } from "../testing/raw_client.ts";
import { SessionCaller } from "../testing/session_caller.ts";

/** Programs wait here until the test lets them go. */
class Gate implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  /** For `stdio_server.ts`. */
  get flag(): string {
    return `waits=${this.#listener.addr.port}`;
  }

  /** The next program that has come so far; what it gives lets it go on. */
  async next(): Promise<() => void> {
    const connection = await this.#listener.accept();
    return () => connection.close();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

function slow(gate: Gate, ...args: readonly string[]) {
  const stdio = {
    ...processes.stdioServer(gate.flag, ...args),
    closeMs: 100,
    startTimeoutMs: 60_000,
  };
  return { upstreamConfig: { stdio, headersTimeoutMs: 1_000 } };
}

Deno.test("startTimeoutMs: initialize waits for a program that is slow to start", async () => {
  using gate = new Gate();
  const clock = new ManualClock();
  await withProxy({ ...slow(gate), clock }, async (proxy) => {
    const opening = new SessionCaller(proxy).ready();
    const letGo = await gate.next();
    clock.advance(30_000);
    letGo();
    assertEquals((await (await opening).ask("about")).status, 200);
  });
});

Deno.test("R66 startTimeoutMs: so does a session whose program has crashed", async () => {
  using gate = new Gate();
  const clock = new ManualClock();
  await withProxy({ ...slow(gate), clock }, async (proxy) => {
    const opening = new SessionCaller(proxy).ready();
    (await gate.next())();
    const caller = await opening;
    assertEquals((await caller.ask("crash")).status, 502);
    const asking = caller.ask("about");
    const letGo = await gate.next();
    clock.advance(30_000);
    letGo();
    assertEquals((await asking).status, 200);
  });
});

Deno.test('stdio, "Backward Compatibility": a modern program that is slow to start is no server of sessions', async () => {
  using gate = new Gate();
  const clock = new ManualClock();
  await withProxy({ ...slow(gate, "modern"), clock }, async ({ origin }) => {
    const fields = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" };
    const asking = postText(origin, messages.modern("tools/list"), fields);
    const letGo = await gate.next();
    clock.advance(30_000);
    // It is tried with `initialize` beside, which shall not be what decides.
    const letOtherGo = await gate.next();
    letGo();
    const { status, text } = await asking;
    letOtherGo();
    assertEquals([status, JSON.parse(text).result.tools], [200, []]);
  });
});

Deno.test("a client with sessions waits for a modern program that is slow to start", async () => {
  using gate = new Gate();
  const clock = new ManualClock();
  await withProxy({ ...slow(gate, "modern"), clock }, async ({ origin }) => {
    const asking = postText(origin, messages.initialize());
    const letGo = await gate.next();
    clock.advance(30_000);
    letGo();
    // That one has no `initialize`; the next one is asked what it speaks.
    const letNextGo = await gate.next();
    clock.advance(30_000);
    const letOtherGo = await gate.next();
    letNextGo();
    const { status, text } = await asking;
    letOtherGo();
    assertEquals([status, JSON.parse(text).result.protocolVersion], [200, "2025-11-25"]);
  });
});
