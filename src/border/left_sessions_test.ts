/**
 * R82: what is left of sessions that have ended.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";

Deno.test("R82 100,000 abandoned sessions: the memory is back within 5 % after the reaper", async () => {
  const script = new URL("../testing/left_sessions.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-P=test", "--frozen", "--v8-flags=--expose-gc", script],
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(code, 0, text(stderr));
  const { left, closed, ...rest } = JSON.parse(text(stdout));
  assertEquals(rest, { timers: 0, opened: 102_000, ended: 102_000 });
  // Sessions that were left behind, and sessions of as many principals that were closed.
  for (const [before, after] of [left, closed]) {
    assert(after < 1.05 * before, `${before} bytes before, ${after} after`);
  }
});
