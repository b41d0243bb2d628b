/**
 * Where a server may send the proxy for its metadata: over real sockets.
 *
 * Sources: RFC 9728 sections 3.3 and 7.7; 2026-07-28 basic/authorization/authorization-server-discovery; R95.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { NEVER_ABORTED } from "../http/mod.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import * as serverToken from "../testing/server_token.ts";
import { MAX_PLACE_CHARACTERS } from "./discovery.ts";

const { under } = serverToken;

/** A challenge that names the place of the metadata. */
function at(place: string | URL): string {
  return `resource_metadata="${place}"`;
}

Deno.test("R95 a server has nothing of a private network asked for as its metadata, whatever the authorization server may be", async () => {
  await using inner = scriptedUpstream((_, to) => to.write(jsonAnswer("{}")));
  for (const allowPrivateAddresses of [true, false]) {
    for (const host of ["127.0.0.1", "localhost"]) {
      await under(async ({ server, issuer, failure, logs }) => {
        const place = new URL("/admin/drain?target=a", inner.url);
        place.hostname = host;
        server.challenge = at(place);
        assertEquals((await failure()).kind, "server_token_unavailable");
        const { reason } = logs[0] as { reason: string };
        assert(reason.startsWith("the server's metadata: its name resolves to"), reason);
        assert(reason.endsWith("; upstream.oauth.resource at its origin allows those"), reason);
        assertEquals([inner.requests.length, issuer.paths], [0, []]);
      }, { allowPrivateAddresses });
    }
  }
});

Deno.test("metadata at the origin of the authorization server are had where that may be asked", async () => {
  for (const allowPrivateAddresses of [true, false]) {
    await under(async ({ source, server, issuer, failure, logs }) => {
      server.challenge = at(`${issuer.issuer}/resources/a`);
      const document = { resource: server.url, scopes_supported: ["elsewhere"] };
      issuer.instead = (path) => path === "/resources/a" ? Response.json(document) : undefined;
      if (allowPrivateAddresses) {
        assertEquals((await source.current(NEVER_ABORTED)).scopes, ["elsewhere"]);
      } else {
        await failure();
        const { reason } = logs[0] as { reason: string };
        assert(reason.endsWith("; upstream.oauth.allowPrivateAddresses allows those"), reason);
      }
      assertEquals(issuer.paths.length, allowPrivateAddresses ? 3 : 0);
      assertEquals(server.looked, []);
    }, { allowPrivateAddresses });
  }
});

Deno.test("a place of metadata that is too long, or has a name and a password, counts for nothing", async () => {
  const places = (origin: string) => [
    `${origin}/${"x".repeat(MAX_PLACE_CHARACTERS)}`,
    `${origin.replace("//", "//a:b@")}/named`,
  ];
  for (const which of [0, 1]) {
    await under(async ({ source, server }) => {
      server.challenge = at(places(new URL(server.url).origin)[which]!);
      await source.current(NEVER_ABORTED);
      assertEquals(server.looked, ["/.well-known/oauth-protected-resource/mcp"]);
    });
  }
});

/** The public name of a server that is dialled at an address inside. */
const PUBLIC = "https://mcp.example.com";

Deno.test("metadata at the origin of oauth.resource are had from the server that is dialled, as those at its own", async () => {
  for (const isThere of [true, false]) {
    await under(async ({ source, server, issuer }) => {
      server.challenge = at(`${PUBLIC}/.well-known/oauth-protected-resource/public`);
      server.metadata = isThere
        ? { resource: `${PUBLIC}/mcp`, scopes_supported: ["a"] }
        : undefined;
      assertEquals((await source.current(NEVER_ABORTED)).scopes, isThere ? ["a"] : []);
      assertEquals(server.looked, ["/.well-known/oauth-protected-resource/public"]);
      assertEquals(issuer.requests[0]!.form.get("resource"), `${PUBLIC}/mcp`);
    }, {
      resource: `${PUBLIC}/mcp`,
      // Nobody is looked up: the server is dialled where it is.
      resolve: () => Promise.reject(new Error("looked up")),
    });
  }
});

Deno.test("metadata that are not there are none also at another origin, and an error there is told as one of theirs", async () => {
  for (const status of [302, 401, 404, 429, 503]) {
    const isNone = status !== 429 && status < 500;
    await under(async ({ source, server, issuer, failure, logs }) => {
      server.challenge = at(`${issuer.issuer}/resources/a`);
      issuer.instead = (path) =>
        path === "/resources/a" ? new Response(null, { status }) : undefined;
      if (isNone) {
        await source.current(NEVER_ABORTED);
        assertEquals(issuer.requests[0]!.form.get("resource"), server.url);
      } else {
        assertEquals((await failure()).kind, "server_token_unavailable");
        assertEquals(logs[0]!.reason, `the server's metadata: it answered ${status}`);
      }
    });
  }
});

Deno.test("RFC 9728 3.3: a server of several tenants gives none of them a token for all by metadata of its own", async () => {
  const wellKnown = "/.well-known/oauth-protected-resource";
  for (const named of [`${wellKnown}/tenant-a/own.json`, wellKnown, undefined]) {
    await under(async ({ source, server, issuer, failure, logs }) => {
      const { origin } = new URL(server.url);
      server.metadata = { resource: origin };
      if (named !== undefined) server.challenge = at(origin + named);
      if (named === wellKnown) {
        await source.current(NEVER_ABORTED);
        assertEquals(issuer.requests[0]!.form.get("resource"), origin);
      } else {
        assertEquals((await failure()).kind, "server_access_refused");
        assertEquals(
          logs[0]!.reason,
          "the server's metadata are of another resource than the URL that is dialled",
        );
      }
    });
  }
});
