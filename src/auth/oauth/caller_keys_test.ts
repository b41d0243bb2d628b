/**
 * R91: what becomes of tokens whose keys are new, gone, unusable, or cannot be had.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../errors.ts";
import { createLogger } from "../../telemetry/mod.ts";
import { ManualClock } from "../../testing/manual_clock.ts";
import * as oauthCallers from "../../testing/oauth_callers.ts";
import { COOLDOWN_MS, FRESH_MS } from "./keys.ts";

const { AUD, under } = oauthCallers;

Deno.test("a key that its issuer has since is found, at most once in 30 seconds; one that is gone is refused", () =>
  under(async ({ issuer, ask, refused, clock }) => {
    const unknown = "The access token is signed with a key that its issuer does not have.";
    const exp = 4_000_000_000;
    await ask(await issuer.keys.token({ aud: AUD }));
    clock.advance(COOLDOWN_MS);
    await issuer.keys.add("stolen");
    const forged = await issuer.keys.token({ aud: AUD, exp }, { kid: "stolen" });
    issuer.keys.remove("stolen");
    assertEquals([await refused(forged), issuer.asked.length], [unknown, 4]);
    // Somebody has had the issuer asked just now: a sound token must not be thrown away for it.
    clock.advance(10_000);
    await issuer.keys.add("second");
    const rotated = await issuer.keys.token({ aud: AUD, exp }, { kid: "second" });
    const ageless = { aud: AUD, exp, iat: undefined } as Record<string, unknown>;
    const timeless = await issuer.keys.token(ageless, { kid: "second" });
    for (const token of [rotated, timeless]) {
      const error = await assertRejects(() => ask(token), ProxyError);
      assertEquals([error.kind, error.headers], ["authorization_unavailable", {
        "retry-after": "20",
      }]);
    }
    // Waiting would not make these any better.
    const iat = Math.floor(clock.now().getTime() / 1000);
    for (const claims of [{ exp: iat - 6 }, { exp, nbf: iat + 6 }, { exp, iat: iat - 17 }]) {
      const hopeless = await issuer.keys.token({ aud: AUD, ...claims }, { kid: "second" });
      assertEquals([await refused(hopeless), issuer.asked.length], [unknown, 4]);
    }
    clock.advance(20_000);
    await Promise.all([ask(rotated), ask(rotated)]);
    assertEquals(issuer.asked.length, 6);
    const old = await issuer.keys.token({ aud: AUD, exp }, { kid: "first" });
    issuer.keys.remove("first");
    await ask(old);
    clock.advance(FRESH_MS);
    assertEquals([await refused(old), issuer.asked.length], [unknown, 8]);
  }));

Deno.test("a token that names no key is held against those of its kind, eight at most", () =>
  under(async ({ issuer, ask, refused }) => {
    for (let at = 2; at <= 9; at++) await issuer.keys.add(`k${at}`);
    const nameless = (kid: string) => issuer.keys.token({ aud: AUD }, { kid, isNameless: true });
    await ask(await nameless("first"));
    await ask(await nameless("k8"));
    assertEquals(await refused(await nameless("k9")), "The access token has no valid signature.");
  }));

Deno.test("a key of the issuer that cannot be used makes a token of it a 401, is told once, and takes no other key away", async () => {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line), flush: () => Promise.resolve() };
  const logger = createLogger({ level: "debug", format: "json", clock: new ManualClock(), sink });
  await under(
    async ({ issuer, ask, refused, clock }) => {
      await issuer.keys.add("rsa", "RS256");
      const rsa = issuer.keys.jwk("rsa");
      const short = rsa.n!.slice(0, 171);
      const unusable = [
        { ...rsa, kid: "bad", n: short },
        { ...rsa, kid: "bad", n: undefined },
        { kty: "EC", crv: "P-256", x: "AAAA", kid: "bad", alg: "ES256" },
      ];
      const sound = await issuer.keys.token({ aud: AUD, exp: 4_000_000_000 }, { kid: "rsa" });
      const nameless = await issuer.keys.token(
        { aud: AUD, exp: 4_000_000_000 },
        { kid: "rsa", isNameless: true },
      );
      const encoded = (part: unknown) =>
        new TextEncoder().encode(JSON.stringify(part))
          .toBase64({ alphabet: "base64url", omitPadding: true });
      for (const bad of unusable) {
        issuer.answer = (path) =>
          path === "/keys" ? Response.json({ keys: [bad, rsa] }) : undefined;
        const head = encoded({ alg: bad.alg, kid: "bad" });
        const claims = encoded({ iss: issuer.issuer, aud: AUD, exp: 4_000_000_000, sub: "x" });
        const reason = "The access token is signed with a key that cannot be used.";
        for (let at = 0; at < 3; at++) {
          assertEquals(await refused(`${head}.${claims}.AAAA`), reason);
        }
        await ask(sound);
        await ask(nameless);
        const told = lines.splice(0).map((line) => JSON.parse(line));
        assertEquals(told.map(({ level, message, issuer }) => [level, message, issuer]), [
          ["warn", "a key of the authorization server cannot be used", issuer.issuer],
        ]);
        // For the next set of keys, and so that nothing is remembered of the tokens.
        clock.advance(FRESH_MS);
      }
    },
    {},
    logger,
  );
});

Deno.test("where no keys can be had a token is a 503 with Retry-After, and no guess", () =>
  under(async ({ issuer, ask, clock }) => {
    issuer.answer = () => new Response("down", { status: 503 });
    const token = await issuer.keys.token({ aud: AUD });
    const error = await assertRejects(() => ask(token), ProxyError);
    assertEquals([error.kind, error.status, error.headers], ["authorization_unavailable", 503, {
      "retry-after": "5",
    }]);
    await assertRejects(() => ask(token), ProxyError);
    assertEquals(issuer.asked.length, 1);
    issuer.answer = undefined;
    clock.advance(5_000);
    await ask(token);
  }));
