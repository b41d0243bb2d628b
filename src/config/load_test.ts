import { resolve } from "node:path";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ConfigSources, environmentOverrides, loadConfig } from "./load.ts";
import { ConfigError, formatProblem } from "./problems.ts";

function load(text: string | undefined, sources: Partial<ConfigSources> = {}) {
  return loadConfig({
    ...(text === undefined ? {} : { file: "c.json", readTextFile: () => Promise.resolve(text) }),
    needsRoutes: true,
    ...sources,
  });
}

async function problems(
  text: string | undefined,
  sources: Partial<ConfigSources> = {},
): Promise<string[]> {
  const error = await assertRejects(() => load(text, sources), ConfigError);
  return error.message.split("\n");
}

const ROUTE = '{"path":"/mcp","upstream":{"url":"http://localhost:1/mcp"}}';

Deno.test("loadConfig() fills in the defaults", async () => {
  const config = await load(undefined, { flags: { upstream: "http://localhost:1/mcp" } });
  assertEquals([config.listen, config.admin, config.logLevel], ["127.0.0.1:3100", "off", "info"]);
  assertEquals(config.routes.map(({ name, path }) => [name, path]), [["/mcp", "/mcp"]]);
  assertEquals(config.limits.maxRequestBytes, 4_194_304);
  assertEquals(config.routes[0]!.upstream.credentials, "drop");
});

Deno.test("flags outweigh the environment, which outweighs the file", async () => {
  const text = `{"listen":"127.0.0.1:1","admin":"127.0.0.1:2","logLevel":"warn",
    // a comment
    "routes":[{"path":"/file","upstream":{"url":"http://file/mcp","connectTimeoutMs":5}}]}`;
  const environment = environmentOverrides((name) =>
    ({
      SWITCHYARD_LISTEN: "127.0.0.1:3",
      SWITCHYARD_ADMIN: "off",
      SWITCHYARD_UPSTREAM: "http://env/mcp",
      SWITCHYARD_PATH: "",
    })[name]
  );
  const flags = { listen: "127.0.0.1:4", path: "/flag" };
  const config = await load(text, { environment, flags });
  assertEquals([config.listen, config.admin, config.logLevel], ["127.0.0.1:4", "off", "warn"]);
  const route = config.routes[0]!;
  assertEquals([route.path, route.upstream.url], ["/flag", "http://env/mcp"]);
  assertEquals(route.upstream.connectTimeoutMs, 5);
});

Deno.test("all problems are told at once, each with path, what was found and what is wanted", async () => {
  const text = `{"listn":"x","drainTimeoutMs":"5","limits":{"maxRequestByts":4,"maxJsonDepth":0},
    "listen":"0.0.0.0:80","logLevel":"loud","routes":[
      {"path":"/a/../b","upstream":{"url":"ftp://user:secret@x","headers":{"x":"a\\nsecret"}}},
      {"path":"/mcp","name":"n","upstream":{"url":"http://x","headrs":{}}},
      {"path":"/mcp","name":"n","upstream":3}]}`;
  assertEquals(await problems(text, { flags: { admin: "here" } }), [
    '--admin: found "here", wanted host:port, such as 127.0.0.1:3101, or off',
    'logLevel: found "loud", wanted debug, info, warn, error, silent',
    'drainTimeoutMs: found "5", wanted whole milliseconds',
    "limits.maxJsonDepth: found 0, wanted at least 1",
    "limits.maxRequestByts: found a key that does not exist, wanted a known key: did you mean maxRequestBytes?",
    'routes[0].path: found "/a/../b", wanted a path such as /mcp or /github/mcp, without . or .. segments, query or escapes',
    'routes[0].upstream.url: found "ftp://…@x", wanted an http:// or https:// URL without user name, password or fragment, or unix:/path/of/socket',
    "routes[0].upstream.headers.x: found a value that is not shown, wanted printable ASCII without line breaks",
    "routes[1].upstream.headrs: found a key that does not exist, wanted a known key: did you mean headers?",
    "routes[2].upstream: found 3, wanted an object",
    "listn: found a key that does not exist, wanted a known key: did you mean listen?",
    'listen: found "0.0.0.0:80", which other machines can reach, wanted a loopback address such as 127.0.0.1:3100, auth.keys, auth.oauth, or allowPublicBind (--allow-public-bind) where something in front checks who calls',
    'routes[2].path: found "/mcp", wanted a path of its own; routes[1] has it already',
    'routes[2].name: found "n", wanted a name of its own; routes[1] has it already',
  ]);
});

Deno.test("R100 a public address needs an explicit word, from file, environment or flag", async () => {
  const flags = { listen: "[::]:80", upstream: "http://x" };
  assertEquals((await problems(undefined, { flags }))[0]!.startsWith("--listen: found"), true);
  assertEquals(
    (await load(undefined, { flags: { ...flags, allowPublicBind: true } })).listen,
    "[::]:80",
  );
  const environment = environmentOverrides((name) =>
    name === "SWITCHYARD_ALLOW_PUBLIC_BIND" ? "1" : undefined
  );
  assertEquals((await load(undefined, { flags, environment })).allowPublicBind, true);
});

Deno.test("a config without a route says how to give one", async () => {
  assertEquals(await problems("{}"), [
    "routes: found nothing, wanted at least one route: pass --upstream URL, --stdio COMMAND, or --config FILE with routes",
  ]);
  assertEquals((await load("{}", { needsRoutes: false })).routes, []);
});

Deno.test("--upstream beside several routes is a problem, not a guess", async () => {
  const text = `{"routes":[${ROUTE},${ROUTE.replace("/mcp", "/other")}]}`;
  const [first] = await problems(text, { flags: { upstream: "http://x" } });
  assertEquals(
    first,
    "--upstream: found a config file with several routes, wanted a file with one route or none, because it cannot tell which one is meant",
  );
});

Deno.test("a file that is missing, unreadable, no JSON or no object is told as such", async () => {
  const fails = (error: Error) => ({ file: "c.json", readTextFile: () => Promise.reject(error) });
  assertEquals(
    await problems(undefined, fails(new Deno.errors.NotFound())),
    ["c.json: found no such file, wanted a readable JSON or JSONC file"],
  );
  const denied = await problems(undefined, fails(new Error("denied")));
  assertEquals(denied, [
    "c.json: found a file that cannot be read (denied), wanted a readable JSON or JSONC file",
  ]);
  assertEquals((await problems("{")).length, 1);
  assertEquals(
    (await problems("[]"))[0]!.startsWith("c.json: found a list, wanted an object"),
    true,
  );
  assertEquals((await problems('{"routes":{}}'))[0], "routes: found {}, wanted a list");
});

Deno.test("a certificate without its key, and HTTP/2 over a Unix socket, are problems", async () => {
  const upstream = (more: string) => `{"routes":[{"path":"/mcp","upstream":{${more}}}]}`;
  const both = "certFile and keyFile together, or neither";
  assertEquals(
    await problems(upstream('"url":"https://x/","tls":{"certFile":"c"}')),
    [`routes[0].upstream.tls.keyFile: found nothing, wanted ${both}`],
  );
  assertEquals(
    await problems(upstream('"url":"https://x/","tls":{"keyFile":"k"}')),
    [`routes[0].upstream.tls.certFile: found nothing, wanted ${both}`],
  );
  assertEquals(await problems(upstream('"url":"unix:/a.sock","http2":true')), [
    "routes[0].upstream.http2: found true beside a unix: address, wanted false, or an http:// or https:// URL",
  ]);
  await load(upstream('"url":"https://x/","http2":true,"tls":{"certFile":"c","keyFile":"k"}'));
});

Deno.test("one upstream session must not mix the credentials of its clients", async () => {
  const upstream = (more: string) => `{"routes":[{"path":"/mcp","upstream":{${more}}}]}`;
  const both = '"url":"https://x/","sessions":"shared","credentials":"forward"';
  assertEquals(await problems(upstream(both)), [
    'routes[0].upstream.sessions: found "shared" beside credentials: "forward", wanted dedicated, ' +
    "or credentials: drop with the server's own in headers",
  ]);
  await load(upstream('"url":"https://x/","sessions":"shared"'));
  await load(upstream('"url":"https://x/","credentials":"forward"'));
});

Deno.test("allowPrivateIssuer is for clients whose tokens go to the server", async () => {
  const upstream = (more: string) =>
    `{"routes":[{"path":"/mcp","upstream":{"url":"https://x/","allowPrivateIssuer":true${more}}}]}`;
  assertEquals(await problems(upstream("")), [
    'routes[0].upstream.allowPrivateIssuer: found true without credentials: "forward", wanted false, or those forwarded',
  ]);
  const { routes: [route] } = await load(upstream(',"credentials":"forward"'));
  assertEquals(route!.upstream.allowPrivateIssuer, true);
});

Deno.test("the flag and the variable name the folder for recordings, the file its limit", async () => {
  const upstream = "http://localhost:1/mcp";
  assertEquals((await load(undefined, { flags: { upstream } })).record, undefined);
  const flags = { upstream, record: "b" };
  assertEquals((await load(undefined, { flags })).record, { dir: "b", maxBytes: 524_288 });
  const text = '{"record":{"dir":"a","maxBytes":9}}';
  assertEquals((await load(text, { flags })).record, { dir: "b", maxBytes: 9 });
  const environment = environmentOverrides((name) =>
    name === "SWITCHYARD_RECORD" ? "c" : undefined
  );
  const fromVariable = await load(text, { environment, flags: { upstream } });
  assertEquals(fromVariable.record?.dir, "c");
  assertEquals(await problems('{"record":{"maxBytes":524289}}', { flags: { upstream } }), [
    "record.dir: found nothing, wanted a string",
    "record.maxBytes: found 524289, wanted at most 524288",
  ]);
});

Deno.test("the event log is in memory unless the config says otherwise; sqlite needs a file", async () => {
  const flags = { upstream: "http://localhost:1/mcp" };
  const defaults = {
    store: "memory",
    maxEvents: 100_000,
    maxBytes: 67_108_864,
    maxStreamEvents: 2_000,
    maxStreamBytes: 4_194_304,
    maxStreams: 20_000,
    maxAgeMs: 600_000,
  };
  const { eventLog } = await load(undefined, { flags });
  assertEquals<unknown>({ ...eventLog }, defaults);
  const text = '{"eventLog":{"store":"sqlite","path":"e.db","maxStreamEvents":5}}';
  assertEquals<unknown>(
    { ...(await load(text, { flags })).eventLog },
    { ...defaults, store: "sqlite", path: "e.db", maxStreamEvents: 5 },
  );
  assertEquals((await load('{"eventLog":{"store":"off"}}', { flags })).eventLog.store, "off");
  assertEquals(await problems('{"eventLog":{"store":"sqlite"}}', { flags }), [
    "eventLog.path: found nothing, wanted a file such as /var/lib/switchyard/events.db, which the store sqlite needs",
  ]);
  assertEquals(
    await problems('{"eventLog":{"store":"disk","path":"","maxAgeMs":0,"maxEvent":1}}', { flags }),
    [
      'eventLog.store: found "disk", wanted memory, sqlite, redis or off',
      'eventLog.path: found "", wanted a file',
      "eventLog.maxAgeMs: found 0, wanted at least 1 ms",
      "eventLog.maxEvent: found a key that does not exist, wanted a known key: did you mean maxEvents?",
    ],
  );
});

Deno.test("limits of event streams: what is looked into, comments, how long a client may be away", async () => {
  const flags = { upstream: "http://localhost:1/mcp" };
  const pick = async (text: string | undefined) => {
    const { limits } = await load(text, { flags });
    return [limits.maxEventBytes, limits.keepAliveMs, limits.resumeWindowMs];
  };
  assertEquals(await pick(undefined), [16_777_216, 15_000, 300_000]);
  const text = '{"limits":{"maxEventBytes":1,"keepAliveMs":0,"resumeWindowMs":0}}';
  assertEquals(await pick(text), [1, 0, 0]);
  const bad = '{"limits":{"maxEventBytes":0,"keepAliveMs":-1,"resumeWindowMs":2147483648}}';
  assertEquals(await problems(bad, { flags }), [
    "limits.maxEventBytes: found 0, wanted at least 1",
    "limits.keepAliveMs: found -1, wanted at least 0 ms",
    "limits.resumeWindowMs: found 2147483648, wanted at most 2147483647 ms, the longest timer there is",
  ]);
});

Deno.test("interceptors of a route and of all routes are checked with their options", async () => {
  const config = await load(
    `{"interceptors":[{"use":"log"}],"routes":[{"path":"/mcp","upstream":{"url":"http://x/mcp"},
      "interceptors":[{"module":"./m.ts","options":{"a":1},"onError":"pass"},
        {"use":"access","options":{"tools":{"allow":["a*"]}},"timeoutMs":9}]}]}`,
  );
  assertEquals(config.interceptors, [
    { use: "log", options: { direction: "both" }, timeoutMs: 5000, onError: "fail" },
  ]);
  assertEquals(config.routes[0]!.interceptors, [
    { module: resolve("m.ts"), options: { a: 1 }, timeoutMs: 5000, onError: "pass" },
    {
      use: "access",
      options: { tools: { allow: ["a*"], deny: [] } },
      timeoutMs: 9,
      onError: "fail",
    },
  ]);
  const none = await load(`{"routes":[${ROUTE}]}`);
  assertEquals([none.interceptors, none.routes[0]!.interceptors], [[], []]);
});

Deno.test("what is wrong with an interceptor is told with its path and the key that was meant", async () => {
  const text = `{"routes":[${ROUTE.slice(0, -1)},"interceptors":[
    {"use":"acces"},{"use":"access","options":{"tools":{"alow":[]}}},
    {"use":"log","timeoutMS":1},{"module":"npm:x"},{}]}]}`;
  assertEquals(await problems(text), [
    'routes[0].interceptors[0].use: found "acces", wanted access, log, rate_limit, record, redact, ' +
    "rewrite, or a module",
    "routes[0].interceptors[1].options.tools.alow: found a key that does not exist, wanted a known " +
    "key: did you mean allow?",
    "routes[0].interceptors[2].timeoutMS: found a key that does not exist, wanted a known key: did " +
    "you mean timeoutMs?",
    'routes[0].interceptors[3].module: found "npm:x", wanted a path that begins with ./, ../ or /, ' +
    "of a TypeScript or JavaScript module",
    "routes[0].interceptors[4].module: found nothing, wanted the path of a module, or use with the " +
    "name of a built-in interceptor",
  ]);
});

Deno.test("R76 stores that outlive the process need a key, their file, or Redis", async () => {
  const flags = { upstream: "http://localhost:1/mcp" };
  const secret = "0123456789abcdefghijklmnopqrstuvwxyz";
  assertEquals(await problems('{"sessions":{"store":"sqlite"}}', { flags }), [
    "dataDir: found nothing, wanted dataDir, such as /var/lib/switchyard, or sessions.path: the store " +
    "sqlite needs a file",
    "sessions.keys: found no key, wanted a key in SWITCHYARD_SESSION_KEYS, such as " +
    "`openssl rand -base64 32` makes, or dataDir to keep one in: the store sqlite outlives the process, " +
    "and the ids of its sessions must too",
  ]);
  assertEquals(
    await problems('{"sessions":{"store":"redis"},"eventLog":{"store":"memory"}}', {
      flags,
      environment: { sessionKeys: secret },
    }),
    [
      "redis.url: found nothing, wanted redis://HOST:PORT, which sessions with the store redis needs",
      'eventLog.store: found "memory", wanted redis or off where sessions.store is redis: a client may ' +
      "come back at any instance",
    ],
  );
  const environment = { sessionKeys: `${secret}, ${secret}2`, redisUrl: "redis://localhost" };
  const redis = '{"sessions":{"store":"redis"},"eventLog":{"store":"redis"}}';
  const config = await load(redis, { flags, environment });
  assertEquals([...config.sessions.keys], [secret, `${secret}2`]);
  assertEquals(config.redis, { url: "redis://localhost", prefix: "switchyard", timeoutMs: 5_000 });
  const short = await problems(undefined, { flags, environment: { sessionKeys: "changeme" } });
  assertEquals(short.length, 1);
  assert(!short[0]!.includes("changeme"), short[0]);
  const shared =
    '{"sessions":{"store":"redis"},"eventLog":{"store":"off"},"routes":[{"path":"/mcp",' +
    '"upstream":{"url":"http://localhost:1/mcp","sessions":"shared"}}]}';
  assertEquals(await problems(shared, { environment }), [
    'routes[0].upstream.sessions: found "shared" beside sessions.store "redis", wanted dedicated, or the ' +
    "store memory or sqlite: instances cannot share one upstream session",
  ]);
  const channels = {
    stdio: '"stdio":{"command":"x"}',
    transport: '"url":"http://localhost:1/sse","transport":"http+sse"',
  };
  for (const [key, upstream] of Object.entries(channels)) {
    const channel = '{"sessions":{"store":"redis"},"eventLog":{"store":"off"},"routes":[{' +
      `"path":"/mcp","upstream":{${upstream}}}]}`;
    assertEquals(await problems(channel, { environment }), [
      `routes[0].upstream.${key}: found sessions that no other instance can go on with, beside ` +
      'sessions.store "redis", wanted Streamable HTTP, or the store memory or sqlite',
    ]);
  }
});

Deno.test("R96 a file that is no JSON is refused without what stands where it breaks", async () => {
  for (
    const file of [
      '{"sessions":{"keys":[hunter2-0123456789]}}',
      '{"sessions":{"keys":["a" "hunter2-0123456789"]}}',
      '{"redis":{"url":"redis://:p" hunter2-0123456789"}}',
      '{"sessions":{"keys":["hunter2-0123456789]}}',
    ]
  ) {
    const [problem] = await problems(file, {});
    assert(problem!.includes("wanted JSON") && !problem!.includes("hunter2"), problem);
  }
});

Deno.test("the transport of HTTP says nothing about a server on stdio", async () => {
  const text =
    '{"routes":[{"path":"/mcp","upstream":{"stdio":{"command":"x"},"transport":"http+sse"}}]}';
  assertEquals(await problems(text, {}), [
    "routes[0].upstream.transport: found a setting of HTTP beside stdio, wanted nothing here; the server gets " +
    "what it needs by stdio.env and stdio.args",
  ]);
});

Deno.test("a server of HTTP+SSE speaks no revision without sessions", async () => {
  for (const era of ["modern", "both"]) {
    const text = '{"routes":[{"path":"/mcp","upstream":{"url":"http://localhost:1/sse",' +
      `"transport":"http+sse","era":"${era}"}}]}`;
    assertEquals(await problems(text, {}), [
      `routes[0].upstream.era: found "${era}" beside http+sse, wanted session, or nothing: HTTP+SSE is a ` +
      "transport of 2024-11-05 and has sessions alone",
    ]);
  }
});

Deno.test("variables of the environment stand in headers and in the environment of programs, and nowhere else", async () => {
  const text = JSON.stringify({
    logLevel: "${LEVEL}",
    routes: [
      {
        path: "/a",
        upstream: { url: "http://a/mcp", headers: { "x-key": "Bearer ${KEY}$${KEY}" } },
      },
      {
        path: "/b",
        upstream: { stdio: { command: "b", args: ["${KEY}"], env: { TOKEN: "${KEY}" } } },
      },
    ],
  });
  const env: Record<string, string> = { KEY: "k${KEY}" };
  const variables = (name: string) => env[name];
  assertEquals(await problems(text, { variables }), [
    'logLevel: found "${LEVEL}", wanted debug, info, warn, error, silent',
  ]);
  const { routes } = await load(text.replace("${LEVEL}", "warn"), { variables });
  const { upstream } = routes[0]!;
  assertEquals(upstream.headers, { "x-key": "Bearer k${KEY}${KEY}" });
  const program = routes[1]!.upstream.stdio!;
  assertEquals([program.args, program.env], [["${KEY}"], { TOKEN: "k${KEY}" }]);
  const missing = "wanted one that is set; $${NAME} stands for ${NAME} itself";
  assertEquals(await problems(text.replace("${LEVEL}", "warn"), { variables: () => undefined }), [
    `routes[0].upstream.headers.x-key: found no variable KEY in the environment, ${missing}`,
    `routes[1].upstream.stdio.env.TOKEN: found no variable KEY in the environment, ${missing}`,
  ]);
});

Deno.test("a name that no header field or variable can have is told with its place and what a name is", async () => {
  const [header, env] = [
    { "x y": "secret", "": "secret", "X-Ok": "1", "Authorization: Bearer secret": "", "é": "1" },
    { "A=secret": "1" },
  ];
  const error = await assertRejects(() =>
    loadConfig({
      file: "c.json",
      needsRoutes: true,
      readTextFile: () =>
        Promise.resolve(JSON.stringify({
          auth: { header: "a b" },
          routes: [
            { path: "/a", upstream: { url: "http://a/mcp", headers: header } },
            { path: "/b", upstream: { stdio: { command: "x", env } } },
          ],
        })),
    }), ConfigError);
  const wanted = "wanted a field name such as X-Api-Key: letters, digits and any of " +
    "! # $ % & ' * + - . ^ _ ` | ~, without spaces (RFC 9110 section 5.1)";
  const at = "routes[0].upstream.headers: found the name";
  assertEquals(error.problems.map(formatProblem).slice(0, 6), [
    `auth.header: found "a b", ${wanted}`,
    `${at} "x y", ${wanted}`,
    `${at} "", ${wanted}`,
    `${at} "Authorization:…", ${wanted}`,
    `${at} "é", ${wanted}`,
    'routes[1].upstream.stdio.env: found the name "A=…", wanted a name without = and NUL',
  ]);
  assertEquals(error.message.includes("secret"), false);
});

Deno.test("fields that the proxy sends by itself are none for a config to add: they would go twice (RFC 9112 6.3)", async () => {
  const own = ["Host", "content-length", "Transfer-Encoding", "Connection", "Mcp-Session-Id"];
  const headers = Object.fromEntries([...own, "X-Ok"].map((name) => [name, "3"]));
  const error = await assertRejects(() =>
    loadConfig({
      file: "c.json",
      needsRoutes: true,
      readTextFile: () =>
        Promise.resolve(JSON.stringify({
          routes: [{ path: "/a", upstream: { url: "http://a/mcp", headers } }],
        })),
    }), ConfigError);
  assertEquals(
    error.problems.map(({ path, found }) => [path, found]),
    own.map((name) => ["routes[0].upstream.headers", `the name "${name}"`]),
  );
});

Deno.test("a level of the log that is given beside the file counts where the file has none", async () => {
  for (const [file, wanted] of [["{}", "warn"], ['{"logLevel":"debug"}', "debug"]] as const) {
    const readTextFile = () => Promise.resolve(file);
    const sources = { file: "c.json", needsRoutes: false, readTextFile, logLevel: "warn" } as const;
    assertEquals((await loadConfig(sources)).logLevel, wanted);
  }
});

for (
  const publicUrl of [
    "https://mcp.example.com",
    "http://localhost:3100",
    "http://[::1]:3100",
    "https://example.com/tools/mcp",
  ]
) {
  Deno.test(`loadConfig() takes publicUrl ${publicUrl}`, async () => {
    const config = await load(`{"publicUrl":"${publicUrl}","routes":[${ROUTE}]}`);
    assertEquals(config.publicUrl, publicUrl);
  });
}

for (
  const publicUrl of [
    "mcp.example.com",
    "https://mcp.example.com/",
    "https://MCP.example.com",
    "https://mcp.example.com:443",
    "https://example.com/tools/",
    "https://example.com/a/../b",
    "https://example.com/?a",
    "https://example.com/#a",
    "https://user@example.com",
    "https://example.com/a b",
    "https://example.com/a'b",
    "ftp://example.com",
  ]
) {
  Deno.test(`loadConfig() does not take publicUrl ${publicUrl}`, async () => {
    const [problem] = await problems(`{"publicUrl":"${publicUrl}","routes":[${ROUTE}]}`);
    assert(/^publicUrl: found ".*", wanted an http/.test(problem!), problem);
  });
}
