/**
 * RFC 9728 section 3: how often a server is asked for its metadata, for how long, and in which order.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import { DocumentError } from "../issuer/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { IssuerLookup } from "./issuer_lookup.ts";
import { heldBody, type HttpAnswer, type HttpRequest } from "../upstream/mod.ts";
import {
  FOUND_MS,
  LOOKUP_MS,
  MAX_LOOKUPS,
  MAX_SERVERS,
  MetadataLookup,
  type MetadataServer,
  MISSING_MS,
} from "./lookup.ts";

const DOCUMENT = { authorization_servers: ["https://auth.example.com"] };
const WELL_KNOWN = "/.well-known/oauth-protected-resource";

type Answer = (server: string, request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;

function json(document: unknown, status = 200): HttpAnswer {
  const body = heldBody(new TextEncoder().encode(JSON.stringify(document)));
  return { status, fields: new Fields(["content-type", "application/json"]), body };
}

/** A lookup at servers of these names; `asked` is who was asked for what. */
function setup(answer: Answer, names: readonly string[] = ["one"]) {
  const clock = new ManualClock();
  const asked: string[] = [];
  let open = 0;
  const server = (name: string): MetadataServer => ({
    name,
    hostname: `${name}.internal`,
    origin: `https://${name}.internal`,
    path: "/mcp",
    open: () => {
      open++;
      return {
        send: async (request) => {
          asked.push(`${name} ${request.path}`);
          return await answer(name, request);
        },
        close: () => Promise.resolve(void open--),
      };
    },
  });
  const issuers = new IssuerLookup({
    clock,
    fetchDocument: ({ href, origin: issuer }, signal) => {
      asked.push(href);
      if (!issuer.includes("hangs")) return Promise.resolve({ ...ENDPOINTS, issuer });
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new DocumentError("given up")), {
          once: true,
        });
      });
    },
    onFailed: () => {},
  });
  const lookup = new MetadataLookup({ clock, servers: () => names.map(server), issuers });
  return { clock, asked, lookup, open: () => open };
}

const ENDPOINTS = {
  authorization_endpoint: "https://auth.example.com/authorize",
  token_endpoint: "https://auth.example.com/token",
  response_types_supported: ["code"],
};

const never = ({ signal }: HttpRequest) =>
  new Promise<HttpAnswer>((_, reject) => {
    const stop = () => reject(new ProxyError("client_closed", "Given up."));
    signal.addEventListener("abort", stop, { once: true });
  });

Deno.test("metadata() asks once for all at a time, and again when FOUND_MS are over", async () => {
  const { clock, asked, lookup, open } = setup(() => json(DOCUMENT));
  const found = await Promise.all([lookup.metadata(), lookup.metadata()]);
  assertEquals(found, [DOCUMENT, DOCUMENT]);
  clock.advance(FOUND_MS - 1);
  await lookup.metadata();
  assertEquals(asked, [`one ${WELL_KNOWN}/mcp`]);
  clock.advance(1);
  await lookup.metadata();
  assertEquals(asked.length, 2);
  assertEquals(open(), 0);
});

for (
  const [what, answer] of [
    ["no metadata", () => json({}, 404)],
    ["a failure", () => json({}, 500)],
    ["a failed connection", () => {
      throw new ProxyError("upstream_unreachable", "Nobody there.");
    }],
  ] as const satisfies readonly (readonly [string, Answer])[]
) {
  Deno.test(`metadata() keeps ${what} for MISSING_MS`, async () => {
    const { clock, asked, lookup } = setup(answer);
    const first = await lookup.metadata().catch((error) => error.kind);
    const count = asked.length;
    clock.advance(MISSING_MS - 1);
    assertEquals(await lookup.metadata().catch((error) => error.kind), first);
    assertEquals(asked.length, count);
    clock.advance(1);
    await lookup.metadata().catch((error) => error.kind);
    assertEquals(asked.length, 2 * count);
  });
}

Deno.test("metadata() gives up when LOOKUP_MS are over, whatever it was waiting for, and when it is closed", async () => {
  const { clock, lookup, open } = setup((_, request) => never(request));
  const waiting = lookup.metadata();
  clock.advance(LOOKUP_MS - 1);
  assertEquals(open(), 1);
  clock.advance(1);
  const error = await assertRejects(() => waiting, ProxyError);
  assertEquals([error.kind, open()], ["upstream_timeout", 0]);
  clock.advance(MISSING_MS);
  const closed = lookup.metadata();
  lookup.close();
  assertEquals((await assertRejects(() => closed, ProxyError)).kind, "upstream_unreachable");
});

Deno.test("metadata() asks MAX_SERVERS that cannot be reached, and no more; one that has named its metadata first", async () => {
  const names = Array.from({ length: MAX_SERVERS + 1 }, (_, at) => `s${at}`);
  const { clock, asked, lookup } = setup(() => {
    throw new ProxyError("upstream_unreachable", "Nobody there.");
  }, names);
  lookup.challenged("s2", "/named");
  const error = await assertRejects(() => lookup.metadata(), ProxyError);
  assertEquals(error.kind, "upstream_unreachable");
  assertEquals(asked, ["s2 /named", `s0 ${WELL_KNOWN}/mcp`, `s1 ${WELL_KNOWN}/mcp`]);
  lookup.challenged("s2", "/other");
  lookup.challenged("s2", "/other");
  await lookup.metadata().catch(() => {});
  assertEquals(asked[3], "s2 /other");
  assertEquals(clock.monotonicMs() >= 0, true);
});

Deno.test("metadata() keeps nothing of a server that is there no more", async () => {
  const names = ["one"];
  const { asked, lookup } = setup(() => json(DOCUMENT), names);
  lookup.challenged("one", "/named");
  await lookup.metadata();
  names[0] = "two";
  lookup.forget();
  names[0] = "one";
  await lookup.metadata();
  assertEquals(asked, ["one /named", `one ${WELL_KNOWN}/mcp`]);
});

Deno.test("metadata() of a client that was refused is not what a lookup began with before the challenge", async () => {
  const slow = Promise.withResolvers<void>();
  const { asked, lookup } = setup(async (_, { path }) => {
    if (path === "/named") return json(DOCUMENT);
    await slow.promise;
    return json({}, 404);
  });
  const before = lookup.metadata();
  lookup.challenged("one", "/named");
  // RFC 9728 section 5.1: where the server says that its metadata is.
  const [behind, beside] = [lookup.metadata(), lookup.metadata()];
  assertEquals(asked, [`one ${WELL_KNOWN}/mcp`, "one /named"]);
  assertEquals(await behind, DOCUMENT);
  assertEquals(await beside, DOCUMENT);
  slow.resolve();
  assertEquals(await before, undefined);
  assertEquals(await lookup.metadata(), DOCUMENT);
  assertEquals(asked.filter((one) => one === "one /named"), ["one /named"]);
});

Deno.test("metadata() has MAX_LOOKUPS under way; with more changes who asks has what the newest of them gives, which is not kept", async () => {
  const { clock, asked, lookup, open } = setup((_, request) => never(request));
  const waiting: Promise<unknown>[] = [];
  for (let at = 0; at < MAX_LOOKUPS + 2; at++) {
    lookup.challenged("one", `/named-${at}`);
    waiting.push(lookup.metadata().catch(({ kind }) => kind));
  }
  assertEquals([open(), asked.at(-1)], [MAX_LOOKUPS, `one /named-${MAX_LOOKUPS - 1}`]);
  clock.advance(LOOKUP_MS);
  assertEquals(await Promise.all(waiting), Array(MAX_LOOKUPS + 2).fill("upstream_timeout"));
  assertEquals(open(), 0);
  // What was joined was none of this generation's.
  lookup.metadata().catch(() => {});
  assertEquals(asked.at(-1), `one /named-${MAX_LOOKUPS + 1}`);
  lookup.close();
});

Deno.test("metadata() asks anew for a client that was refused, where the last time was MISSING_MS ago", async () => {
  const { clock, asked, lookup } = setup(() => json(DOCUMENT));
  await lookup.metadata();
  lookup.challenged("one", undefined);
  clock.advance(MISSING_MS - 1);
  await lookup.metadata();
  assertEquals(asked.length, 1);
  clock.advance(1);
  await lookup.metadata();
  assertEquals(asked.length, 2);
  clock.advance(MISSING_MS);
  await lookup.metadata();
  assertEquals(asked.length, 2);
  lookup.challenged("one", undefined);
  await lookup.metadata();
  assertEquals(asked.length, 3);
});

Deno.test("authorizationServer() is that which the server is itself, else the first that it names", async () => {
  const path = "/.well-known/oauth-authorization-server";
  const issuer = "https://own.example.com";
  const own = setup((_, request) =>
    request.path === path ? json({ ...ENDPOINTS, issuer }) : json({}, 404)
  );
  assertEquals(await own.lookup.authorizationServer(), { ...ENDPOINTS, issuer });
  assertEquals(own.asked.at(-1), `one ${path}`);
  const named = ["https://auth.example.com", "https://more.example.com"];
  const other = setup(() => json({ authorization_servers: named }));
  assertEquals(await other.lookup.authorizationServer(), { ...ENDPOINTS, issuer: named[0] });
  assertEquals(other.asked, [`one ${WELL_KNOWN}/mcp`, `${named[0]}${path}`]);
  const none = setup(() => json({}, 404));
  assertEquals(await none.lookup.authorizationServer(), undefined);
});

Deno.test("authorizationServer() is asked of the server itself where its metadata name its own origin", async () => {
  const issuer = "https://one.internal/tenant";
  const place = "/.well-known/oauth-authorization-server/tenant";
  for (const told of [issuer, "https://one.internal"]) {
    const { asked, lookup } = setup((_, { path }) =>
      json(path === place ? { ...ENDPOINTS, issuer: told } : { authorization_servers: [issuer] })
    );
    const found = await lookup.authorizationServer();
    if (told === issuer) {
      assertEquals(found, { ...ENDPOINTS, issuer });
      assertEquals(asked, [`one ${WELL_KNOWN}/mcp`, `one ${place}`]);
    } else {
      // It speaks for somebody else; it is asked as any other.
      assertEquals([found, asked.slice(2)[0]], [undefined, `https://one.internal${place}`]);
    }
  }
});

Deno.test("close() ends what authorization servers are asked", async () => {
  const { clock, lookup } = setup(() =>
    json({ authorization_servers: ["https://hangs.example.com"] })
  );
  const asking = assertRejects(() => lookup.authorizationServer(), ProxyError);
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  lookup.close();
  await asking;
  assertEquals(clock.timers, 0);
});
