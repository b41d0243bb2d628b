import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { systemClock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { Sealer } from "./seal.ts";
import { deriveKey, makeSecret } from "./seal_key.ts";
import { MAX_ROUTE_BYTES, MAX_UPSTREAM_ID_BYTES, SessionIds } from "./session_ids.ts";

const SEALER = new Sealer([deriveKey(makeSecret(systemClock))], systemClock);
const IDS = new SessionIds(SEALER, systemClock);
const PARTS = {
  route: "/mcp",
  principal: "alice",
  upstreamId: "0d9b1ab7-66a4-4a84-8a4c-7fb4e5fb47d6",
  createdMs: Date.UTC(2026, 10, 21),
};

Deno.test("open() gives what an id was minted for, and the key that mint() told", () => {
  const { id, key } = IDS.mint(PARTS);
  assertEquals(IDS.open(id, "alice"), {
    key,
    route: PARTS.route,
    upstreamId: PARTS.upstreamId,
    createdMs: PARTS.createdMs,
  });
});

Deno.test("whatever an id is minted for comes back", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 60 });
  fc.assert(
    fc.property(
      text,
      text,
      text,
      fc.nat({ max: 2 ** 48 - 1 }),
      (route, principal, upstreamId, createdMs) => {
        const { id, key } = IDS.mint({ route, principal, upstreamId, createdMs });
        assertEquals(IDS.open(id, principal), { key, route, upstreamId, createdMs });
      },
    ),
    { numRuns: 1_000 },
  );
});

Deno.test("R72 an id opens for its principal alone", () => {
  const { id } = IDS.mint(PARTS);
  for (const principal of ["bob", "", "anonymous", "Alice"]) {
    assertEquals(IDS.open(id, principal), undefined);
  }
});

Deno.test("R74 R81 what was never minted is undefined: other texts, tokens for something else", () => {
  const { id, key } = IDS.mint(PARTS);
  for (
    const text of ["", key, PARTS.upstreamId, id.slice(1), `${id}A`, id.toLowerCase(), "ü", "\0"]
  ) {
    assertEquals(IDS.open(text, "alice"), undefined);
  }
  assertEquals(IDS.open(SEALER.seal("cursor", "alice", new Uint8Array(60)), "alice"), undefined);
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assertEquals(IDS.open(text, "alice"), undefined);
  }));
});

Deno.test("a payload that mint() does not write is undefined", () => {
  const seal = (payload: Uint8Array) => SEALER.seal("session id", "alice", payload);
  const payload = new Uint8Array(30);
  assertEquals(IDS.open(seal(payload), "alice")?.upstreamId, "\0".repeat(6));
  assertEquals(IDS.open(seal(payload.subarray(0, 23)), "alice"), undefined);
  payload[23] = 6;
  assertEquals(IDS.open(seal(payload), "alice")?.route, "\0".repeat(6));
  payload[23] = 7;
  assertEquals(IDS.open(seal(payload), "alice"), undefined);
});

Deno.test("R77 neither the upstream's id nor the route can be read in an id", () => {
  const { id, key } = IDS.mint(PARTS);
  const bytes = Uint8Array.fromBase64(id, { alphabet: "base64url" });
  const text = new TextDecoder("latin1").decode(bytes);
  for (const secret of [PARTS.upstreamId, PARTS.upstreamId.slice(0, 8), PARTS.route, "alice"]) {
    assert(!text.includes(secret) && !id.includes(secret));
  }
  assert(!bytes.toHex().includes(Uint8Array.fromBase64(key, { alphabet: "base64url" }).toHex()));
});

Deno.test("an id is short: 130 characters where the upstream's has 36", () => {
  assertEquals(IDS.mint(PARTS).id.length, 130);
});

Deno.test("an upstream's id of 4 KiB passes, a longer one is the upstream's fault", () => {
  const route = "r".repeat(MAX_ROUTE_BYTES);
  const longest = "é".repeat(MAX_UPSTREAM_ID_BYTES / 2);
  const { id } = IDS.mint({ ...PARTS, route, upstreamId: longest });
  assert(id.length <= 8_192);
  assertEquals(IDS.open(id, "alice")?.upstreamId, longest);
  for (const upstreamId of [`${longest}x`, "\ud800"]) {
    const error = assertThrows(() => IDS.mint({ ...PARTS, upstreamId }), ProxyError);
    assertEquals(error.kind, "upstream_protocol");
  }
  assertEquals(IDS.open(IDS.mint({ ...PARTS, upstreamId: "" }).id, "alice")?.upstreamId, "");
});

Deno.test("a route or a time that cannot be written is refused", () => {
  const route = "r".repeat(MAX_ROUTE_BYTES + 1);
  assertThrows(() => IDS.mint({ ...PARTS, route }), RangeError);
  assertThrows(() => IDS.mint({ ...PARTS, route: "\udc00" }), RangeError);
  for (const createdMs of [-1, 0.5, NaN, Infinity, 2 ** 48]) {
    assertThrows(() => IDS.mint({ ...PARTS, createdMs }), RangeError);
  }
});

Deno.test("two ids for the same differ, and so do their keys", () => {
  const [one, two] = [IDS.mint(PARTS), IDS.mint(PARTS)];
  assertNotEquals(one.id, two.id);
  assertNotEquals(one.key, two.key);
});

/** Whether all numbers differ; puts them in order. */
function allDiffer(numbers: BigUint64Array): boolean {
  numbers.sort();
  return numbers.every((number, at) => at === 0 || number !== numbers[at - 1]);
}

Deno.test("R75 a million ids are unique, in visible ASCII, with 128 random bits in each and more", () => {
  const COUNT = 1_000_000;
  // 64 bits of each nonce and of each key stand for the whole: that any two meet by chance happens once in
  // ten million runs, and a million ids as text would take 150 MB.
  const nonces = new BigUint64Array(COUNT);
  const keys = new BigUint64Array(COUNT);
  const [nonceBytes, keyBytes] = [new Uint8Array(nonces.buffer), new Uint8Array(keys.buffer)];
  const options = { alphabet: "base64url" } as const;
  const ones = new Uint32Array(128);
  for (let count = 0; count < COUNT; count++) {
    const { id, key } = IDS.mint(PARTS);
    if (!/^[\x21-\x7e]+$/.test(id)) throw new Error(`${id} is not visible ASCII`);
    // Characters 8 to 19 are bytes 6 to 14, and the nonce is bytes 5 to 16.
    nonceBytes.set(Uint8Array.fromBase64(id.slice(8, 20), options).subarray(0, 8), count * 8);
    const random = Uint8Array.fromBase64(key, options);
    keyBytes.set(random.subarray(0, 8), count * 8);
    if (random.length !== 16) throw new Error(`${key} has ${random.length} bytes`);
    if (count % 100 !== 0) continue;
    for (let bit = 0; bit < 128; bit++) ones[bit]! += (random[bit >> 3]! >> (bit & 7)) & 1;
  }
  assert(allDiffer(nonces));
  assert(allDiffer(keys));
  // Of 10,000 keys: ten times the standard deviation about the half.
  for (const count of ones) assert(count > 4_500 && count < 5_500, `${count} ones`);
});
