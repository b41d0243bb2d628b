import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { systemClock } from "../clock.ts";
import { deriveKey, makeSecret, MAX_SECRET_CHARACTERS, SealKeyError } from "./seal_key.ts";

const SECRET = "Zr3kQ0v9bX7yT1mJ5hWc8uLs2nPd6gEf";

Deno.test("deriveKey() gives a secret the same key always, and another secret another one", () => {
  const [key, again, other] = [deriveKey(SECRET), deriveKey(SECRET), deriveKey(`${SECRET}.`)];
  assertEquals([key.id, key.key.export().toHex()], [again.id, again.key.export().toHex()]);
  assertNotEquals(key.id, other.id);
  assertNotEquals(key.key.export().toHex(), other.key.export().toHex());
});

Deno.test("deriveKey() is HKDF with SHA-256 (RFC 5869), as WebCrypto has it", async () => {
  const text = new TextEncoder();
  const secret = await crypto.subtle.importKey("raw", text.encode(SECRET), "HKDF", false, [
    "deriveBits",
  ]);
  const derive = async (info: string, bytes: number) => {
    const salt = text.encode("switchyard seal");
    const parameters = { name: "HKDF", hash: "SHA-256", salt, info: text.encode(info) };
    return new Uint8Array(await crypto.subtle.deriveBits(parameters, secret, bytes * 8)).toHex();
  };
  const { id, key } = deriveKey(SECRET);
  assertEquals(key.export().toHex(), await derive("key 1", 32));
  assertEquals(id.toString(16).padStart(8, "0"), await derive("key id 1", 4));
});

Deno.test("a key does not show its bytes when it is printed", () => {
  const key = deriveKey(SECRET);
  const bytes = key.key.export();
  assertEquals(JSON.stringify(key), `{"id":${key.id},"key":{}}`);
  const shown = `${Deno.inspect(key, { depth: 9, showHidden: true })} ${key.key}`;
  const numbers = shown.match(/\d+/g)!.join();
  assert(!numbers.includes(bytes.subarray(0, 8).join()), shown);
  for (const text of [bytes.toHex(), bytes.toBase64(), SECRET]) {
    assert(!shown.includes(text), shown);
  }
});

Deno.test("R76 a secret that is missing, short or plainly not random is refused, with what to do", () => {
  const refused = {
    "": "has only 0 characters",
    [SECRET.slice(1)]: "has only 31 characters",
    [SECRET.repeat(40)]: "has 1280 characters",
    ["changeme".repeat(4)]: "is a shorter text repeated",
    ["changeme".repeat(5).slice(0, 37)]: "is a shorter text repeated",
    [SECRET.slice(0, 16).repeat(2)]: "is a shorter text repeated",
    ["a".repeat(64)]: "is a shorter text repeated",
    ["0123456789abcdef".repeat(4)]: "is a shorter text repeated",
    ["CHANGE_ME-please-change-it-Default-Password"]: "is made of well-known words",
    [`secret${SECRET.slice(6)}`]: "is made of well-known words",
    ["1213141516171121111111111111111112"]: "has only 7 different characters",
  };
  for (const [secret, fault] of Object.entries(refused)) {
    const { message } = assertThrows(() => deriveKey(secret), SealKeyError, fault);
    assert(message.endsWith("make one with: openssl rand -base64 32"), message);
    assert(secret === "" || !message.includes(secret), "the message repeats the secret");
  }
});

Deno.test("secrets in hex, base64 and with a word beside what is random are taken", () => {
  for (let count = 0; count < 1_000; count++) {
    const bytes = systemClock.randomBytes(32);
    deriveKey(bytes.toBase64());
    deriveKey(bytes.toHex());
    deriveKey(bytes.subarray(0, 16).toHex());
    deriveKey(`switchyard-secret-${bytes.toHex()}`);
    deriveKey(makeSecret(systemClock));
  }
  deriveKey(
    Array.from({ length: MAX_SECRET_CHARACTERS / 64 }, () => {
      return systemClock.randomBytes(32).toHex();
    }).join(""),
  );
});

Deno.test("makeSecret() writes 256 random bits", () => {
  const secrets = new Set(Array.from({ length: 1_000 }, () => makeSecret(systemClock)));
  assertEquals(secrets.size, 1_000);
  for (const secret of secrets) assert(/^[A-Za-z0-9_-]{43}$/.test(secret));
});
