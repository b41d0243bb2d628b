import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import { apiKeys, MAX_CREDENTIAL_CHARACTERS } from "./api_keys.ts";
import type { Principal } from "./authenticate.ts";
import { hashOfKey } from "./new_key.ts";

const KEYS = [
  { name: "ci", sha256: hashOfKey("sy_first") },
  { name: "ops", sha256: hashOfKey("sy_second") },
  { name: "ci", sha256: hashOfKey("sy_third") },
];

/** Who the fields `fields` are, where the key stands in `header`. */
function ask(fields: readonly string[], header?: string): Principal {
  const found = apiKeys({ header, keys: KEYS }).authenticate(new Fields([...fields]), "/mcp");
  assert(!(found instanceof Promise));
  return found;
}

/** The refusal of `fields`: the challenge and the sentence. */
function refusal(fields: readonly string[], header?: string): [string | undefined, string] {
  const error = assertThrows(() => ask(fields, header), ProxyError);
  assertEquals([error.kind, error.status], ["unauthorized", 401]);
  return [error.headers["www-authenticate"], error.message];
}

const PLAIN = 'Bearer realm="switchyard"';
const AGAIN = 'Bearer realm="switchyard", error="invalid_token"';

Deno.test("apiKeys() knows every key by its hash, and takes keys with one name for one principal", () => {
  const [first, second, third] = ["sy_first", "sy_second", "sy_third"]
    .map((key) => ask(["authorization", `Bearer ${key}`]));
  assertEquals([first, second, third], [
    { id: "key:ci", name: "ci" },
    { id: "key:ops", name: "ops" },
    { id: "key:ci", name: "ci" },
  ]);
});

Deno.test("apiKeys() finds the right one of a thousand, and nobody behind a hash that begins alike", () => {
  const keys = Array.from({ length: 1_000 }, (_, index) => ({
    name: `n${index}`,
    sha256: hashOfKey(`key-${index}`),
  }));
  const known = apiKeys({ keys });
  for (const index of [0, 1, 2, 3, 511, 512, 998, 999]) {
    const fields = new Fields(["authorization", `Bearer key-${index}`]);
    assertEquals(known.authenticate(fields, "/mcp"), { id: `key:n${index}`, name: `n${index}` });
  }
  const right = hashOfKey("key-7");
  for (let at = 0; at < right.length; at += 7) {
    const digit = (parseInt(right[at]!, 16) ^ 8).toString(16);
    const near = right.slice(0, at) + digit + right.slice(at + 1);
    const only = apiKeys({ keys: [{ name: "near", sha256: near }] });
    assertThrows(
      () => only.authenticate(new Fields(["authorization", "Bearer key-7"]), "/mcp"),
      ProxyError,
    );
  }
});

Deno.test("apiKeys() takes Bearer in any case of letters, and any spaces behind it", () => {
  for (const scheme of ["bearer ", "BEARER ", "BeArEr   "]) {
    assertEquals(ask(["authorization", `${scheme}sy_first`]).name, "ci");
  }
});

Deno.test("R91 no key, an empty one or another scheme is a 401 whose challenge has no error code", () => {
  for (
    const fields of [
      [],
      ["authorization", ""],
      ["authorization", "Bearer"],
      ["authorization", "Basic c3lfZmlyc3Q6"],
      ["authorization", "sy_first"],
      ["authorization", "Bearersy_first"],
      ["authorization", `Basic ${"x".repeat(5_000)}`],
      ["authorization", "Basic x", "authorization", "Bearer sy_first"],
      ["x-api-key", "sy_first"],
      ["proxy-authorization", "Bearer sy_first"],
      ["cookie", "authorization=sy_first"],
    ]
  ) {
    const [challenge, message] = refusal(fields);
    assertEquals(challenge, PLAIN, fields.join());
    assertEquals(
      message,
      "This proxy wants an API key; send one as Authorization: Bearer KEY.",
    );
  }
});

Deno.test("R91 a wrong, malformed, repeated or oversized key is a 401 that says invalid_token", () => {
  for (
    const fields of [
      ["authorization", "Bearer sy_nobody"],
      ["authorization", `Bearer ${KEYS[0]!.sha256}`],
      ["authorization", "Bearer SY_FIRST"],
      ["authorization", "Bearer sy_first sy_second"],
      ["authorization", "Bearer sy_first\x00"],
      ["authorization", "Bearer sy_first", "authorization", "Bearer sy_first"],
      ["authorization", "Bearer sy_first", "authorization", "Bearer sy_second"],
      ["authorization", "Bearer sy_first,"],
      ["authorization", `Bearer ${"x".repeat(MAX_CREDENTIAL_CHARACTERS)}`],
    ]
  ) {
    const [challenge, message] = refusal(fields);
    assertEquals(challenge, AGAIN, fields.join());
    assert(!/sy_|[0-9a-f]{64}/.test(message), message);
  }
});

Deno.test("R91 two fields are never one key, not even one that is written like both", () => {
  const keys = [{ name: "both", sha256: hashOfKey("sy_a, sy_b") }];
  for (const fields of [["x-api-key", "sy_a", "x-api-key", "sy_b"], ["x-api-key", "sy_a, sy_b"]]) {
    const { authenticate } = apiKeys({ header: "x-api-key", keys });
    assertThrows(() => authenticate(new Fields(fields), "/mcp"), ProxyError);
  }
});

Deno.test("apiKeys() hashes a key as long as may be, and none that is longer", () => {
  const longest = "x".repeat(MAX_CREDENTIAL_CHARACTERS);
  const keys = [longest, `${longest}x`].map((key) => ({ name: "long", sha256: hashOfKey(key) }));
  const { authenticate } = apiKeys({ header: "x-api-key", keys });
  assertEquals(authenticate(new Fields(["x-api-key", longest]), "/mcp"), {
    id: "key:long",
    name: "long",
  });
  assertThrows(() => authenticate(new Fields(["x-api-key", `${longest}x`]), "/mcp"), ProxyError);
});

Deno.test("apiKeys() with a field of its own takes the key alone from there, and from nowhere else", () => {
  assertEquals(ask(["x-api-key", "sy_second"], "X-Api-Key").name, "ops");
  for (
    const fields of [
      [],
      ["authorization", "Bearer sy_first"],
      ["x-api-key", ""],
      ["x_api_key", "sy_first"],
      ["x-api-key", "Bearer sy_first"],
      ["x-api-key", "sy_first", "x-api-key", "sy_first"],
    ]
  ) {
    const [challenge, message] = refusal(fields, "X-Api-Key");
    // RFC 9110 section 11.6.1 wants a challenge; Bearer would be a lie.
    assertEquals(challenge, 'ApiKey realm="switchyard"');
    assert(message.endsWith("in the field X-Api-Key."), message);
  }
});

Deno.test("R93 credentialFields names the field that holds the key, in lower case", () => {
  assertEquals(apiKeys({ keys: KEYS }).credentialFields, ["authorization"]);
  assertEquals(apiKeys({ header: "X-Api-Key", keys: KEYS }).credentialFields, ["x-api-key"]);
});

Deno.test("apiKeys() refuses to be made of nothing, or of what is no SHA-256", () => {
  assertThrows(() => apiKeys({ keys: [] }), TypeError);
  for (const sha256 of ["", "ab", "zz".repeat(32), "ab".repeat(33)]) {
    assertThrows(() => apiKeys({ keys: [{ name: "x", sha256 }] }), TypeError, "the key x");
  }
});
