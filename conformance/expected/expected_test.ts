import { assertEquals, assertThrows } from "@std/assert";
import { ExpectedFailuresError, isExpected, parseExpected, unknownIds } from "./mod.ts";

const KNOWN = {
  checks: ["answer.status", "events.order"],
  cases: ["answer.status", "fixtures/2024-11-05/ping", "fixtures/2024-11-05/echo"],
};

function file(...failures: unknown[]): string {
  return JSON.stringify({ target: "a proxy", failures });
}

Deno.test("parseExpected() tells every problem with its path", () => {
  const text = file({ check: "a", reason: "" }, { reason: "b" }, { check: "a", why: 1 });
  const error = assertThrows(() => parseExpected("x.json", text), ExpectedFailuresError);
  assertEquals(error.message.split("\n").map((line) => line.split(": ").slice(0, 2).join(": ")), [
    "x.json: failures.0.reason",
    "x.json: failures.1",
    "x.json: failures.2.reason",
    "x.json: failures.2",
  ]);
  assertThrows(() => parseExpected("x.json", "{"), ExpectedFailuresError, "x.json: ");
});

Deno.test("unknownIds() finds checks and cases that do not exist, and names near ones", () => {
  const expected = parseExpected(
    "x.json",
    file(
      { check: "answer.state", reason: "r" },
      { case: "fixtures/2024-11-05/pong", reason: "r" },
      { case: "fixtures/2023/*", check: "events.order", reason: "r" },
      { case: "fixtures/2024-11-05/*", reason: "r" },
    ),
  );
  assertEquals(unknownIds(expected, KNOWN), [
    'failures.0.check: there is no "answer.state"; did you mean answer.status?',
    'failures.1.case: there is no "fixtures/2024-11-05/pong"; did you mean fixtures/2024-11-05/ping?',
    'failures.2.case: there is no "fixtures/2023/*"; did you mean fixtures/2024-11-05/ping?',
  ]);
});

Deno.test("isExpected() goes by check, by case, or by both", () => {
  const ping = "fixtures/2024-11-05/ping";
  const cases: [object, boolean][] = [
    [{ check: "events.order" }, true],
    [{ check: "answer.status" }, false],
    [{ case: ping }, true],
    [{ case: "fixtures/2024-11-05/*" }, true],
    [{ case: "fixtures/2024-11-05" }, false],
    [{ case: ping, check: "events.order" }, true],
    [{ case: ping, check: "answer.status" }, false],
    [{ case: "fixtures/2024-11-05/echo", check: "events.order" }, false],
  ];
  for (const [failure, wanted] of cases) {
    const is = isExpected({ reason: "r", ...failure }, "events.order", ping);
    assertEquals(is, wanted, JSON.stringify(failure));
  }
});
