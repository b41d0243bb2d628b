/**
 * Settings of the proxy's own credentials for a server, and what does not go beside them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { loadConfig } from "./load.ts";
import { ConfigError, formatProblem } from "./problems.ts";

const ISSUER = "https://auth.example.com/realms/a";
const OAUTH = { issuer: ISSUER, clientId: "switchyard", clientSecret: "canary" };
const VARIABLES: Readonly<Record<string, string>> = { SECRET: "canary-2", KEY: "canary-key" };

type Settings = Readonly<Record<string, unknown>>;

function load(upstream: Settings) {
  const raw = {
    routes: [{ path: "/mcp", upstream: { url: "https://mcp.example.com/mcp", ...upstream } }],
  };
  const readTextFile = () => Promise.resolve(JSON.stringify(raw));
  const variables = (name: string) => VARIABLES[name];
  return loadConfig({ file: "x.json", needsRoutes: true, readTextFile, variables });
}

async function problems(oauth: unknown, upstream: Settings = {}): Promise<string[]> {
  const error = await load({ ...upstream, oauth }).then(() => undefined, (error) => error);
  if (error === undefined) return [];
  assert(error instanceof ConfigError, String(error));
  const told = error.problems.map(formatProblem);
  // R96
  assert(!told.join().includes("canary"), told.join());
  return told.map((one) => one.replace("routes[0].upstream.", ""));
}

const paths = (told: readonly string[]) => told.map((one) => one.split(":")[0]);

Deno.test("upstream.oauth has defaults for all but who the client is and where it is registered", async () => {
  const { routes: [route] } = await load({ oauth: OAUTH });
  assertEquals(route!.upstream.oauth, {
    ...OAUTH,
    authentication: "client_secret_basic",
    allowPrivateAddresses: false,
  });
  const full = {
    issuer: ISSUER,
    clientId: "a",
    authentication: "private_key_jwt",
    privateKeyFile: "/run/secrets/key.pem",
    keyId: "k1",
    scopes: ["mcp:use"],
    resource: "https://public.example.com/mcp",
    allowPrivateAddresses: true,
  };
  assertEquals((await load({ oauth: full })).routes[0]!.upstream.oauth, full as never);
  assertEquals((await load({})).routes[0]!.upstream.oauth, undefined);
});

Deno.test("${NAME} stands for a variable of the environment in upstream.oauth, which has to be set", async () => {
  const { routes: [route] } = await load({ oauth: { ...OAUTH, clientSecret: "${SECRET}" } });
  assertEquals(route!.upstream.oauth!.clientSecret, "canary-2");
  // One problem for one setting: what the schema would say of the rest tells nothing more.
  for (const [name, value] of [["clientSecret", "${MISSING}"], ["issuer", "https://${MISSING}/"]]) {
    assertEquals(await problems({ ...OAUTH, [name!]: value }), [
      `oauth.${name}: found no variable MISSING in the environment, wanted one that is set; ` +
      "$${NAME} stands for ${NAME} itself",
    ]);
  }
});

Deno.test("${NAME} stands for a variable also in a list of upstream.oauth", async () => {
  const scopes = ["mcp:use", "${KEY}", "$${KEY}"];
  const { routes: [route] } = await load({ oauth: { ...OAUTH, scopes } });
  assertEquals(route!.upstream.oauth!.scopes, ["mcp:use", "canary-key", "${KEY}"]);
  assertEquals(paths(await problems({ ...OAUTH, scopes: ["mcp:use", "${MISSING}", "a b"] })), [
    "oauth.scopes[1]",
    "oauth.scopes[2]",
  ]);
});

Deno.test("R93 upstream.oauth goes beside no other credentials, in headers or of clients, and beside no program", async () => {
  const [forward] = await problems(OAUTH, { credentials: "forward" });
  assertEquals(
    forward,
    'oauth: found oauth beside credentials: "forward", wanted one of the two: the proxy\'s own credentials, or ' +
      "those of its clients",
  );
  for (const name of ["authorization", "Authorization"]) {
    const [problem] = await problems(OAUTH, { headers: { [name]: "Bearer canary" } });
    assertEquals(
      problem,
      "oauth: found oauth beside authorization in headers, wanted one of the two: both say who the proxy is",
    );
  }
  assertEquals(await problems(OAUTH, { headers: { "x-tenant": "a" }, sessions: "shared" }), []);
  const stdio = await problems(OAUTH, { url: undefined, stdio: { command: "x" } });
  assertEquals(paths(stdio), ["oauth"]);
});

Deno.test("upstream.oauth has a secret, or a key, and says how it is shown", async () => {
  const { clientSecret: _secret, ...bare } = OAUTH;
  const jwt = { ...bare, authentication: "private_key_jwt" };
  const cases: readonly (readonly [unknown, readonly string[]])[] = [
    [{ ...OAUTH, authentication: "client_secret_post" }, []],
    [{ ...jwt, privateKey: "${KEY}" }, []],
    [{ ...jwt, privateKeyFile: "key.pem", keyId: "k" }, []],
    [bare, ["oauth.clientSecret"]],
    [jwt, ["oauth.privateKey"]],
    [{ ...jwt, privateKey: "canary", privateKeyFile: "key.pem" }, ["oauth.privateKey"]],
    [{ ...jwt, privateKey: "canary", clientSecret: "canary" }, ["oauth.clientSecret"]],
    [{ ...OAUTH, privateKeyFile: "key.pem" }, ["oauth.privateKeyFile"]],
    [{ ...OAUTH, keyId: "k" }, ["oauth.keyId"]],
    [{ ...bare, privateKey: "canary" }, ["oauth.privateKey", "oauth.clientSecret"]],
  ];
  for (const [oauth, wanted] of cases) {
    assertEquals(paths(await problems(oauth)), [...wanted], JSON.stringify(oauth));
  }
});

Deno.test("upstream.oauth wants an issuer that a secret may be sent to, and a server that a token may", async () => {
  const { issuer: _issuer, ...without } = OAUTH;
  assertEquals(paths(await problems(without)), ["oauth.issuer"]);
  for (
    const issuer of [
      "http://auth.example.com",
      "https://a@auth.example.com",
      "https://auth.example.com/?x",
      "auth",
    ]
  ) {
    assertEquals(paths(await problems({ ...OAUTH, issuer })), ["oauth.issuer"], issuer);
  }
  // R95
  for (const issuer of ["http://localhost:9000", "https://10.0.0.7", "https://[::1]"]) {
    const [problem] = await problems({ ...OAUTH, issuer });
    assert(
      problem!.endsWith("wanted oauth.allowPrivateAddresses: true beside it, or a public address"),
      problem,
    );
    assertEquals(await problems({ ...OAUTH, issuer, allowPrivateAddresses: true }), []);
  }
  // R96
  assertEquals(
    paths(await problems({ ...OAUTH, issuer: "https://10.0.0.1/?k=canary" })),
    ["oauth.issuer", "oauth.issuer"],
  );
  // RFC 6750 section 5.3
  assertEquals(await problems(OAUTH, { url: "http://mcp.example.com/mcp?k=canary" }), [
    'url: found "http://mcp.example.com/mcp?…" beside oauth, wanted https://, or http:// on this machine: ' +
    "anybody on the way could take the token",
  ]);
  const targets = [{ name: "a", url: "http://127.0.0.1:1/mcp" }, {
    name: "b",
    url: "http://10.0.0.1/mcp",
  }];
  assertEquals(paths(await problems(OAUTH, { url: undefined, targets })), ["targets[1].url"]);
  const unix = { url: "unix:/run/mcp.sock" };
  assertEquals(paths(await problems(OAUTH, unix)), ["oauth.resource"]);
  assertEquals(await problems({ ...OAUTH, resource: "https://mcp.example.com/mcp" }, unix), []);
});

Deno.test("upstream.oauth takes no scope that is none, no resource with a fragment, no setting that it does not know", async () => {
  const cases: readonly (readonly [Settings, string])[] = [
    [{ scopes: ["a b"] }, "oauth.scopes[0]"],
    [{ scopes: ["offline_access"] }, "oauth.scopes[0]"],
    [{ scopes: "canary" }, "oauth.scopes"],
    [{ scopes: new Array(33).fill("a") }, "oauth.scopes"],
    [{ resource: "https://mcp.example.com/#canary" }, "oauth.resource"],
    [{ resource: "mcp.example.com" }, "oauth.resource"],
    [{ clientId: "" }, "oauth.clientId"],
    [{ clientSecret: "canary\n" }, "oauth.clientSecret"],
    [{ clientSecret: ["canary"] }, "oauth.clientSecret"],
    [{ authentication: "none" }, "oauth.authentication"],
    [{ secret: "canary" }, "oauth.secret"],
  ];
  for (const [more, path] of cases) {
    assertEquals(paths(await problems({ ...OAUTH, ...more })), [path], path);
  }
  assertEquals(paths(await problems("canary")), ["oauth"]);
});
