import { assertEquals } from "@std/assert";
import { Waiting } from "./waiting.ts";

function waitingFor(maxWaitingMessages: number, maxWaitingCharacters: number) {
  const dropped: string[] = [];
  const waiting = new Waiting(
    { maxWaitingMessages, maxWaitingCharacters },
    (name) => void dropped.push(name),
  );
  return { waiting, dropped };
}

Deno.test("Waiting gives what waits once, the oldest first", () => {
  const { waiting, dropped } = waitingFor(10, 100);
  for (const text of ["a", "b"]) waiting.add(text, `name of ${text}`);
  assertEquals([waiting.size, waiting.take(), waiting.take(), waiting.size], [
    2,
    ["a", "b"],
    [],
    0,
  ]);
  assertEquals(dropped, []);
});

Deno.test("Waiting lets the oldest go where there are too many messages, or characters", () => {
  const { waiting, dropped } = waitingFor(2, 5);
  for (const text of ["a", "b", "c"]) waiting.add(text, text);
  assertEquals(dropped, ["a"]);
  waiting.add("ddddd", "d");
  assertEquals([dropped, waiting.take()], [["a", "b", "c"], ["ddddd"]]);
  waiting.add("eeeee", "e");
  waiting.add("ffffff", "f");
  assertEquals([dropped, waiting.size], [["a", "b", "c", "e", "f"], 0]);
});

Deno.test("Waiting lets all of them go, and tells of each by its name", () => {
  const { waiting, dropped } = waitingFor(10, 2);
  for (const text of ["a", "b"]) waiting.add(text, `name of ${text}`);
  waiting.drop();
  assertEquals([dropped, waiting.size], [["name of a", "name of b"], 0]);
  waiting.add("cc", "c");
  assertEquals([dropped.length, waiting.size], [2, 1]);
});
