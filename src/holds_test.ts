import { assertEquals } from "@std/assert";
import { Held, MAX_RETIRED, Retired } from "./holds.ts";

/** One that says when it was closed. */
function held(whenIdle?: () => Promise<void>) {
  const closed: true[] = [];
  const one = new Held("x", () => Promise.resolve(void closed.push(true)), whenIdle);
  return { one, closed };
}

Deno.test("Held closes once, when it is retired, nobody holds it, and nothing is under way", async () => {
  const idle = Promise.withResolvers<void>();
  const { one, closed } = held(() => idle.promise);
  const retired = new Retired(() => {});
  const [first, second] = [one.hold(), one.hold()];
  first();
  first();
  assertEquals([one.holds, one.isClosed], [1, false]);
  retired.add(one);
  second();
  assertEquals([one.isClosed, retired.size], [false, 1]);
  // Somebody who was on the way takes it up again.
  const third = one.hold();
  idle.resolve();
  await idle.promise;
  await Promise.resolve();
  assertEquals(one.isClosed, false);
  third();
  await retired.close();
  assertEquals([one.isClosed, closed.length, retired.size], [true, 1, 0]);
});

Deno.test("Retired keeps so many, cuts the oldest of more, and all when it closes", async () => {
  let cut = 0;
  const retired = new Retired(() => cut++);
  const all = Array.from({ length: MAX_RETIRED + 2 }, () => {
    const { one, closed } = held();
    one.hold();
    retired.add(one);
    return closed;
  });
  assertEquals([retired.size, cut], [MAX_RETIRED, 2]);
  assertEquals(all.map(({ length }) => length), [1, 1, ...Array(MAX_RETIRED).fill(0)]);
  await retired.close();
  assertEquals(all.every(({ length }) => length === 1), true);
});
