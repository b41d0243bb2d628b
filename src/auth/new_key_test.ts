import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { systemClock } from "../clock.ts";
import { hashOfKey, newKey } from "./new_key.ts";

Deno.test("newKey() is sy_ and 43 characters of base64url, from 32 random bytes", () => {
  const asked: number[] = [];
  const bytes = (length: number) => {
    asked.push(length);
    return new Uint8Array(length).fill(0xff);
  };
  assertEquals(newKey(bytes), `sy_${"_".repeat(42)}8`);
  assertEquals(asked, [32]);
  const [one, other] = [newKey(systemClock.randomBytes), newKey(systemClock.randomBytes)];
  assertMatch(one, /^sy_[A-Za-z0-9_-]{43}$/);
  assertNotEquals(one, other);
});

Deno.test("hashOfKey() is SHA-256 in lower-case hex", () => {
  // FIPS 180-4, the example of one block.
  const wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assertEquals(hashOfKey("abc"), wanted);
});
