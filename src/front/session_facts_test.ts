import { assertEquals } from "@std/assert";
import { sessionTable } from "../testing/session_table.ts";
import { wholeAnswer } from "../testing/upstream_answer.ts";
import {
  learn,
  learnInitialized,
  MAX_KEPT_SUBSCRIPTIONS,
  MAX_KEPT_URI_CHARACTERS,
} from "./session_facts.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const ERROR = '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}';

async function taught() {
  const table = sessionTable();
  const session = await table.open();
  return {
    session,
    /** Has a request answered, and read. */
    ask(method: string, params: Record<string, unknown> = {}, text = RESULT, status = 200) {
      const answer = wholeAnswer({ status }, text);
      const message = { kind: "request" as const, method, params };
      learn(table.sessions, session, message, answer);
      answer.body.discard();
      return session.record;
    },
    /** Has a notification accepted. */
    tell(method: string, status = 202) {
      const message = {
        kind: "notification" as const,
        method,
        params: { uri: "a", level: "info" },
      };
      learn(table.sessions, session, message, wholeAnswer({ status }, RESULT));
      return session.record;
    },
    learnInitialized: (text: string) =>
      learnInitialized(table.sessions, session, wholeAnswer({}, text)),
    [Symbol.dispose]: table[Symbol.dispose],
  };
}

Deno.test("R66 learn() keeps what is subscribed, once, until it is unsubscribed", async () => {
  using student = await taught();
  for (const uri of ["a", "b", "b", ""]) student.ask("resources/subscribe", { uri });
  assertEquals(student.session.record.subscriptions, ["a", "b", ""]);
  assertEquals(student.ask("resources/unsubscribe", { uri: "a" }).subscriptions, ["b", ""]);
  assertEquals(student.ask("resources/unsubscribe", { uri: "x" }).subscriptions, ["b", ""]);
});

Deno.test("R66 learn() keeps nothing of what was refused, or is no such request", async () => {
  using student = await taught();
  const before = student.session.record;
  const uri = { uri: "a" };
  student.ask("resources/subscribe", uri, ERROR);
  student.ask("resources/subscribe", uri, RESULT, 400);
  student.ask("resources/subscribe", uri, RESULT, 300);
  student.ask("resources/subscribe", { uri: 7 });
  student.ask("resources/subscribe");
  student.ask("resources/read", uri);
  student.ask("constructor", uri);
  student.ask("logging/setLevel", { level: "info" }, ERROR);
  student.ask("logging/setLevel", { level: 7 });
  student.ask("logging/setLevel", { level: "x".repeat(33) });
  student.tell("resources/subscribe");
  student.tell("logging/setLevel");
  student.tell("notifications/initialized", 400);
  assertEquals(student.session.record, before);
});

Deno.test("R66 learn() keeps the last level, and that the client was ready", async () => {
  using student = await taught();
  student.ask("logging/setLevel", { level: "info" });
  assertEquals(student.ask("logging/setLevel", { level: "debug" }).logLevel, "debug");
  assertEquals(student.session.record.state, "initialising");
  assertEquals(student.tell("notifications/initialized").state, "open");
});

Deno.test("R66 learn() keeps a bounded number of subscriptions", async () => {
  using student = await taught();
  for (let at = 0; at <= MAX_KEPT_SUBSCRIPTIONS; at++) {
    student.ask("resources/subscribe", { uri: String(at) });
  }
  assertEquals(student.session.record.subscriptions.length, MAX_KEPT_SUBSCRIPTIONS);
  student.ask("resources/unsubscribe", { uri: "0" });
  assertEquals(student.ask("resources/subscribe", { uri: "last" }).subscriptions.at(-1), "last");
});

Deno.test("R66 learn() keeps a bounded number of characters of subscriptions", async () => {
  using student = await taught();
  const half = MAX_KEPT_URI_CHARACTERS / 2;
  const lengths = () => student.session.record.subscriptions.map(({ length }) => length);
  student.ask("resources/subscribe", { uri: "a".repeat(MAX_KEPT_URI_CHARACTERS + 1) });
  assertEquals(lengths(), []);
  student.ask("resources/subscribe", { uri: "a".repeat(half) });
  student.ask("resources/subscribe", { uri: "b".repeat(half + 1) });
  student.ask("resources/subscribe", { uri: "b".repeat(half) });
  student.ask("resources/subscribe", { uri: "c" });
  assertEquals(lengths(), [half, half]);
});

Deno.test("learnInitialized() keeps the revision of a result, of a sane length", async () => {
  const answer = (protocolVersion: unknown) => JSON.stringify({ result: { protocolVersion } });
  using student = await taught();
  for (const text of [ERROR, answer(7), answer("x".repeat(65)), "{}"]) {
    student.learnInitialized(text);
    assertEquals(student.session.revision, undefined);
  }
  using other = await taught();
  const { session } = other;
  other.learnInitialized(answer("2025-11-25"));
  assertEquals([session.revision, session.record.changingLists], ["2025-11-25", []]);
  const capabilities = { tools: { listChanged: true }, prompts: { listChanged: false } };
  other.learnInitialized(JSON.stringify({ result: { protocolVersion: "1", capabilities } }));
  assertEquals(session.record.changingLists, ["tools"]);
});
