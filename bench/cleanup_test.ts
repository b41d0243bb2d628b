import { assertEquals, assertRejects } from "@std/assert";
import { Cleanup } from "./cleanup.ts";

Deno.test("Cleanup undoes last first, once, and goes on past a failure", async () => {
  const cleanup = new Cleanup();
  const undone: string[] = [];
  await cleanup.add(() => {
    undone.push("first");
  });
  await cleanup.add(() => Promise.reject(new Error("stuck")));
  await cleanup.add(() => {
    undone.push("last");
  });
  await Promise.all([cleanup.run(), cleanup.run()]);
  assertEquals(undone, ["last", "first"]);
});

Deno.test("Cleanup undoes at once what is registered after the end has begun", async () => {
  const cleanup = new Cleanup();
  await cleanup.run();
  let undone = false;
  await assertRejects(() =>
    cleanup.add(() => {
      undone = true;
    })
  );
  assertEquals(undone, true);
});
