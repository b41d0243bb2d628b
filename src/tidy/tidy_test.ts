/**
 * The house rules that no compiler holds: the size of modules, who may import whom, what must be
 * the same in two places.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { VERSION } from "../cli/version.ts";
import { configSchema } from "../config/schema.ts";
import { RECORDER } from "../record/mod.ts";
import { CLIENT_INFO } from "../rpc/mod.ts";
import { parse as parseJsonc } from "@std/jsonc";
import plugin, { MAX_FUNCTION_LINES } from "./lint_plugin.ts";

const ROOT = new URL("../../", import.meta.url);
const MAX_MODULE_LINES = 500;

/** What each room of src may import of the others; "." are the files at the top of src. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  admin: [
    "balance",
    "clock.ts",
    "config",
    "errors.ts",
    "front",
    "http",
    "relay",
    "session",
    "telemetry",
  ],
  auth: ["clock.ts", "errors.ts", "http", "issuer", "telemetry", "upstream"],
  balance: ["clock.ts", "config", "era", "errors.ts", "http", "rpc", "telemetry", "upstream"],
  bridge: [
    "clock.ts",
    "era",
    "errors.ts",
    "http",
    "json",
    "peers",
    "relay",
    "rpc",
    "sse",
    "telemetry",
    "upstream",
  ],
  channel: [
    "clock.ts",
    "era",
    "errors.ts",
    "http",
    "relay",
    "rpc",
    "sse",
    "telemetry",
    "upstream",
  ],
  cli: ["auth", "check.ts", "clock.ts", "config", "record", "server.ts", "stdio", "telemetry"],
  config: ["http", "intercept", "telemetry", "upstream"],
  directory: ["clock.ts", "peers", "redis", "relay", "sqlite"],
  era: ["errors.ts", "json"],
  event_log: ["clock.ts", "errors.ts", "http", "redis", "sqlite"],
  front: [
    "auth",
    "clock.ts",
    "config",
    "era",
    "errors.ts",
    "event_log",
    "http",
    "intercept",
    "json",
    "relay",
    "rpc",
    "session",
    "sse",
    "telemetry",
    "upstream",
  ],
  http: [],
  http1: ["http"],
  intercept: ["clock.ts", "errors.ts", "http", "json", "telemetry"],
  issuer: ["clock.ts", "errors.ts", "http", "upstream"],
  json: ["errors.ts"],
  listener: ["clock.ts", "deadlines.ts", "errors.ts", "http", "http1"],
  metrics: ["admin", "balance", "json", "telemetry"],
  peers: ["clock.ts", "errors.ts", "http", "upstream"],
  record: [
    "clock.ts",
    "config",
    "errors.ts",
    "front",
    "http",
    "listener",
    "sse",
    "telemetry",
    "upstream",
  ],
  redis: ["clock.ts", "deadlines.ts"],
  relay: ["clock.ts", "errors.ts", "event_log", "http", "sse", "upstream"],
  rpc: ["clock.ts", "errors.ts", "http", "json", "sse", "upstream"],
  server_oauth: ["clock.ts", "errors.ts", "http", "issuer", "sse", "upstream"],
  server_tokens: [
    "clock.ts",
    "errors.ts",
    "http",
    "issuer",
    "server_oauth",
    "sse",
    "telemetry",
    "upstream",
  ],
  session: ["clock.ts", "errors.ts", "http", "redis", "sqlite"],
  share: ["clock.ts", "errors.ts", "http", "relay", "rpc", "sse", "upstream"],
  sqlite: [],
  sse: ["http"],
  stdio: [
    "channel",
    "clock.ts",
    "era",
    "errors.ts",
    "http",
    "json",
    "relay",
    "rpc",
    "sse",
    "telemetry",
  ],
  telemetry: ["clock.ts"],
  tidy: [],
  upstream: ["clock.ts", "deadlines.ts", "errors.ts", "http", "http1", "sse"],
  "app.ts": [
    "admin",
    "app_parts.ts",
    "balance",
    "clock.ts",
    "config",
    "front",
    "generation.ts",
    "handler.ts",
    "http",
    "interceptors.ts",
    "metrics",
    "store_check.ts",
    "stores.ts",
    "telemetry",
    "upstream",
  ],
  "app_parts.ts": [
    "clock.ts",
    "config",
    "deadlines.ts",
    "drain.ts",
    "errors.ts",
    "front",
    "holds.ts",
    "peers",
    "relay",
    "session",
    "stores.ts",
    "telemetry",
    "upstream",
  ],
  "callers.ts": ["app_parts.ts", "auth", "config", "handler.ts"],
  "certificates.ts": ["config", "upstream"],
  "check.ts": [
    "certificates.ts",
    "client_keys.ts",
    "clock.ts",
    "config",
    "intercept",
    "interceptors.ts",
    "stores.ts",
    "telemetry",
  ],
  "client_keys.ts": ["certificates.ts", "config", "server_tokens"],
  "clock.ts": [],
  "deadlines.ts": ["clock.ts"],
  "drain.ts": ["admin", "front", "telemetry"],
  "errors.ts": [],
  "generation.ts": [
    "app_parts.ts",
    "callers.ts",
    "config",
    "front",
    "handler.ts",
    "holds.ts",
    "interceptors.ts",
    "route_servers.ts",
    "server_oauth",
  ],
  "handler.ts": ["auth", "clock.ts", "errors.ts", "front", "http", "server_oauth", "telemetry"],
  "holds.ts": [],
  "interceptors.ts": ["clock.ts", "config", "intercept", "telemetry"],
  "reload.ts": ["app.ts", "clock.ts", "config", "interceptors.ts", "telemetry"],
  "route_servers.ts": [
    "app_parts.ts",
    "auth",
    "certificates.ts",
    "client_keys.ts",
    "config",
    "front",
    "holds.ts",
    "session",
    "upstreams.ts",
  ],
  "route_tokens.ts": [
    "client_keys.ts",
    "clock.ts",
    "config",
    "http",
    "server_tokens",
    "telemetry",
    "upstream",
  ],
  "server.ts": [
    "app.ts",
    "clock.ts",
    "config",
    "http",
    "interceptors.ts",
    "listener",
    "metrics",
    "record",
    "reload.ts",
    "stores.ts",
    "telemetry",
    "upstream",
  ],
  "store_check.ts": ["clock.ts", "config", "event_log", "session", "telemetry"],
  "stores.ts": [
    "clock.ts",
    "config",
    "directory",
    "errors.ts",
    "event_log",
    "peers",
    "redis",
    "relay",
    "session",
    "telemetry",
  ],
  "channel_options.ts": ["channel", "clock.ts", "config", "telemetry"],
  "counted_upstream.ts": ["upstream"],
  "targets.ts": [
    "balance",
    "certificates.ts",
    "channel",
    "channel_options.ts",
    "clock.ts",
    "config",
    "http",
    "issuer",
    "route_tokens.ts",
    "server_oauth",
    "telemetry",
    "upstream",
  ],
  "upstreams.ts": [
    "balance",
    "bridge",
    "channel",
    "channel_options.ts",
    "config",
    "counted_upstream.ts",
    "http",
    "peers",
    "route_tokens.ts",
    "server_oauth",
    "share",
    "targets.ts",
    "upstream",
  ],
};

/** The one thing outside src that a room of src may import, and which room. */
const FIXTURE_FORMAT = { room: "record", path: "fixtures/format/mod.ts" };

/** Rooms that tests alone may use. */
const TEST_ROOMS: readonly string[] = ["testing", "official_clients"];

/**
 * Rooms that are entered by their modules. `testing` is one so that a test loads what it needs: all of it is
 * the whole program, a third of a second in each of 230 files.
 */
const WITHOUT_MOD: readonly string[] = ["border", "official_clients", "testing", "tidy"];

async function* files(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory) yield* files(`${path}/`);
    else yield path;
  }
}

async function sources(...folders: string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const folder of folders) {
    for await (const path of files(folder)) {
      if (path.endsWith(".ts")) found.set(path, await read(path));
    }
  }
  return found;
}

function read(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, ROOT));
}

/** The specifiers that a module imports or re-exports. */
function imports(text: string): string[] {
  const found = text.matchAll(
    /(?:^|\n)(?:import|export)\b[^;]*?from\s+"([^"]+)"|\bimport\("([^"]+)"\)/g,
  );
  return [...found].map((match) => match[1] ?? match[2]!);
}

/** The room of a path under src: its folder, or the file itself at the top. */
function roomOf(path: string): string {
  return path.slice("src/".length).split("/", 1)[0]!;
}

Deno.test("no module has more than 500 lines", async () => {
  for (const [path, text] of await sources("src/", "conformance/", "bench/")) {
    const lines = text.split("\n").length - 1;
    assert(lines <= MAX_MODULE_LINES, `${path} has ${lines} lines`);
  }
});

Deno.test("the lint rule finds a function that is too long, and passes over tests", () => {
  const long = `function f() {\n${"  g();\n".repeat(MAX_FUNCTION_LINES)}}\n`;
  assertEquals(Deno.lint.runPlugin(plugin, "a.ts", long).length, 1);
  assertEquals(Deno.lint.runPlugin(plugin, "a_test.ts", long).length, 0);
  assertEquals(Deno.lint.runPlugin(plugin, "a.ts", "function f() {\n}\n").length, 0);
});

Deno.test("rooms of src import only what they may", async () => {
  for (const [path, text] of await sources("src/")) {
    const room = roomOf(path);
    if (path.endsWith("_test.ts") || TEST_ROOMS.includes(room)) continue;
    const allowed = MAY_IMPORT[room];
    assert(allowed !== undefined, `${room} has no line in the table of who may import whom`);
    for (const specifier of imports(text)) {
      if (!specifier.startsWith(".")) continue;
      const target = new URL(specifier, new URL(path, "file:///")).pathname.slice(1);
      if (!target.startsWith("src/")) {
        const isFormat = room === FIXTURE_FORMAT.room && target === FIXTURE_FORMAT.path;
        assert(isFormat, `${path} must import nothing outside src, but imports ${target}`);
        continue;
      }
      const wanted = roomOf(target);
      if (wanted === room) continue;
      assert(allowed.includes(wanted), `${path} must not import ${target}`);
      const isDoor = target.split("/").length === 2 || target.endsWith("/mod.ts");
      assert(isDoor, `${path} must import ${wanted} through its mod.ts, not ${target}`);
    }
  }
});

Deno.test("every room of src says in its mod.ts what it is for", async () => {
  for await (const entry of Deno.readDir(new URL("src/", ROOT))) {
    if (!entry.isDirectory || WITHOUT_MOD.includes(entry.name)) continue;
    assert((await read(`src/${entry.name}/mod.ts`)).startsWith("/**"), entry.name);
  }
});

Deno.test("conformance and bench import nothing of src", async () => {
  for (const [path, text] of await sources("conformance/", "bench/")) {
    // The candidates are other HTTP clients behind the proxy's own interface.
    if (path.startsWith("bench/candidates/")) continue;
    for (const specifier of imports(text)) {
      assert(!/(^|\/)src\//.test(specifier), `${path} imports ${specifier}`);
    }
  }
});

interface DenoConfig {
  version: string;
  imports: Record<string, string>;
}

async function denoConfig(): Promise<DenoConfig> {
  return JSON.parse(await read("deno.json"));
}

Deno.test("each package in deno.json is used, with an exact version", async () => {
  const all = [
    await read("main.ts"),
    ...(await sources("src/", "conformance/", "bench/")).values(),
  ];
  const text = all.join("\n");
  for (const [name, target] of Object.entries((await denoConfig()).imports)) {
    assert(text.includes(`"${name}"`) || text.includes(`"${name}/`), `${name} is not used`);
    assert(/@\d+\.\d+\.\d+(\/|$)/.test(target), `${target} has no exact version`);
  }
});

Deno.test("jsr.import_map.json has the same names, those of @std from JSR", async () => {
  const { imports: npm } = await denoConfig();
  const { imports: jsr } = JSON.parse(await read("jsr.import_map.json")) as DenoConfig;
  assertEquals(Object.keys(jsr).toSorted(), Object.keys(npm).flatMap(withSubpaths).toSorted());
  for (const [name, target] of Object.entries(jsr)) {
    if (name.startsWith("@std/")) assert(target.startsWith("jsr:@std/"), target);
    else {assertEquals(
        target.replace("npm:/", "npm:").replace(/\/$/, ""),
        npm[name.replace(/\/$/, "")],
      );}
  }
});

/** An import map, unlike deno.json, needs a second entry for the paths inside a package. */
function withSubpaths(name: string): string[] {
  const withPaths = ["sdk", "sdk-1.11", "server-everything"].map((one) =>
    `@modelcontextprotocol/${one}`
  );
  return withPaths.includes(name) ? [name, `${name}/`] : [name];
}

Deno.test("the version is the same in deno.json, in the program and in the changelog", async () => {
  assertEquals(VERSION, (await denoConfig()).version);
  assertEquals(RECORDER, `switchyard ${VERSION}`);
  assertEquals(CLIENT_INFO, { name: "switchyard", version: VERSION });
  assert((await read("CHANGELOG.md")).includes(`## ${VERSION}`));
});

Deno.test("the configs that the README shows are sound", async () => {
  const blocks = [...(await read("README.md")).matchAll(/```jsonc\n(.*?)```/gs)];
  assert(blocks.length > 0);
  for (const [, text] of blocks) configSchema.parse(parseJsonc(text!));
});

Deno.test("the README tells the two commands, and CI runs the second", async () => {
  const readme = await read("README.md");
  assert(readme.includes("npx -y deno@2.9.5 task start"));
  assert(readme.includes("npx -y deno@2.9.5 task test"));
  assert((await read(".ci/run")).includes("npx -y deno@2.9.5 task"));
});

Deno.test("the graph of the binary is whole, and holds none of the test packages", async () => {
  const directory = await Deno.makeTempDir();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "-P",
      "--frozen",
      "--exclude-unused-npm",
      "--output",
      `${directory}/x`,
      "main.ts",
    ],
    cwd: ROOT,
    // Any file serves as the runtime here: the graph is checked and listed, nothing is run.
    env: { DENORT_BIN: Deno.execPath(), NO_COLOR: "1" },
  }).output();
  await Deno.remove(directory, { recursive: true });
  const listing = new TextDecoder().decode(stderr);
  assertEquals(code, 0, listing);
  for (const name of ["main.ts", "zod", "jose", "eventsource-parser", "deno-std"]) {
    assert(listing.includes(name), `${name} is not embedded`);
  }
  for (
    const name of [
      "modelcontextprotocol",
      "oidc-provider",
      "fast-check",
      "undici",
      "fuzz",
      "_test.ts",
    ]
  ) {
    assert(!listing.includes(name), `${name} is embedded`);
  }
});
