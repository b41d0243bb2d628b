/**
 * RFC 8414 section 3: how often an authorization server is asked for its document, and for how long.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { DocumentError } from "../issuer/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import {
  ISSUER_FOUND_MS,
  ISSUER_LOOKUP_MS,
  ISSUER_MISSING_MS,
  IssuerLookup,
} from "./issuer_lookup.ts";

const ISSUER = "https://auth.example.com";

function documentOf(issuer: string) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    response_types_supported: ["code"],
  };
}

type Answer = (url: URL, signal: AbortSignal) => Promise<unknown>;

/** A lookup; `asked` is what was asked for, `failed` what was told of failures. */
function setUp(answer: Answer = ({ origin }) => Promise.resolve(documentOf(origin))) {
  const clock = new ManualClock();
  const asked: string[] = [];
  const failed: string[] = [];
  const lookup = new IssuerLookup({
    clock,
    fetchDocument: (url, signal) => {
      asked.push(url.href);
      return answer(url, signal);
    },
    onFailed: (issuer, reason) => void failed.push(`${issuer}: ${reason}`),
  });
  return { clock, asked, failed, lookup };
}

/** Does not answer before it is given up. */
const never: Answer = (_, signal) =>
  new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(new DocumentError("given up")), { once: true })
  );

Deno.test("document() is asked for once for all at a time, and again when ISSUER_FOUND_MS are over", async () => {
  const { clock, asked, lookup } = setUp();
  const found = await Promise.all([lookup.document(ISSUER), lookup.document(ISSUER)]);
  assertEquals(found, [documentOf(ISSUER), documentOf(ISSUER)]);
  clock.advance(ISSUER_FOUND_MS - 1);
  await lookup.document(ISSUER);
  assertEquals(asked, [`${ISSUER}/.well-known/oauth-authorization-server`]);
  clock.advance(1);
  await lookup.document(ISSUER);
  assertEquals([asked.length, clock.timers], [2, 0]);
});

Deno.test("document() of another issuer is asked for behind the one under way, and takes its place", async () => {
  const { asked, lookup } = setUp();
  const issuers = ["https://a.example.com", "https://b.example.com", "https://b.example.com"];
  const found = await Promise.all(issuers.map((issuer) => lookup.document(issuer)));
  assertEquals(found.map((document) => document?.["issuer"]), issuers);
  assertEquals(asked.length, 2);
  await lookup.document(issuers[0]!);
  assertEquals(asked.length, 3);
});

for (
  const [what, error] of [
    ["is at an address that may not be asked", new DocumentError("private", { isFinal: true })],
    ["answers 404", new DocumentError("it answered 404", { status: 404 })],
    ["redirects", new DocumentError("it answered 302", { status: 302 })],
  ] as const
) {
  Deno.test(`document() of one that ${what} is none, for ISSUER_MISSING_MS, and told once for each attempt`, async () => {
    const { clock, failed, lookup } = setUp(() => Promise.reject(error));
    assertEquals([await lookup.document(ISSUER), await lookup.document(ISSUER)], [
      undefined,
      undefined,
    ]);
    assertEquals(failed, [`${ISSUER}: ${error.message}`]);
    clock.advance(ISSUER_MISSING_MS);
    await lookup.document(ISSUER);
    assertEquals(failed.length, 2);
  });
}

Deno.test("document() of somebody else, or without endpoints, is none", async () => {
  for (const document of [documentOf("https://else.example.com"), { issuer: ISSUER }]) {
    const { failed, lookup } = setUp(() => Promise.resolve(document));
    assertEquals([await lookup.document(ISSUER), failed.length], [undefined, 1]);
  }
});

for (const status of [undefined, 429, 500, 503]) {
  Deno.test(`document() of one that ${status ?? "nobody"} answers may be there another time: 503`, async () => {
    const details = status === undefined ? {} : { status };
    let isDown = true;
    const { clock, lookup } = setUp(({ origin }) =>
      isDown
        ? Promise.reject(new DocumentError("down", details))
        : Promise.resolve(documentOf(origin))
    );
    const error = await assertRejects(() => lookup.document(ISSUER), ProxyError);
    assertEquals([error.kind, error.status, error.headers["retry-after"]], [
      "authorization_unavailable",
      503,
      "5",
    ]);
    isDown = false;
    await assertRejects(() => lookup.document(ISSUER), ProxyError);
    clock.advance(ISSUER_MISSING_MS);
    assertEquals(await lookup.document(ISSUER), documentOf(ISSUER));
  });
}

Deno.test("document() gives up when ISSUER_LOOKUP_MS are over, and when it is closed, which nobody is told", async () => {
  const { clock, failed, lookup } = setUp(never);
  const late = assertRejects(() => lookup.document(ISSUER), ProxyError);
  clock.advance(ISSUER_LOOKUP_MS);
  await late;
  assertEquals(failed, [`${ISSUER}: given up`]);
  clock.advance(ISSUER_MISSING_MS);
  const closed = assertRejects(() => lookup.document(ISSUER), ProxyError);
  lookup.close();
  await closed;
  assertEquals([failed.length, clock.timers], [1, 0]);
});
