import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { Attachment, HIGH_WATER_BYTES } from "./attachment.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const broken = () => new ProxyError("upstream_closed", "broken");

function setUp() {
  const told: string[] = [];
  const attachment: Attachment = new Attachment({
    left: () => told.push("left"),
    drained: () => told.push("drained"),
  });
  attachment.whenOver(() => told.push("over"));
  return { attachment, told };
}

Deno.test("what is pushed is handed out in order, to a client that waits at once", async () => {
  const { attachment, told } = setUp();
  attachment.push(bytes("a"));
  attachment.push(bytes("b"));
  assertEquals(attachment.next(), [bytes("a"), bytes("b")]);
  const coming = attachment.next();
  attachment.push(bytes(""));
  attachment.push(bytes("c"));
  attachment.push(bytes("d"));
  assertEquals(await coming, [bytes("c")]);
  assertEquals(attachment.next(), [bytes("d")]);
  assertEquals(told, ["drained", "drained", "drained"]);
});

Deno.test("R49 it is full from its high-water mark on until the client takes what waits", () => {
  const { attachment } = setUp();
  attachment.push(new Uint8Array(HIGH_WATER_BYTES - 1));
  assertEquals(attachment.full, false);
  attachment.push(bytes("a"));
  assertEquals(attachment.full, true);
  attachment.next();
  assertEquals(attachment.full, false);
});

Deno.test("taken is the number of the newest event that the client has, not of one that waits", async () => {
  const { attachment } = setUp();
  attachment.push(bytes("a"), 1);
  attachment.push(bytes("b"), 2);
  assertEquals(attachment.taken, 0);
  attachment.next();
  assertEquals(attachment.taken, 2);
  attachment.push(bytes(": c"));
  attachment.next();
  const coming = attachment.next();
  assertEquals(attachment.taken, 2);
  attachment.push(bytes("d"), 3);
  assertEquals(attachment.taken, 3);
  await coming;
});

Deno.test("finish() is a clean end behind what waits, and for a client that waits at once", async () => {
  const { attachment, told } = setUp();
  attachment.push(bytes("a"), 1);
  attachment.finish();
  attachment.finish(broken());
  attachment.push(bytes("b"), 2);
  assertEquals([attachment.ended, attachment.next(), attachment.ended], [
    false,
    [bytes("a")],
    true,
  ]);
  assertEquals([attachment.next(), attachment.taken, told], [null, 1, ["over", "drained"]]);
  const other = setUp().attachment;
  const coming = other.next();
  other.finish();
  assertEquals([await coming, other.ended], [null, true]);
});

Deno.test("R59 finish() with a failure is a truncation behind what waits", async () => {
  const { attachment } = setUp();
  attachment.push(bytes("a"));
  attachment.finish(broken());
  assertEquals(attachment.next(), [bytes("a")]);
  assertThrows(() => attachment.next(), ProxyError, "broken");
  assertEquals(attachment.ended, false);
  const other = setUp().attachment;
  const coming = Promise.resolve(other.next());
  other.finish(broken());
  await assertRejects(() => coming, ProxyError, "broken");
});

Deno.test("R54 discard() tells once that the client has left, and lets go of what waits", async () => {
  const { attachment, told } = setUp();
  attachment.push(new Uint8Array(HIGH_WATER_BYTES));
  attachment.discard();
  attachment.discard();
  assertEquals([attachment.full, attachment.next(), told], [false, null, ["over", "left"]]);
  const waiting = setUp();
  const coming = waiting.attachment.next();
  waiting.attachment.discard();
  assertEquals([await coming, waiting.told], [null, ["drained", "over", "left"]]);
});

Deno.test("R68 end() ends it cleanly as if the client had left, behind what waits", () => {
  const { attachment, told } = setUp();
  attachment.push(bytes("a"));
  attachment.end();
  attachment.end();
  assertEquals([attachment.next(), attachment.next()], [[bytes("a")], null]);
  assertEquals(told, ["over", "left", "drained"]);
});

Deno.test("whenOver() calls back at once when it is over already", () => {
  const { attachment } = setUp();
  attachment.finish();
  let calls = 0;
  attachment.whenOver(() => calls++);
  assertEquals(calls, 1);
});

Deno.test("R52 it is quiet when nothing was pushed since the last look and nothing waits", async () => {
  const { attachment } = setUp();
  assertEquals(attachment.quiet(), true);
  attachment.push(bytes("a"));
  assertEquals([attachment.quiet(), attachment.quiet()], [false, false]);
  attachment.next();
  assertEquals(attachment.quiet(), true);
  const coming = attachment.next();
  attachment.push(bytes("b"));
  assertEquals([attachment.quiet(), attachment.quiet()], [false, true]);
  await coming;
});
