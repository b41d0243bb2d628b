/**
 * The tokens of a route while its targets change.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "./config/mod.ts";
import { Fields, NEVER_ABORTED } from "./http/mod.ts";
import { MAX_LEFT, RouteTokens, type TokenTarget } from "./route_tokens.ts";
import { nullLogger } from "./telemetry/mod.ts";
import { ManualClock } from "./testing/manual_clock.ts";
import * as ownTokens from "./testing/own_tokens.ts";
import * as serverToken from "./testing/server_token.ts";
import { heldBody, type HttpClientFactory } from "./upstream/mod.ts";

const { CLIENT, guardedServer, tokenIssuer } = ownTokens;

Deno.test("RouteTokens keeps the tokens of 100 targets that are no more, and those of the ones that are", async () => {
  await using issuer = tokenIssuer();
  await using server = guardedServer(issuer);
  const clock = new ManualClock();
  const oauth = {
    ...CLIENT,
    issuer: issuer.issuer,
    authentication: "client_secret_basic",
    allowPrivateAddresses: true,
  } as const;
  const tokens = new RouteTokens("/mcp", oauth, { timers: clock, logger: nullLogger });
  const make: HttpClientFactory = () => ({
    send({ fields }) {
      given.push(fields[1]!);
      return Promise.resolve({
        status: 200,
        fields: new Fields(),
        body: heldBody(new Uint8Array()),
      });
    },
    close: () => Promise.resolve(),
  });
  const given: string[] = [];
  const target = (name: string): TokenTarget => ({
    name,
    url: `${server.url}#${name}`,
    server: serverToken.serverAt(server.url, clock),
  });
  const ask = async (one: TokenTarget) => {
    const timeouts = { headersMs: 1, totalMs: 1, bodyIdleMs: 1, streamIdleMs: 1 };
    const request = {
      method: "GET",
      path: "/",
      fields: [],
      body: null,
      signal: NEVER_ABORTED,
      timeouts,
    };
    await tokens.guard(one, make)({} as never).send(request);
    return given.at(-1);
  };
  const stays = target("stays");
  const leaves = target("leaves");
  tokens.serve([stays, leaves]);
  assertEquals([await ask(stays), await ask(leaves)], [
    "Bearer canary-token-1",
    "Bearer canary-token-2",
  ]);
  for (let times = 0; times < MAX_LEFT; times++) {
    const passing = target(`passing-${times}`);
    // As a target that is opened has it done.
    tokens.guard(passing, make);
    tokens.serve([stays, passing]);
    assertEquals(await ask(leaves), "Bearer canary-token-2");
  }
  tokens.serve([stays]);
  tokens.serve([stays, leaves]);
  assertEquals([await ask(stays), await ask(leaves)], [
    "Bearer canary-token-1",
    "Bearer canary-token-3",
  ]);
  assertEquals(tokens.stats, { fetched: 3, failed: 0, refused: 0 });
  tokens.close();
  assertEquals(clock.timers, 0);
});

Deno.test("RouteTokens says which setting has a key that cannot be used", () => {
  const oauth = {
    issuer: "https://auth.example.com",
    clientId: "a",
    authentication: "private_key_jwt",
    privateKey: "canary",
    allowPrivateAddresses: false,
  } as const;
  const tools = { timers: new ManualClock(), logger: nullLogger };
  const { message } = assertThrows(() => new RouteTokens("files", oauth, tools), ConfigError);
  assertEquals(
    message.startsWith(
      "upstream.oauth of the route files.privateKey: found what is no private key",
    ),
    true,
    message,
  );
});
