/**
 * R91, R92, R94, R96: which tokens are good, for whom, and what those are told whose are not. Tokens are made with
 * jose; time stands still until told.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { exportSPKI, importJWK, SignJWT, UnsecuredJWT } from "jose";
import { ProxyError } from "../../errors.ts";
import { Fields } from "../../http/mod.ts";
import { testIssuer } from "../../testing/issuer.ts";
import { ManualClock } from "../../testing/manual_clock.ts";
import * as oauthCallers from "../../testing/oauth_callers.ts";
import { apiKeys } from "../api_keys.ts";
import type { Authenticator } from "../authenticate.ts";
import { hashOfKey } from "../new_key.ts";
import { MAX_REMEMBERED, REMEMBERED_MS, RememberedGrants } from "./remembered.ts";
import { type Grant, MAX_SUBJECT_CHARACTERS, MAX_TOKEN_CHARACTERS } from "./token.ts";

const { AUD, METADATA, PUBLIC, RESOURCES, under } = oauthCallers;

Deno.test("a token of the issuer for the resource tells who calls, with each algorithm that is allowed", () =>
  under(async ({ issuer, ask, clock }) => {
    for (const alg of ["RS256", "PS256", "EdDSA"]) await issuer.keys.add(alg, alg);
    const validUntilMs = clock.now().getTime() + 65_000;
    for (const kid of ["first", "RS256", "PS256", "EdDSA"]) {
      const caller = await ask(await issuer.keys.token({ aud: AUD }, { kid }));
      assertEquals(caller.id, `oauth:${issuer.issuer}#sub:alice`);
      assertMatch(caller.name, /^oauth#[0-9a-f]{16}$/);
      assertEquals(caller.validUntilMs, validUntilMs);
    }
    // Of several audiences one is enough (RFC 7519 section 4.1.3); one key is looked for by what it is.
    await ask(await issuer.keys.token({ aud: ["https://x.example.com", AUD] }));
    for (const typ of ["at+jwt", "AT+JWT", "application/at+jwt", "JWT", undefined]) {
      await ask(await issuer.keys.token({ aud: AUD }, { typ }));
    }
    assertEquals(issuer.asked, ["/.well-known/oauth-authorization-server", "/keys"]);
  }));

Deno.test("R92 a token for another resource is a 401, on every path but its own (RFC 8707)", () =>
  under(async ({ issuer, ask, refused }) => {
    const other = "The access token was issued for another resource.";
    for (
      const aud of [
        "https://evil.example.com/mcp",
        PUBLIC,
        `${AUD}/`,
        `${AUD}/x`,
        "",
        [],
        "HTTPS://MCP",
      ]
    ) {
      assertEquals(await refused(await issuer.keys.token({ aud })), other);
    }
    const mine = await issuer.keys.token({ aud: AUD });
    const theirs = await issuer.keys.token({ aud: `${PUBLIC}/other/mcp` });
    // All paths of a route are one resource's; the second look at a token is a remembered one.
    for (const path of ["/mcp", "/mcp/sse", "/sse", "/mcp/messages"]) {
      await ask(mine, path);
      assertEquals(await refused(theirs, path), other);
    }
    await ask(theirs, "/other/mcp");
    assertEquals(await refused(mine, "/other/mcp"), other);
    await ask(await issuer.keys.token({ aud: `${PUBLIC}/sse` }), "/mcp");
    assertEquals(
      await refused(await issuer.keys.token({})),
      "The access token has no valid claim aud.",
    );
    assertEquals(
      await refused(await issuer.keys.token({ aud: 3 as unknown as string })),
      "The access token has no valid claim aud.",
    );
  }));

Deno.test("R91 an expired token is a 401, remembered or not, and one that is not valid yet is too", () =>
  under(async ({ issuer, ask, refused, clock }) => {
    const now = Math.floor(clock.now().getTime() / 1000);
    const short = await issuer.keys.token({ aud: AUD, exp: now + 10 });
    await ask(short);
    clock.advance(14_999);
    await ask(short);
    clock.advance(1);
    const expired = "The access token has expired.";
    assertEquals(await refused(short), expired);
    assertEquals(await refused(await issuer.keys.token({ aud: AUD, exp: now })), expired);
    const soon = await issuer.keys.token({ aud: AUD, exp: now + 100, nbf: now + 25 });
    assertEquals(await refused(soon), "The access token is not valid yet.");
    clock.advance(5_000);
    await ask(soon);
    for (const exp of [undefined, "later", null]) {
      const token = await issuer.keys.token({ aud: AUD, exp: exp as unknown as number });
      assertEquals(await refused(token), "The access token has no valid claim exp.");
    }
  }));

Deno.test("R91 none, HS256 with the public key for a secret, and algorithms beside the list are refused", () =>
  under(async ({ issuer, refused }) => {
    const allowed = "The access token is signed with an algorithm that is not allowed.";
    const claims = { iss: issuer.issuer, sub: "alice", aud: AUD, exp: 4_000_000_000 };
    const unsigned = new UnsecuredJWT(claims).encode();
    assertEquals(await refused(unsigned), allowed);
    await issuer.keys.add("rsa", "RS256");
    const jwk = issuer.keys.jwk("rsa");
    const pem = await exportSPKI(
      await importJWK({ ...jwk }, "RS256", { extractable: true }) as CryptoKey,
    );
    for (const secret of [pem, JSON.stringify(jwk), jwk.n!]) {
      const token = await new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: "rsa" })
        .sign(new TextEncoder().encode(secret));
      assertEquals(await refused(token), allowed);
    }
    await issuer.keys.add("more", "RS512");
    assertEquals(await refused(await issuer.keys.token({ aud: AUD }, { kid: "more" })), allowed);
    // Nothing of all that has the issuer asked for keys.
    assertEquals(issuer.asked, []);
  }));

Deno.test("R91 a foreign signature, a foreign issuer and a token that was changed are refused", () =>
  under(async ({ issuer, refused }) => {
    await using other = await testIssuer(new ManualClock());
    const forged = await other.keys.token({ iss: issuer.issuer, aud: AUD });
    assertEquals(await refused(forged), "The access token has no valid signature.");
    const foreign = await issuer.keys.token({ iss: other.issuer, aud: AUD });
    assertEquals(await refused(foreign), "The access token is of another issuer.");
    for (const iss of [`${issuer.issuer}/`, issuer.issuer.toUpperCase(), undefined]) {
      const token = await issuer.keys.token({ iss: iss as string, aud: AUD });
      assertEquals(await refused(token), "The access token is of another issuer.");
    }
    const [header, payload, signature] = (await issuer.keys.token({ aud: AUD })).split(".");
    const claims = { ...JSON.parse(atob(payload!)), sub: "root" };
    const changed = new TextEncoder().encode(JSON.stringify(claims))
      .toBase64({ alphabet: "base64url", omitPadding: true });
    for (const token of [`${header}.${changed}.${signature}`, `${header}.${payload}.`]) {
      assertEquals(await refused(token), "The access token has no valid signature.");
    }
    assertEquals(other.asked, []);
  }));

Deno.test("R91 what is no access token is none: ID tokens, events, refresh tokens, bound ones, rubbish", () =>
  under(async ({ issuer, refused }) => {
    const kind = "The access token is not an access token.";
    for (const typ of ["id+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt"]) {
      assertEquals(await refused(await issuer.keys.token({ aud: AUD }, { typ })), kind);
    }
    for (
      const claims of [{ at_hash: "x" }, { c_hash: "x" }, { events: {} }, { typ: "ID" }, {
        typ: "Refresh",
      }]
    ) {
      assertEquals(await refused(await issuer.keys.token({ aud: AUD, ...claims })), kind);
    }
    const bound = await issuer.keys.token({ aud: AUD, cnf: { jkt: "x" } });
    assertEquals(
      await refused(bound),
      "The access token is bound to a key, which this proxy does not check.",
    );
    const sound = await issuer.keys.token({ aud: AUD });
    const large = await issuer.keys.token({ aud: AUD, pad: "x".repeat(MAX_TOKEN_CHARACTERS) });
    const rubbish = [
      "x",
      "..",
      "a.b",
      "a.b.c",
      "a.b.c.d.e",
      `${sound}.x`,
      `${sound}, Bearer ${sound}`,
    ];
    for (const token of [...rubbish, large, "\u00e9.\u00e9.\u00e9"]) {
      assertEquals(await refused(token), "The access token is no JWT.");
    }
  }));

Deno.test("a token of exactly 8,192 characters with its scheme is read, and none that is longer", () =>
  under(async ({ issuer, ask, refused }) => {
    const bearer = (token: string) => `Bearer ${token}`.length;
    let pad = 5_000;
    let token = await issuer.keys.token({ aud: AUD, pad: "x".repeat(pad) });
    while (bearer(token) < MAX_TOKEN_CHARACTERS - 4) {
      pad += Math.max(1, Math.floor((MAX_TOKEN_CHARACTERS - bearer(token)) / 2));
      token = await issuer.keys.token({ aud: AUD, pad: "x".repeat(pad) });
    }
    const spaces = " ".repeat(MAX_TOKEN_CHARACTERS - bearer(token));
    await ask(spaces + token);
    assertEquals(await refused(`${spaces} ${token}`), "The access token is no JWT.");
  }));

Deno.test("callers are known by sub, or a program by its client_id (RFC 9068 section 2.2); a refreshed token is the same caller", () =>
  under(async ({ issuer, ask, refused, authenticator, clock }) => {
    const of = async (claims: Record<string, unknown>) =>
      await ask(await issuer.keys.token({ aud: AUD, ...claims }));
    const first = await of({});
    clock.advance(1_000);
    const second = await of({});
    assertEquals([first.id, first.name], [second.id, second.name]);
    assertNotEquals(first.validUntilMs, second.validUntilMs);
    const none = { sub: undefined };
    const client = await of({ ...none, client_id: "ci" });
    assertEquals(client.id, `oauth:${issuer.issuer}#client:ci`);
    // Nobody becomes a client by being called like one.
    assertNotEquals((await of({ sub: "client:ci" })).id, client.id);
    const long = "x".repeat(MAX_SUBJECT_CHARACTERS);
    await of({ sub: long });
    for (
      const claims of [
        none,
        { sub: "" },
        { sub: 3 },
        { sub: `${long}x` },
        { ...none, client_id: "" },
        // An authorized party is who asked for the token, for whomever.
        { ...none, azp: "ci" },
        // Many persons have one client between them.
        { ...none, client_id: "ci", sid: "x" },
        { ...none, client_id: "ci", preferred_username: "alice" },
        { ...none, client_id: "ci", email: "alice@example.com" },
        { ...none, client_id: "ci", auth_time: 1 },
        { ...none, client_id: "ci", name: "Alice" },
      ]
    ) {
      assertEquals(
        await refused(await issuer.keys.token({ aud: AUD, ...claims } as Record<string, unknown>)),
        "The access token has no valid claim sub, nor the client_id of a program alone.",
      );
    }
    assertEquals(authenticator.nameOf(first.id), first.name);
    assertEquals(authenticator.nameOf("oauth:https://other.example.com#sub:alice"), undefined);
    assertEquals(authenticator.nameOf("anonymous"), undefined);
  }));

Deno.test("R96 a caller's name is a hash, and what a claim says only where it is asked for: short, printable, apart", () =>
  under(async ({ issuer, ask, authenticator }) => {
    const named = async (sub: string, preferred_username?: unknown) =>
      await ask(await issuer.keys.token({ aud: AUD, sub, preferred_username }));
    const alice = await named("1", "alice");
    assertMatch(alice.name, /^alice#[0-9a-f]{16}$/);
    assertEquals(authenticator.nameOf(alice.id), alice.name);
    // Who calls herself the same is not the same.
    assertNotEquals((await named("2", "alice")).name, alice.name);
    assertMatch((await named("3", "Zoë Müller")).name, /^Zoë Müller#/);
    assertMatch((await named("4", 'x\n{"level":"error"}\r\u202e\u0000')).name, /^x\?\{.*\}\?\?\?#/);
    assertMatch((await named("5", "y".repeat(500))).name, /^y{64}#[0-9a-f]{16}$/);
    for (const rubbish of [undefined, "", 3, {}]) {
      assertMatch((await named("6", rubbish)).name, /^oauth#/);
    }
  }, { nameClaim: "preferred_username" }));

Deno.test("a token without a needed scope is a 403 that names all of them (2026-07-28 Runtime Insufficient Scope Errors)", () =>
  under(async ({ issuer, ask }) => {
    const token = (claims: Record<string, unknown>) => issuer.keys.token({ aud: AUD, ...claims });
    await ask(await token({ scope: "openid mcp:use mcp:read" }));
    await ask(await token({ scp: ["mcp:read", "mcp:use"] }));
    await ask(await token({ scp: "mcp:read mcp:use" }));
    const lacking = [{}, { scope: "mcp:use" }, { scope: "MCP:USE mcp:read" }, {
      scp: ["mcp:use mcp:read"],
    }, {
      scope: { "mcp:use": true },
    }];
    for (const claims of lacking) {
      const weak = await token(claims);
      const error = await assertRejects(() => ask(weak), ProxyError);
      assertEquals([error.kind, error.status, error.code], ["insufficient_scope", 403, -31403]);
      assertEquals(
        error.headers["www-authenticate"],
        'Bearer realm="switchyard", error="insufficient_scope", ' +
          'error_description="The access token lacks a scope that is needed here", ' +
          `resource_metadata="${METADATA}", scope="mcp:use mcp:read"`,
      );
    }
  }, { scopes: ["mcp:use", "mcp:read"] }));

Deno.test("the challenge tells where the metadata of the path is, and of no path that is no resource (RFC 9728 section 5.1)", () =>
  under(async ({ authenticator, issuer }) => {
    const challenge = async (path: string, ...fields: string[]) => {
      const error = await assertRejects(
        async () => await authenticator.authenticate(new Fields(fields), path),
        ProxyError,
      );
      return error.headers["www-authenticate"];
    };
    const plain = 'Bearer realm="switchyard"';
    for (const fields of [[], ["authorization", "Basic x"], ["authorization", "Bearer "]]) {
      assertEquals(
        await challenge("/mcp", ...fields),
        `${plain}, resource_metadata="${METADATA}", scope="a"`,
      );
    }
    assertEquals(
      await challenge("/sse"),
      `${plain}, resource_metadata="${PUBLIC}/.well-known/oauth-protected-resource/sse", scope="a"`,
    );
    for (const path of ["/mcp/messages", "/nowhere", ""]) {
      assertEquals(await challenge(path), `${plain}, scope="a"`);
    }
    const token = await issuer.keys.token({ aud: "https://evil.example.com" });
    assertEquals(
      await challenge("/mcp", "authorization", `Bearer ${token}`),
      `${plain}, error="invalid_token", error_description="The access token was issued for another resource", ` +
        `resource_metadata="${METADATA}", scope="a"`,
    );
  }, { scopes: ["a"] }));

Deno.test("a token is checked once a minute, and between is known without a promise", () =>
  under(async ({ issuer, ask, authenticator, clock }) => {
    const token = await issuer.keys.token({ aud: AUD, exp: 4_000_000_000 });
    const fields = new Fields(["authorization", `Bearer ${token}`]);
    const known = await ask(token);
    assert(authenticator.authenticate(fields, "/mcp") === known);
    clock.advance(REMEMBERED_MS - 1);
    assert(authenticator.authenticate(fields, "/mcp") === known);
    clock.advance(1);
    const checking = authenticator.authenticate(fields, "/mcp");
    assert(checking instanceof Promise);
    await checking;
    assert(!(authenticator.authenticate(fields, "/mcp") instanceof Promise));
  }));

Deno.test("RememberedGrants holds 10,000, and lets the one go that was not used for longest", () => {
  const grants = new RememberedGrants(new ManualClock());
  const grant = {} as Grant;
  for (let at = 0; at < MAX_REMEMBERED; at++) grants.set(`${at}`, grant);
  assert(grants.get("0") === grant);
  grants.set("more", grant);
  assertEquals([grants.size, grants.get("0") === grant, grants.get("1")], [
    MAX_REMEMBERED,
    true,
    undefined,
  ]);
});

Deno.test("keys beside tokens: what looks like a JWT is one, and a field of its own holds keys alone", () =>
  under(async ({ issuer, callers }) => {
    const key = "sy_key";
    const keys = [{ name: "ci", sha256: hashOfKey(key) }];
    const token = await issuer.keys.token({ aud: AUD });
    const id = `oauth:${issuer.issuer}#sub:alice`;
    const shared = callers.authenticator(RESOURCES, {
      authenticator: apiKeys({ keys }),
      header: undefined,
    });
    const apart = callers.authenticator(RESOURCES, {
      authenticator: apiKeys({ keys, header: "X-Api-Key" }),
      header: "X-Api-Key",
    });
    const ask = async (one: Authenticator, ...fields: string[]) =>
      (await one.authenticate(new Fields(fields), "/mcp")).id;
    assertEquals(await ask(shared, "authorization", `Bearer ${token}`), id);
    assertEquals(await ask(shared, "authorization", `Bearer ${key}`), "key:ci");
    assertEquals(await ask(apart, "authorization", `Bearer ${token}`), id);
    assertEquals(await ask(apart, "x-api-key", key), "key:ci");
    assertEquals([shared.credentialFields, apart.credentialFields], [
      ["authorization"],
      ["authorization", "x-api-key"],
    ]);
    assertEquals([shared.nameOf("key:ci"), shared.nameOf("key:x")], ["ci", undefined]);
    const metadata = `resource_metadata="${METADATA}"`;
    const refused = async (one: Authenticator, ...fields: string[]) => {
      const error = await assertRejects(() => ask(one, ...fields), ProxyError);
      return error.headers["www-authenticate"]!;
    };
    for (const wrong of ["sy_nobody", "opaque"]) {
      const challenge = await refused(shared, "authorization", `Bearer ${wrong}`);
      assert(challenge.includes(metadata) && challenge.includes("invalid_token"), challenge);
      assert(!challenge.includes(wrong));
    }
    assert((await refused(apart, "authorization", `Bearer ${key}`)).includes("invalid_token"));
    assert((await refused(apart)).includes(metadata));
    assertEquals(await refused(apart, "x-api-key", "sy_nobody"), 'ApiKey realm="switchyard"');
    // A wrong token is not made good by a key beside it.
    const both = ["authorization", "Bearer a.b.c", "x-api-key", key];
    assert((await refused(apart, ...both)).includes("invalid_token"));
  }));
