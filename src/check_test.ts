/**
 * What a config names beside itself: `check-config` finds all that a start would stumble over, and starts nothing.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { checkNamed } from "./check.ts";
import { ConfigError } from "./config/mod.ts";
import { configSchema } from "./config/schema.ts";
import { ManualClock } from "./testing/manual_clock.ts";
import * as messages from "./testing/messages.ts";
import { startProgram as spawn } from "./testing/program.ts";
import { postText } from "./testing/raw_client.ts";
import * as reloading from "./testing/reload.ts";

const { namedUpstream, routeTo, withReloadable } = reloading;
const TLS = new URL("../fixtures/tls/", import.meta.url);
const pem = (name: string) => new URL(name, TLS).pathname;

const HOOK = "clientMessage() {}";

/** Interceptor modules, some of which cannot be made. */
const MODULES: Readonly<Record<string, string>> = {
  "good.ts": `export default { name: "good", ${HOOK} };`,
  "closes.ts": `export default () => ({ name: "c", ${HOOK}, close() { console.log("closed"); } });`,
  "syntax.ts": "export default {",
  "silent.ts": "export default () => { throw new TypeError(); };",
  "nothing.ts": "export default () => { throw undefined; };",
  "none.ts": "export const a = 1;",
};

/** PEM files that cannot be used. */
const PEMS: Readonly<Record<string, string>> = {
  "text.pem": "no PEM",
  "broken.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  "broken.key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
  "open.key": "-----BEGIN PRIVATE KEY-----\nAAAA\n",
};

async function withFiles(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries({ ...MODULES, ...PEMS })) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const upstream = (more = {}) => ({ url: "https://localhost:1/mcp", ...more });
const modules = (...names: string[]) => names.map((name) => ({ module: `./${name}` }));

/** A config with every fault, and the path of each with what is said of it. */
function faulty(folder: string): { settings: unknown; wanted: [string, RegExp][] } {
  const inFolder = (name: string) => `${folder}/${name}`;
  const tls = [
    { caFile: inFolder("no-such.pem") },
    { caFile: inFolder("text.pem"), certFile: pem("client.pem"), keyFile: pem("server.key") },
    { certFile: inFolder("broken.pem"), keyFile: inFolder("broken.key") },
    { caFile: pem("server.key"), certFile: pem("client.pem"), keyFile: inFolder("open.key") },
    { caFile: folder },
  ];
  const client = {
    issuer: "https://auth.example.com",
    clientId: "a",
    authentication: "private_key_jwt",
  };
  const keys = [
    { privateKeyFile: inFolder("no-such.key") },
    { privateKeyFile: inFolder("broken.key") },
    { privateKeyFile: pem("client.key") },
    { privateKey: "changeme" },
  ];
  const secured = (oauth: object) =>
    upstream({ url: "https://mcp.example.com/mcp", oauth: { ...client, ...oauth } });
  const settings = {
    dataDir: inFolder("text.pem/data"),
    record: { dir: inFolder("recordings/here") },
    eventLog: { store: "sqlite", path: inFolder("no/events.db") },
    sessions: {
      store: "sqlite",
      path: folder,
      keys: ["changeme-changeme-changeme-changeme"],
    },
    interceptors: modules("good.ts", "syntax.ts"),
    routes: [
      { path: "/a", upstream: upstream(), interceptors: modules("closes.ts", "silent.ts") },
      {
        path: "/b",
        upstream: { stdio: { command: "touch", args: [inFolder("ran")] } },
        interceptors: [
          ...modules("nothing.ts", "none.ts", "missing.ts"),
          { use: "record", options: { file: inFolder("no/such/file") } },
          { use: "record", options: { file: inFolder("recorded.ndjson") } },
        ],
      },
      ...tls.map((one, at) => ({ path: `/tls${at}`, upstream: upstream({ tls: one }) })),
      ...keys.map((one, at) => ({ path: `/key${at}`, upstream: secured(one) })),
    ],
  };
  return {
    settings,
    wanted: [
      ["sessions.keys", /wanted secrets such as/],
      ["dataDir", /text\.pem\/data, where .*\/text\.pem is a file, wanted a folder/],
      ["sessions.path", /, which is a folder, wanted a file/],
      ["eventLog.path", /no\/events\.db, and no folder .*\/no, wanted/],
      ["interceptors[1]", /syntax\.ts cannot be imported/],
      ["routes[0].interceptors[1]", /silent\.ts exports failed: a TypeError without a message\./],
      ["routes[1].interceptors[0]", /nothing\.ts exports failed: undefined was thrown\./],
      ["routes[1].interceptors[1]", /none\.ts has no default export/],
      ["routes[1].interceptors[2]", /missing\.ts cannot be imported: Module not found/],
      ["routes[1].interceptors[3]", /record cannot start: there is no folder .*\/no\/such to make/],
      ["routes[2].upstream.tls.caFile", /no-such\.pem, which cannot be read/],
      ["routes[3].upstream.tls.caFile", /text\.pem, which holds no PEM block/],
      ["routes[3].upstream.tls.keyFile", /server\.key, which is not the key of the certificate in/],
      ["routes[4].upstream.tls.certFile", /broken\.pem, which cannot be used/],
      ["routes[4].upstream.tls.keyFile", /broken\.key, which cannot be used/],
      ["routes[5].upstream.tls.caFile", /which holds a PEM block PRIVATE KEY alone/],
      ["routes[5].upstream.tls.keyFile", /PRIVATE KEY has no end/],
      ["routes[6].upstream.tls.caFile", /which cannot be read \(it is a folder\)/],
      ["routes[7].upstream.oauth.privateKeyFile", /no-such\.key: No such file/],
      ["routes[8].upstream.oauth.privateKeyFile", /broken\.key: what is no private key/],
      ["routes[10].upstream.oauth.privateKey", /found what is no private key without a passphrase/],
    ],
  };
}

Deno.test("check-config finds every fault of what the config names, each with its path, and starts nothing", async () => {
  await withFiles(async (folder) => {
    const { settings, wanted } = faulty(folder);
    const before = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(settings));
    const all = ["-A"];
    const { code, out, err } = await spawn(
      ["check-config", "--config", `${folder}/config.json`],
      all,
    )
      .end();
    const lines = err.trim().split("\n");
    assertEquals([code, lines.map((line) => line.split(": ")[0])], [
      2,
      wanted.map(([path]) => path),
    ]);
    for (const [at, [, said]] of wanted.entries()) assertMatch(lines[at]!, said);
    assert(!err.includes("changeme"));
    // What could be made is closed again.
    assertEquals(out, ["closed"]);
    const after = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assertEquals(after, [...before, "config.json"].sort());
  });
});

Deno.test("check-config says that a config is sound whose certificates and interceptors are", async () => {
  await withFiles(async (folder) => {
    const both = `${folder}/both.pem`;
    // One file with the certificate, what a person reads of it, and the key is common.
    const texts = [pem("client.key"), pem("client.pem")].map((file) => Deno.readTextFileSync(file));
    await Deno.writeTextFile(both, `Certificate:\n${texts.join("")}`);
    const tls = [
      { caFile: pem("ca.pem"), certFile: pem("client.pem"), keyFile: pem("client.key") },
      { certFile: both, keyFile: both },
    ];
    // None of them is there yet.
    const places = {
      dataDir: `${folder}/data`,
      record: { dir: `${folder}/a/b` },
      sessions: { store: "sqlite" },
      eventLog: { store: "sqlite", path: `${folder}/data/events.db` },
    };
    const routes = tls.map((one, at) => ({
      path: `/tls${at}`,
      upstream: upstream({ tls: one }),
      interceptors: modules("good.ts"),
    }));
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify({ ...places, routes }));
    const { code, out, err } = await spawn(
      ["check-config", "--config", `${folder}/config.json`],
      "-A",
    )
      .end();
    assertEquals([code, out, err], [0, ["The config is sound: 2 route(s)."], ""]);
    const made = [...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory);
    assertEquals(made, []);
  });
});

Deno.test("a start tells all interceptors that cannot be made, and then all certificates and keys", async () => {
  await withFiles(async (folder) => {
    const { settings, wanted } = faulty(folder);
    const { routes } = settings as { routes: Record<string, unknown>[] };
    const started = async (config: unknown) => {
      await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
      const args = ["serve", "--listen", "127.0.0.1:0", "--config", `${folder}/config.json`];
      const { code, err } = await spawn(args, "-A").end();
      assertEquals(code, 2);
      return err.trim().split("\n").map((line) => line.split(": ")[0]);
    };
    const paths = wanted.map(([path]) => path);
    const bare = { interceptors: modules("good.ts", "syntax.ts"), routes };
    assertEquals(await started(bare), paths.filter((path) => path.includes("interceptors")));
    const certificates = paths.filter((path) => /upstream\.(tls|oauth)/.test(path));
    const without = routes.map((route) => ({ ...route, interceptors: [] }));
    assertEquals(await started({ routes: without }), certificates);
  });
});

Deno.test("a reload with a client's key that is not the certificate's leaves the proxy as it is", async () => {
  await using server = namedUpstream("u");
  const good = { routes: [routeTo("mcp", server.url)] };
  await withReloadable(good, async (proxy) => {
    const tls = { certFile: pem("client.pem"), keyFile: pem("server.key") };
    const outcome = await proxy.put({
      routes: [routeTo("mcp", "https://localhost:1/mcp", { tls })],
    });
    assert(!outcome.ok);
    assertEquals(outcome.problems.length, 1);
    assertStringIncludes(outcome.problems[0]!, "routes[0].upstream.tls.keyFile: found ");
    assertEquals((await postText(proxy.origin, messages.ping())).status, 200);
  });
});

Deno.test("checkNamed() waits 30 seconds for a module that does not come to its end", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/hangs.ts`;
  await Deno.writeTextFile(file, "export default () => new Promise(() => {});");
  const clock = new ManualClock();
  const config = configSchema.parse({
    routes: [{ path: "/mcp", upstream: upstream(), interceptors: [{ module: file }] }],
  });
  const checking = checkNamed(config, clock).then(() => undefined, (error: unknown) => error);
  clock.advance(30_000);
  const error = await checking;
  assert(error instanceof ConfigError);
  assertMatch(
    error.message,
    /^routes\[0\]\.interceptors\[0\]: found a module that took more than 30 seconds to load/,
  );
  assertEquals(clock.timers, 0);
  await Deno.remove(folder, { recursive: true });
});
