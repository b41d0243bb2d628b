import { assertEquals } from "@std/assert";
import type { Fault } from "./faults.ts";
import { type StateChange, timesToEject, timesToReadmit, Watch } from "./watch.ts";

function changes(...told: readonly (readonly [state: string, atMs: number])[]): StateChange[] {
  return told.map(([state, atMs]) => ({ route: "/r", target: "a", state, atMs }));
}

const KILL: Fault = { kind: "kill", target: "a", fromMs: 1_000, untilMs: 2_000 };

Deno.test("timesToEject() is the time from a fault to the first other state, if it came before its end", () => {
  const noticed = changes(["up", 0], ["down", 1_200], ["up", 2_300]);
  assertEquals(timesToEject(noticed, [KILL]), { count: 1, p50Ms: 200, maxMs: 200, never: 0 });
  assertEquals(timesToEject(changes(["up", 0]), [KILL]).never, 1);
  assertEquals(timesToEject(changes(["up", 0], ["down", 2_100]), [KILL]).never, 1);
  assertEquals(timesToEject(changes(["returning", 0], ["up", 1_200]), [KILL]).never, 1);
});

Deno.test("timesToReadmit() is the time from the end of a fault, where the target was left alone", () => {
  const noticed = changes(["up", 0], ["down", 1_200], ["returning", 2_300], ["up", 4_000]);
  assertEquals(timesToReadmit(noticed, [KILL]), { count: 1, p50Ms: 300, maxMs: 300, never: 0 });
  assertEquals(timesToReadmit(changes(["up", 0], ["down", 1_200]), [KILL]).never, 1);
  assertEquals(timesToReadmit(changes(["returning", 0], ["up", 2_300]), [KILL]).count, 0);
});

Deno.test("Watch finds the targets in the page of a proxy, and notes changes alone", async () => {
  let state = "up";
  const asked = Promise.withResolvers<void>();
  let asks = 0;
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    if (++asks === 2) state = "down";
    if (asks === 4) asked.resolve();
    const targets = [{ name: "a", state }];
    return Response.json({ routes: [{ route: "/r", targets, retries: { made: 0, refused: 0 } }] });
  });
  const watch = new Watch(`http://127.0.0.1:${server.addr.port}`);
  const over = new AbortController();
  const watching = watch.run(over.signal);
  await asked.promise;
  over.abort();
  await watching;
  assertEquals(watch.changes.map(({ route, target, state }) => [route, target, state]), [
    ["/r", "a", "up"],
    ["/r", "a", "down"],
  ]);
  assertEquals([watch.isTold, watch.isWell], [true, false]);
});
