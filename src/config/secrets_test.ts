/**
 * R96: what a config has of secrets stands in no sentence that says what is wrong with it. A reload logs these
 * sentences, and gives them to whoever asked for it.
 *
 * @module
 */

import { assert } from "@std/assert";
import { loadConfig } from "./load.ts";
import { ConfigError } from "./problems.ts";

const SECRET = "canary";
const URL_WITH_TOKEN = `http://host/mcp?token=${SECRET}`;

const upstream = (upstream: unknown, more = {}) => ({
  routes: [{ path: "/mcp", upstream, ...more }],
});
const interceptors = (interceptors: unknown) => upstream({ url: "http://host/" }, { interceptors });

const WRONG: Readonly<Record<string, unknown>> = {
  "the scheme of a URL": upstream({ url: `htp://host/mcp?token=${SECRET}` }),
  "a fragment": upstream({ url: `http://host/mcp#${SECRET}` }),
  "a password": upstream({ url: `http://user:${SECRET}@host/mcp` }),
  "a password with @": upstream({ url: `http://user:a@${SECRET}@host/mcp` }),
  "a password with /": upstream({ url: `http://user:a/${SECRET}@host/mcp` }),
  "the URL of a target": upstream({ targets: [{ name: "a", url: `ftp://host/?k=${SECRET}` }] }),
  "targets that are the same": upstream({
    targets: [{ name: "a", url: URL_WITH_TOKEN }, { name: "b", url: URL_WITH_TOKEN }],
  }),
  "a URL in the place of the upstream": upstream(URL_WITH_TOKEN),
  "a list of URLs": upstream({ url: [URL_WITH_TOKEN] }),
  "a query of a unix: address": upstream({ url: `unix:/x?k=${SECRET}`, http2: true }),
  "a list around a route": { routes: [[{ path: "/mcp", upstream: { headers: { a: SECRET } } }]] },
  "routes that are no list": { routes: { path: "/mcp", upstream: { headers: { a: SECRET } } } },
  "options that are no object": interceptors([{ use: "rate_limit", options: SECRET }]),
  "interceptors that are no list": interceptors({ use: "x", options: { token: SECRET } }),
  "a field that is no string": upstream({ url: "http://host/", headers: { a: [SECRET] } }),
  "a file that is a URL": URL_WITH_TOKEN,
};

for (const [what, raw] of Object.entries(WRONG)) {
  Deno.test(`R96 a problem does not tell a secret: ${what}`, async () => {
    const readTextFile = () => Promise.resolve(JSON.stringify(raw));
    const error = await loadConfig({ file: "x.json", needsRoutes: true, readTextFile })
      .then(() => undefined, (error) => error);
    assert(error instanceof ConfigError);
    assert(!error.message.includes(SECRET), error.message);
  });
}
