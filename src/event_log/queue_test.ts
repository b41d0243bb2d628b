import { assertEquals } from "@std/assert";
import { Queue } from "./queue.ts";

Deno.test("a queue gives what an array gives", () => {
  const queue = new Queue<number>();
  const model: number[] = [];
  // It grows to 500, empties, and grows again.
  for (let step = 0; step < 4_000; step++) {
    if (step % 2_000 < 750 || (step % 3 === 0 && step % 2_000 < 1_500)) {
      queue.push(step);
      model.push(step);
    } else if (model.length > 0) {
      queue.shift();
      model.shift();
    }
    assertEquals(queue.length, model.length);
    for (const index of [0, 1, model.length - 1, model.length]) {
      assertEquals(queue.at(index), model[index]);
    }
  }
});

Deno.test("a queue that stays short keeps nothing of what went through it", () => {
  const queue = new Queue<WeakKey>();
  for (let count = 0; count < 100_000; count++) {
    queue.push({});
    if (count >= 10) queue.shift();
  }
  assertEquals(queue.length, 10);
});
