import { assert, assertEquals, assertRejects } from "@std/assert";
import { loadConfig } from "./load.ts";
import { ConfigError } from "./problems.ts";

const HASH = "ab".repeat(32);
const KEYS = [{ name: "ci", sha256: HASH }];

function load(config: Record<string, unknown>) {
  const routes = [{ path: "/mcp", upstream: { url: "http://localhost:1/mcp" } }];
  const text = JSON.stringify({ routes, ...config });
  const readTextFile = () => Promise.resolve(text);
  return loadConfig({ file: "c.json", readTextFile, needsRoutes: true });
}

async function problems(config: Record<string, unknown>): Promise<string[]> {
  const error = await assertRejects(() => load(config), ConfigError);
  return error.message.split("\n");
}

function forwarding(...credentials: string[]) {
  return credentials.map((one, index) => ({
    path: `/m${index}`,
    upstream: { url: "http://localhost:1/mcp", credentials: one },
  }));
}

Deno.test("without auth nobody is told apart; keys come with or without a header", async () => {
  assertEquals((await load({})).auth, { keys: [] });
  assertEquals((await load({ auth: { keys: KEYS } })).auth, { keys: KEYS });
  const auth = { header: "X-Api-Key", keys: KEYS };
  assertEquals((await load({ auth })).auth, auth);
});

Deno.test("R93 a key in Authorization beside a route that forwards it says to set auth.header", async () => {
  const routes = forwarding("drop", "forward");
  assertEquals(await problems({ auth: { keys: KEYS }, routes }), [
    'routes[1].upstream.credentials: found "forward", while Authorization holds the key for this ' +
    "proxy, wanted auth.header, such as x-api-key, so that Authorization is the server's; or drop",
  ]);
  await load({ auth: { header: "x-api-key", keys: KEYS }, routes });
  await load({ routes });
});

Deno.test("auth.header may not be a field with another meaning, nor stand alone", async () => {
  for (
    const header of [
      "Host",
      "content-type",
      "Content-Length",
      "cookie",
      "mcp-session-id",
      "MCP_Session_Id",
      "Last-Event-ID",
      "accept",
      "connection",
      "transfer-encoding",
      "origin",
      "proxy-authorization",
      "x-forwarded-for",
    ]
  ) {
    assertEquals(await problems({ auth: { header, keys: KEYS } }), [
      `auth.header: found ${
        JSON.stringify(header)
      }, wanted a field without another meaning, such as ` +
      "x-api-key",
    ]);
  }
  const [problem] = await problems({ auth: { header: "Authorization", keys: KEYS } });
  assert(problem!.includes("nothing, which means Authorization: Bearer KEY"), problem);
  assertEquals(await problems({ auth: { header: "x-api-key" } }), [
    'auth.header: found "x-api-key" without auth.keys, wanted auth.keys beside it, or neither',
  ]);
  for (const header of ["x-api-key", "api_key", "x-content-key", "hostess"]) {
    await load({ auth: { header, keys: KEYS } });
  }
});

Deno.test("R96 what is wrong with a key is told without showing it", async () => {
  const key = "sy_0123456789012345678901234567890123456789012";
  const hidden = "found a value that is not shown";
  const keys = [{ name: "a b", sha256: key }, ...KEYS, { name: "other", sha256: HASH }, key];
  const found = await problems({ auth: { keys } });
  assertEquals(found, [
    'auth.keys[0].name: found "a b", wanted 1 to 64 letters, digits, . _ @ or -',
    `auth.keys[0].sha256: ${hidden}, wanted 64 lower-case hex digits, as \`switchyard new-key\` prints them`,
    `auth.keys[3]: ${hidden}, wanted an object`,
    "auth.keys[2].sha256: found the hash of auth.keys[1], wanted a key of its own",
  ]);
  for (const auth of [key, { keys: key }, { keys: { key } }]) {
    const text = (await problems({ auth })).join();
    assert(!text.includes(key) && text.includes("an object") || text.includes("a list"), text);
  }
  const sessions = (await problems({ sessions: { keys: ["short-secret"] } })).join();
  assert(!sessions.includes("short-secret"), sessions);
});

Deno.test("R96 a secret in the place of something else is told without showing it", async () => {
  const secret = "hunter2-0123456789012345678901234567";
  for (
    const config of [
      { sessions: [secret] },
      { sessions: secret },
      { sessions: { store: "memory", keys: secret } },
      { redis: `redis://:${secret}@localhost` },
      { redis: { url: `redis:/:${secret}@localhost` } },
      { redis: { url: `rediss//user:p@${secret}@localhost` } },
    ]
  ) {
    const text = (await problems(config)).join();
    assert(text.includes("a value that is not shown") && !text.includes(secret), text);
  }
  assert((await problems({ sessions: { store: "disk" } })).join().includes('found "disk"'));
});

Deno.test("R100 with keys other machines may reach listen without another word, and admin not", async () => {
  const auth = { keys: KEYS };
  assertEquals((await load({ auth, listen: "0.0.0.0:80" })).listen, "0.0.0.0:80");
  assertEquals(await problems({ auth, listen: "0.0.0.0:80", admin: "0.0.0.0:81" }), [
    'admin: found "0.0.0.0:81", which other machines can reach, wanted a loopback address such as ' +
    "127.0.0.1:3100, or allowPublicBind (--allow-public-bind) where something in front checks who calls",
  ]);
  const [problem] = await problems({ auth: { keys: [] }, listen: "0.0.0.0:80" });
  assert(problem!.includes("127.0.0.1:3100, auth.keys, auth.oauth, or allowPublicBind"), problem);
});

const ISSUER = "https://auth.example.com";

Deno.test("auth.oauth has defaults for all but the issuer", async () => {
  const { auth, publicUrl } = await load({ auth: { oauth: { issuer: ISSUER } } });
  assertEquals(publicUrl, undefined);
  assertEquals(auth.oauth, {
    issuer: ISSUER,
    algorithms: ["RS256", "ES256", "EdDSA", "PS256"],
    scopes: [],
    clockToleranceSeconds: 5,
    allowPrivateAddresses: false,
  });
  const full = {
    issuer: "http://localhost:8080/realms/a",
    audience: ["https://mcp.example.com", "api://abc"],
    jwksUri: "https://keys.example.com/jwks?v=1",
    algorithms: ["ES384"],
    scopes: ["mcp:use"],
    clockToleranceSeconds: 0,
    nameClaim: "https://example.com/name",
    allowPrivateAddresses: true,
  };
  assertEquals((await load({ auth: { oauth: full } })).auth.oauth, full);
});

Deno.test("auth.oauth takes no issuer in the clear, no algorithm with a shared secret or none, no scope of refresh tokens", async () => {
  for (
    const [oauth, path] of [
      [{}, "issuer"],
      [{ issuer: "http://auth.example.com" }, "issuer"],
      [{ issuer: "http://localhost.example.com" }, "issuer"],
      [{ issuer: "https://user:pass@auth.example.com" }, "issuer"],
      [{ issuer: `${ISSUER}#a` }, "issuer"],
      [{ issuer: `${ISSUER}?a=b` }, "issuer"],
      [{ issuer: "auth.example.com" }, "issuer"],
      [{ issuer: `${ISSUER}/${"x".repeat(1_024)}` }, "issuer"],
      [{ issuer: ISSUER, jwksUri: "http://auth.example.com/jwks" }, "jwksUri"],
      [{ issuer: ISSUER, audience: [] }, "audience"],
      [{ issuer: ISSUER, audience: "" }, "audience"],
      [{ issuer: ISSUER, audience: new Array(17).fill("a") }, "audience"],
      [{ issuer: ISSUER, algorithms: ["none"] }, "algorithms[0]"],
      [{ issuer: ISSUER, algorithms: ["RS256", "HS256"] }, "algorithms[1]"],
      [{ issuer: ISSUER, algorithms: [] }, "algorithms"],
      [{ issuer: ISSUER, scopes: ["a b"] }, "scopes[0]"],
      [{ issuer: ISSUER, scopes: ['a"b'] }, "scopes[0]"],
      [{ issuer: ISSUER, scopes: ["a", "offline_access"] }, "scopes[1]"],
      [{ issuer: ISSUER, scopes: new Array(33).fill("a") }, "scopes"],
      [{ issuer: ISSUER, clockToleranceSeconds: 301 }, "clockToleranceSeconds"],
      [{ issuer: ISSUER, nameClaim: "a b" }, "nameClaim"],
      [{ issuer: ISSUER, audiences: "a" }, "audiences"],
    ] as const
  ) {
    const [problem, ...more] = await problems({ auth: { oauth } });
    assertEquals([problem!.split(":")[0], more], [`auth.oauth.${path}`, []], problem);
    assert(!problem!.includes("user:pass"), problem);
  }
  const [problem] = await problems({ auth: { oauth: { issuer: "ftp://x" } } });
  assert(problem!.includes('found "ftp://x", wanted an https:// URL'), problem);
});

Deno.test("auth.oauth needs the URL that clients dial, unless that is listen on this machine", async () => {
  const auth = { oauth: { issuer: ISSUER } };
  const wanted =
    "publicUrl: found nothing, beside auth.oauth, wanted the URL that clients dial, such as " +
    "https://mcp.example.com: tokens are issued for it";
  for (const listen of ["0.0.0.0:80", "mcp.example.com:80", "127.0.0.1:0"]) {
    assertEquals(await problems({ auth, listen }), [wanted]);
    await load({ auth, listen, publicUrl: "https://mcp.example.com" });
  }
  for (const listen of ["127.0.0.1:3100", "localhost:3100", "[::1]:3100"]) {
    await load({ auth, listen });
  }
});

Deno.test("R93 a token in Authorization beside a route that forwards it is refused, also with auth.header", async () => {
  const routes = forwarding("forward");
  for (const auth of [{}, { header: "x-api-key", keys: KEYS }]) {
    assertEquals(await problems({ auth: { ...auth, oauth: { issuer: ISSUER } }, routes }), [
      'routes[0].upstream.credentials: found "forward", while Authorization holds the access token for this ' +
      "proxy, wanted drop, with what the server asks for in upstream.headers",
    ]);
  }
});

Deno.test("R100 with auth.oauth other machines may reach listen without another word, and admin not", async () => {
  const config = {
    auth: { oauth: { issuer: ISSUER } },
    publicUrl: "https://mcp.example.com",
    listen: "0.0.0.0:80",
  };
  await load(config);
  const [problem, ...more] = await problems({ ...config, admin: "0.0.0.0:81" });
  assertEquals([problem!.split(":")[0], more], ["admin", []]);
});

Deno.test("R95 auth.oauth of an authorization server that could never be dialled wants allowPrivateAddresses", async () => {
  const hosts = ["http://localhost:8080", "http://127.0.0.1", "http://[::1]", "https://10.0.0.1"];
  const more = [
    "https://192.168.1.1:8443",
    "https://[fd00::1]",
    "https://127.1",
    "https://LOCALHOST",
  ];
  for (const host of [...hosts, ...more]) {
    const issuer = `${host}/realms/a`;
    const [problem, ...others] = await problems({ auth: { oauth: { issuer } } });
    assertEquals([problem, others], [
      `auth.oauth.issuer: found ${
        JSON.stringify(issuer)
      }, which is not of the public internet, wanted ` +
      "auth.oauth.allowPrivateAddresses: true beside it, or a public address",
      [],
    ]);
    await load({ auth: { oauth: { issuer, allowPrivateAddresses: true } } });
    // With jwksUri the issuer is a name, and nobody dials it.
    await load({ auth: { oauth: { issuer, jwksUri: "https://auth.example.com/jwks" } } });
    const oauth = { issuer: ISSUER, jwksUri: issuer };
    const [ofKeys] = await problems({ auth: { oauth } });
    assertEquals(ofKeys!.split(":")[0], "auth.oauth.jwksUri");
  }
  for (const issuer of ["https://1.1.1.1", "https://[2606:4700::1111]", "https://intranet"]) {
    await load({ auth: { oauth: { issuer } } });
  }
});

Deno.test("auth.oauth takes no two routes whose metadata would be at one path (RFC 9728 section 3.1)", async () => {
  const auth = { oauth: { issuer: ISSUER } };
  const routes = (...paths: string[]) =>
    paths.map((path) => ({ path, upstream: { url: "http://localhost:1/mcp" } }));
  const publicUrl = "https://mcp.example.com/tools";
  assertEquals(await problems({ auth, publicUrl, routes: routes("/mcp", "/tools/mcp") }), [
    'routes[1].path: found "/tools/mcp", whose metadata is at the path of that of https://mcp.example.com/tools/mcp, ' +
    "wanted a path that does not begin with /tools, the path of publicUrl",
  ]);
  // Also by the names for clients of HTTP+SSE.
  const [problem, ...more] = await problems({
    auth,
    publicUrl,
    routes: routes("/a/mcp", "/tools/a"),
  });
  assertEquals([problem!.split(":")[0], more], ["routes[1].path", []], problem);
  for (const paths of [["/mcp", "/tools/other"], ["/mcp", "/toolsmcp"], ["/tools/mcp"]]) {
    await load({ auth, publicUrl, routes: routes(...paths) });
  }
  await load({ auth, publicUrl: "https://mcp.example.com", routes: routes("/mcp", "/tools/mcp") });
  // Without tokens the proxy has no metadata of its own.
  await load({ publicUrl, routes: routes("/mcp", "/tools/mcp") });
});
