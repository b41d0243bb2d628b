/**
 * The callers of an authorization server in tests, without a proxy around them.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Authenticator,
  OauthCallers,
  type OauthOptions,
  type Principal,
  Resources,
} from "../auth/mod.ts";
import { ProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import { type Logger, nullLogger } from "../telemetry/mod.ts";
import { type TestIssuer, testIssuer } from "./issuer.ts";
import { ManualClock } from "./manual_clock.ts";

/** The URL that clients dial. */
export const PUBLIC = "https://mcp.example.com";
/** The audience of tokens for `/mcp`. */
export const AUD = `${PUBLIC}/mcp`;
/** Where its metadata is. */
export const METADATA = `${PUBLIC}/.well-known/oauth-protected-resource/mcp`;
/** The resources: two routes. */
export const RESOURCES = new Resources({
  publicUrl: PUBLIC,
  routes: [
    { named: ["/mcp", "/mcp/sse", "/sse"], told: ["/mcp/messages"] },
    { named: ["/other/mcp"], told: [] },
  ],
});

/** Callers under test. */
export interface Under {
  /** The authorization server. */
  readonly issuer: TestIssuer;
  /** Time, which stands still until told. */
  readonly clock: ManualClock;
  /** Its callers. */
  readonly callers: OauthCallers;
  /** What recognises them. */
  readonly authenticator: Authenticator;
  /** Who a token is, or what its bearer is told. */
  ask(token: string, path?: string): Promise<Principal>;
  /** The sentence with which a token is refused as not valid, in which it does not stand itself. */
  refused(token: string, path?: string): Promise<string>;
}

/** Runs `test` with the callers of a fresh authorization server. */
export async function under(
  test: (under: Under) => Promise<void>,
  options: Partial<OauthOptions> = {},
  logger: Logger = nullLogger,
): Promise<void> {
  const clock = new ManualClock();
  await using issuer = await testIssuer(clock);
  const callers = new OauthCallers({
    issuer: issuer.issuer,
    algorithms: ["RS256", "ES256", "EdDSA", "PS256"],
    scopes: [],
    clockToleranceSeconds: 5,
    allowPrivateAddresses: true,
    ...options,
  }, { clock, logger });
  const authenticator = callers.authenticator(RESOURCES);
  const ask = async (token: string, path = "/mcp") =>
    await authenticator.authenticate(new Fields(["authorization", `Bearer ${token}`]), path);
  const refused = async (token: string, path?: string) => {
    const error = await assertRejects(() => ask(token, path), ProxyError);
    const told = error.message + error.headers["www-authenticate"];
    assert(token.length < 20 || !told.includes(token), told);
    assertEquals([error.kind, error.status], ["unauthorized", 401]);
    assert(error.headers["www-authenticate"]!.includes('error="invalid_token"'));
    return error.message;
  };
  await test({ issuer, clock, callers, authenticator, ask, refused });
  callers.close();
}
