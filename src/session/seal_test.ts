import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { systemClock } from "../clock.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import {
  MAX_BINDING_CHARACTERS,
  MAX_PAYLOAD_BYTES,
  MAX_SEAL_KEYS,
  MAX_TOKEN_CHARACTERS,
  Sealer,
} from "./seal.ts";
import { deriveKey, makeSecret, type SealKey, SealKeyError } from "./seal_key.ts";

const BASE64URL = { alphabet: "base64url", omitPadding: true } as const;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const PAYLOAD = new TextEncoder().encode("what is sealed");
const HEAD_BYTES = 17;

const [KEY, OTHER_KEY, THIRD_KEY] = [randomKey(), randomKey(), randomKey()];
const SEALER = new Sealer([KEY], systemClock);

function randomKey(): SealKey {
  return deriveKey(makeSecret(systemClock));
}

function bytesOf(token: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(token, { alphabet: "base64url" });
}

/** The additional authenticated data of a token, written down a second time. */
function associatedData(
  token: Uint8Array,
  purpose: string,
  binding: string,
): Uint8Array<ArrayBuffer> {
  const framed = [purpose, binding].flatMap((text) => {
    const bytes = new TextEncoder().encode(text);
    return [0, 0, bytes.length >> 8, bytes.length & 0xff, ...bytes];
  });
  return Uint8Array.from([...token.subarray(0, HEAD_BYTES), ...framed]);
}

async function webCrypto(key: SealKey, token: Uint8Array, purpose: string, binding: string) {
  const raw = Uint8Array.from(key.key.export());
  return {
    key: await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]),
    parameters: {
      name: "AES-GCM",
      iv: Uint8Array.from(token.subarray(5, HEAD_BYTES)),
      additionalData: associatedData(token, purpose, binding),
      tagLength: 128,
    },
  };
}

Deno.test("a token opens to what was sealed, of any length that it may have", () => {
  for (const length of [0, 1, 2, 3, 15, 16, 17, 1_000, MAX_PAYLOAD_BYTES]) {
    const payload = systemClock.randomBytes(length);
    const token = SEALER.seal("test", "bind", payload);
    assert(/^[\x21-\x7e]+$/.test(token));
    assert(token.length <= MAX_TOKEN_CHARACTERS);
    assertEquals(SEALER.open("test", "bind", token), payload);
  }
});

Deno.test("a token is version, key id, nonce, ciphertext and tag, and WebCrypto opens it", async () => {
  const token = bytesOf(SEALER.seal("tést", "bind", PAYLOAD));
  assertEquals(token.length, 1 + 4 + 12 + PAYLOAD.length + 16);
  assertEquals([token[0], new DataView(token.buffer).getUint32(1)], [1, KEY.id]);
  const { key, parameters } = await webCrypto(KEY, token, "tést", "bind");
  const opened = await crypto.subtle.decrypt(parameters, key, token.subarray(HEAD_BYTES));
  assertEquals(new Uint8Array(opened), PAYLOAD);
});

/** A token made without the sealer. */
async function sealedByWebCrypto(version: number, binding: string, payload: BufferSource) {
  const head = systemClock.randomBytes(HEAD_BYTES);
  head[0] = version;
  new DataView(head.buffer).setUint32(1, KEY.id);
  const { key, parameters } = await webCrypto(KEY, head, "test", binding);
  const sealed = new Uint8Array(await crypto.subtle.encrypt(parameters, key, payload));
  return Uint8Array.from([...head, ...sealed]).toBase64(BASE64URL);
}

Deno.test("what WebCrypto seals opens, but for another version", async () => {
  const open = async (version: number) =>
    SEALER.open("test", "bínd", await sealedByWebCrypto(version, "bínd", PAYLOAD));
  assertEquals(await open(1), PAYLOAD);
  assertEquals(await open(0), undefined);
  assertEquals(await open(2), undefined);
});

Deno.test("R74 a token with any byte changed, left out or put in does not open", () => {
  const token = bytesOf(SEALER.seal("test", "bind", PAYLOAD));
  const open = (bytes: Iterable<number>) =>
    SEALER.open("test", "bind", Uint8Array.from(bytes).toBase64(BASE64URL));
  assertEquals(open(token), PAYLOAD);
  for (let at = 0; at < token.length; at++) {
    for (const mask of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
      assertEquals(open(token.map((byte, i) => i === at ? byte ^ mask : byte)), undefined);
    }
    assertEquals(open([...token.subarray(0, at), ...token.subarray(at + 1)]), undefined);
    assertEquals(open([...token.subarray(0, at), 0, ...token.subarray(at)]), undefined);
    assertEquals(open(token.subarray(0, at)), undefined);
  }
  assertEquals(open([...token, 0]), undefined);
});

Deno.test("R72 a token opens for its purpose and its binding alone", () => {
  const token = SEALER.seal("test", "alice", PAYLOAD);
  assertEquals(SEALER.open("test", "alice", token), PAYLOAD);
  for (const binding of ["bob", "", "alic", "alice ", "Alice", "alice\0"]) {
    assertEquals(SEALER.open("test", binding, token), undefined);
  }
  for (const purpose of ["", "tes", "test2", "Test"]) {
    assertEquals(SEALER.open(purpose, "alice", token), undefined);
  }
});

Deno.test("purpose and binding are told apart, wherever one ends and the other begins", () => {
  const texts = ["", "a", "ab", "abc", "\0\0\0\x01a", "a\0\0\0\x01", "é", "e\u0301", "\ufffd"];
  for (const purpose of texts) {
    for (const binding of texts) {
      const token = SEALER.seal(purpose, binding, PAYLOAD);
      for (const otherPurpose of texts) {
        for (const otherBinding of texts) {
          const same = purpose === otherPurpose && binding === otherBinding;
          const opened = SEALER.open(otherPurpose, otherBinding, token);
          assertEquals(opened, same ? PAYLOAD : undefined);
        }
      }
    }
  }
});

Deno.test("a binding that has no encoding of its own, or is too long, is refused", () => {
  const token = SEALER.seal("test", "\ufffd", PAYLOAD);
  for (const binding of ["\ud800", "x\udfff", "x".repeat(MAX_BINDING_CHARACTERS + 1)]) {
    assertThrows(() => SEALER.seal("test", binding, PAYLOAD), RangeError);
    assertThrows(() => SEALER.seal(binding, "bind", PAYLOAD), RangeError);
    assertEquals(SEALER.open("test", binding, token), undefined);
    assertEquals(SEALER.open(binding, "\ufffd", token), undefined);
  }
  const longest = "x".repeat(MAX_BINDING_CHARACTERS);
  const open = SEALER.open(longest, longest, SEALER.seal(longest, longest, PAYLOAD));
  assertEquals(open, PAYLOAD);
});

Deno.test("a payload that is too long is refused when it is sealed, a text when it is opened", () => {
  const long = new Uint8Array(MAX_PAYLOAD_BYTES + 1);
  assertThrows(() => SEALER.seal("test", "bind", long), RangeError);
  const longest = SEALER.seal("test", "bind", long.subarray(1));
  assertEquals(longest.length, MAX_TOKEN_CHARACTERS);
  assertEquals(SEALER.open("test", "bind", `${longest}A`), undefined);
  assertEquals(SEALER.open("test", "bind", "A".repeat(100_000_000)), undefined);
});

Deno.test("a sound token that is longer than any that is sealed does not open", async () => {
  for (const [more, opens] of [[0, true], [1, false]] as const) {
    const token = await sealedByWebCrypto(1, "bind", new Uint8Array(MAX_PAYLOAD_BYTES + more));
    assertEquals(SEALER.open("test", "bind", token) !== undefined, opens);
  }
});

Deno.test("a token has one spelling: unused bits, padding and the other alphabet are refused", () => {
  for (const length of [12, 13, 14]) {
    const token = SEALER.seal("test", "bind", systemClock.randomBytes(length));
    assert(SEALER.open("test", "bind", token) !== undefined);
    const last = ALPHABET.indexOf(token.at(-1)!);
    const spellings = [
      ...[...ALPHABET].filter((_, at) => at !== last).map((char) => token.slice(0, -1) + char),
      ...["=", "==", "\n", " ", "A", "AA", "AAA", "AAAA", "\0", "é"].flatMap((extra) => [
        token + extra,
        extra + token,
        token.slice(0, 40) + extra + token.slice(40),
      ]),
    ];
    for (const spelling of spellings) {
      assertEquals(SEALER.open("test", "bind", spelling), undefined, spelling);
    }
  }
  let withDash = "";
  while (!/-.*_|_.*-/.test(withDash)) withDash = SEALER.seal("test", "bind", PAYLOAD);
  for (const [from, to] of [["-", "+"], ["_", "/"]] as const) {
    assertEquals(SEALER.open("test", "bind", withDash.replaceAll(from, to)), undefined);
  }
});

Deno.test("rotation: the first key seals, the others still open, one that was taken away does not", () => {
  const before = SEALER.seal("test", "bind", PAYLOAD);
  const rotated = new Sealer([OTHER_KEY, KEY, THIRD_KEY], systemClock);
  const after = rotated.seal("test", "bind", PAYLOAD);
  assertEquals(rotated.open("test", "bind", before), PAYLOAD);
  assertEquals(rotated.open("test", "bind", after), PAYLOAD);
  assertEquals(SEALER.open("test", "bind", after), undefined);
  const without = new Sealer([OTHER_KEY], systemClock);
  assertEquals(without.open("test", "bind", after), PAYLOAD);
  assertEquals(without.open("test", "bind", before), undefined);
});

Deno.test("a key id is no proof: a token of another key under an id that is known does not open", () => {
  const posing = new Sealer([{ id: KEY.id, key: OTHER_KEY.key }], systemClock);
  assertEquals(SEALER.open("test", "bind", posing.seal("test", "bind", PAYLOAD)), undefined);
});

Deno.test("R76 a sealer without a key, with too many, or with one twice is refused", () => {
  const keys = Array.from({ length: MAX_SEAL_KEYS + 1 }, randomKey);
  assertThrows(() => new Sealer([], systemClock), SealKeyError, "without a key");
  assertThrows(() => new Sealer(keys, systemClock), SealKeyError, "at most 16");
  assertThrows(() => new Sealer([KEY, OTHER_KEY, KEY], systemClock), SealKeyError, "Two keys");
  const most = new Sealer(keys.slice(1), systemClock);
  assertEquals(most.open("test", "bind", most.seal("test", "bind", PAYLOAD)), PAYLOAD);
});

Deno.test("the same is sealed into another token each time, under a nonce of the clock's", () => {
  const tokens = new Set<string>();
  for (let count = 0; count < 10_000; count++) {
    tokens.add(SEALER.seal("test", "bind", PAYLOAD).slice(6, 23));
  }
  assertEquals(tokens.size, 10_000);
  class Counting extends ManualClock {
    readonly asked: number[] = [];
    override randomBytes(length: number): Uint8Array<ArrayBuffer> {
      this.asked.push(length);
      return new Uint8Array(length).fill(7);
    }
  }
  const clock = new Counting();
  const token = bytesOf(new Sealer([KEY], clock).seal("test", "bind", PAYLOAD));
  assertEquals([clock.asked, token.subarray(5, HEAD_BYTES)], [[12], new Uint8Array(12).fill(7)]);
});

Deno.test("open() gives undefined for any text, and never throws", () => {
  const token = SEALER.seal("test", "bind", PAYLOAD);
  const base64url = fc.string({ unit: fc.constantFrom(...ALPHABET), maxLength: 400 });
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 100 })
      .map((units) => String.fromCharCode(...units)),
    base64url,
    // Behind the true head of a token.
    base64url.map((rest) => token.slice(0, 24) + rest),
    fc.tuple(fc.nat(token.length), fc.string({ minLength: 1, maxLength: 3 }))
      .map(([at, put]) => token.slice(0, at) + put + token.slice(at)),
  );
  fc.assert(
    fc.property(texts, fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (
      text,
      purpose,
      binding,
    ) => {
      assertEquals(SEALER.open("test", "bind", text), undefined);
      assertEquals(SEALER.open(purpose, binding, text), undefined);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("any payload for any purpose and binding opens again", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 100 });
  fc.assert(
    fc.property(text, text, fc.uint8Array({ maxLength: 300 }), (purpose, binding, payload) => {
      const token = SEALER.seal(purpose, binding, payload);
      assertEquals(SEALER.open(purpose, binding, token), Uint8Array.from(payload));
      assertNotEquals(SEALER.seal(purpose, binding, payload), token);
    }),
    { numRuns: 1_000 },
  );
});
