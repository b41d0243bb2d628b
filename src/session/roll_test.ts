import { assertEquals } from "@std/assert";
import type { SessionRecord } from "./record.ts";
import { Roll } from "./roll.ts";
import { Session } from "./session.ts";

function session(number: number): Session {
  const record: SessionRecord = {
    key: `${number}`,
    route: "/mcp",
    principal: "anonymous",
    state: "open",
    upstreamId: "inner",
    generation: 0,
    createdMs: 0,
    lastUsedMs: 0,
    subscriptions: [],
  };
  return new Session(`id of ${number}`, record, 0);
}

function rollOf(count: number) {
  const roll = new Roll();
  const sessions = Array.from({ length: count }, (_, number) => session(number));
  for (const one of sessions) roll.add(one);
  return { roll, sessions };
}

const keys = (sessions: readonly Session[]) => sessions.map(({ key }) => Number(key));

Deno.test("pages give every session once, in the order in which they came", () => {
  const { roll, sessions } = rollOf(25);
  const seen: Session[] = [];
  for (let page = roll.page(10); page.length > 0; page = roll.page(10, page.at(-1))) {
    seen.push(...page);
  }
  assertEquals(keys(seen), keys(sessions));
  assertEquals(keys(new Roll().page(10)), []);
});

Deno.test("those that go leave no gap and hold nothing, wherever they stood", () => {
  const { roll, sessions } = rollOf(5);
  for (const gone of [0, 2, 4]) roll.remove(sessions[gone]!);
  assertEquals(keys(roll.page(10)), [1, 3]);
  assertEquals([sessions[2]!.cameBefore, sessions[2]!.cameAfter], [undefined, undefined]);
  roll.add(sessions[0]!);
  assertEquals(keys(roll.page(10)), [1, 3, 0]);
  for (const left of [1, 3, 0]) roll.remove(sessions[left]!);
  assertEquals(keys(roll.page(10)), []);
  roll.add(sessions[4]!);
  assertEquals(keys(roll.page(10)), [4]);
});

Deno.test("a page behind one that has come back goes on from where that stands now", () => {
  const { roll, sessions } = rollOf(3);
  roll.remove(sessions[0]!);
  roll.add(sessions[0]!);
  assertEquals(keys(roll.page(10, sessions[2]!)), [0]);
  assertEquals(keys(roll.page(10, sessions[0]!)), []);
});
