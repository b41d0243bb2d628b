import { assert, assertEquals } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { WaitingLines } from "./waiting_lines.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("WaitingLines holds nothing of what is done, also where a line is never empty", async () => {
  const gates: PromiseWithResolvers<void>[] = [];
  const failures: WeakRef<Error>[] = [];
  const lines = new WaitingLines(1_000_000, async (_stream, batch) => {
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    await gate.promise;
    for (const { reject } of batch) {
      const failure = new Error("not kept");
      failures.push(new WeakRef(failure));
      reject(failure);
    }
  });
  const append = () => void lines.enqueue("s", 1, () => []).catch(() => {});
  append();
  for (let done = 0; done < 10; done++) {
    append();
    gates.at(-1)!.resolve();
    await turn();
  }
  collectGarbage();
  await turn();
  collectGarbage();
  assertEquals(failures.length, 10);
  const held = failures.filter((failure) => failure.deref() !== undefined).length;
  assert(held <= 1, `${held} failures are held`);
  gates.at(-1)!.resolve();
  await lines.settled("s");
});
