import { assertEquals } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { heldBody } from "./held_body.ts";

const BYTES = new Uint8Array([1, 2, 3]);

Deno.test("heldBody() is read whole, or as a stream of one piece", async () => {
  assertEquals(heldBody(BYTES).wholeNow(3), BYTES);
  assertEquals(await heldBody(BYTES).bytesWithin(3), BYTES);
  const body = heldBody(BYTES);
  assertEquals([body.ended, body.next(), body.ended, body.next()], [false, [BYTES], true, null]);
});

Deno.test("heldBody() over the bound is not read whole, but streamed from its first byte", async () => {
  const body = heldBody(BYTES);
  assertEquals([body.wholeNow(2), await body.bytesWithin(2)], [undefined, null]);
  assertEquals(body.next(), [BYTES]);
});

Deno.test("heldBody() of nothing ends at once", async () => {
  assertEquals(heldBody(new Uint8Array()).next(), null);
  assertEquals(heldBody(new Uint8Array()).wholeNow(0), new Uint8Array());
  assertEquals(await heldBody(new Uint8Array()).bytesWithin(0), new Uint8Array());
});

Deno.test("heldBody() is over once, however it ends, and tells so late comers at once", () => {
  const ends: ((body: ReturnType<typeof heldBody>) => unknown)[] = [
    (body) => body.wholeNow(3),
    (body) => body.next(),
    (body) => body.end(),
    (body) => body.discard(),
  ];
  for (const end of ends) {
    const body = heldBody(BYTES);
    const told: string[] = [];
    body.whenOver(() => told.push("early"));
    assertEquals(told, []);
    end(body);
    body.discard();
    body.whenOver(() => told.push("late"));
    assertEquals(told, ["early", "late"]);
    assertEquals(body.next(), null);
  }
});

Deno.test("heldBody() cannot break off any more", () => {
  const body = heldBody(BYTES);
  body.breakOff(new ProxyError("upstream_closed", "broken"));
  assertEquals(body.next(), [BYTES]);
});

Deno.test("heldBody() shows its bytes to all who tap it before its reader has them, once", () => {
  const body = heldBody(BYTES);
  const seen: string[] = [];
  body.tap((bytes) => seen.push(`first ${bytes}`));
  body.tap((bytes) => seen.push(`second ${bytes}`));
  body.whenOver(() => seen.push("over"));
  body.next();
  body.next();
  assertEquals(seen, ["first 1,2,3", "second 1,2,3", "over"]);
  const given = heldBody(BYTES);
  given.tap(() => seen.push("given up"));
  given.discard();
  assertEquals(seen.length, 3);
});
