import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { apiKeys } from "../auth/mod.ts";
import { configSchema } from "../config/schema.ts";
import * as messages from "../testing/messages.ts";
import { postText } from "../testing/raw_client.ts";
import { jsonAnswer, scriptedUpstream } from "../testing/scripted_upstream.ts";
import type { CommandIo } from "./io.ts";
import { run } from "./run.ts";
import { VERSION } from "./version.ts";

function fakeIo(options: { env?: Record<string, string>; isStandalone?: boolean } = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const listening = Promise.withResolvers<string>();
  const signal = Promise.withResolvers<string>();
  const io: CommandIo = {
    out(line) {
      out.push(line);
      if (line.startsWith("listening ")) listening.resolve(line.slice("listening ".length));
    },
    err: (line) => void err.push(line),
    env: (name) => options.env?.[name],
    stderrIsTerminal: false,
    isStandalone: options.isStandalone ?? false,
    messages: () => ({
      input: new ReadableStream(),
      output: { write: (b) => Promise.resolve(b.length) },
    }),
    stopSignal: () => ({
      received: signal.promise,
      repeated: new Promise(() => {}),
      dispose: () => {},
    }),
    onHangup: () => () => {},
  };
  return { io, out, err, listening: listening.promise, stop: () => signal.resolve("SIGTERM") };
}

Deno.test("--version and --help print and end with 0", async () => {
  const { io, out } = fakeIo();
  assertEquals([await run(["--version"], io), out], [0, [VERSION]]);
  assertEquals(await run(["serve", "--help"], io), 0);
  assertStringIncludes(out[1]!, "--upstream URL");
});

Deno.test("wrong flags, wrong config and no upstream end with 2 and a sentence each", async () => {
  const wrong = [["--nope"], ["serve"], ["serve", "--upstream", "x"], [
    "check-config",
    "--config",
    "/no/such",
  ]];
  for (const args of wrong) {
    const { io, out, err } = fakeIo();
    assertEquals(await run(args, io), 2);
    assertEquals(out, []);
    assertMatch(err.join("\n"), /found .*, wanted /);
  }
});

Deno.test("R76 check-config finds a key that serve would refuse, and does not show it", async () => {
  const key = "changeme-changeme-changeme-changeme";
  for (const command of ["check-config", "serve"]) {
    const { io, out, err } = fakeIo({ env: { SWITCHYARD_SESSION_KEYS: key } });
    const args = [command, "--upstream", "http://localhost:1/mcp", "--listen", "127.0.0.1:0"];
    assertEquals([await run(args, io), out], [2, []]);
    assertMatch(err.join(), /^sessions\.keys: found .*, wanted secrets such as/);
    assert(!err.join().includes("changeme"));
  }
});

Deno.test("a compiled binary without an upstream says what to pass", async () => {
  const { io, err } = fakeIo({ isStandalone: true });
  assertEquals(await run([], io), 2);
  assertStringIncludes(err.join("\n"), "pass --upstream URL, --stdio COMMAND, or --config FILE");
});

Deno.test("check-config says that a config is sound", async () => {
  const { io, out } = fakeIo({ env: { SWITCHYARD_UPSTREAM: "http://localhost:1/mcp" } });
  assertEquals([await run(["check-config"], io), out], [0, ["The config is sound: 1 route(s)."]]);
});

Deno.test("new-key prints a key and the entry that has a config take it, and says what they are", async () => {
  const { io, out, err } = fakeIo();
  assertEquals(await run(["new-key", "--name", "ci.build@example"], io), 0);
  const [key, entry, ...rest] = out;
  assertEquals([rest, err.length], [[], 2]);
  assertMatch(key!, /^sy_[A-Za-z0-9_-]{43}$/);
  const { auth } = configSchema.parse({ auth: { keys: [JSON.parse(entry!)] } });
  assertEquals(auth.keys[0]!.name, "ci.build@example");
  const headers = new Headers({ authorization: `Bearer ${key}` });
  assertEquals(await apiKeys(auth).authenticate(headers, "/mcp"), {
    id: "key:ci.build@example",
    name: "ci.build@example",
  });
  assert(!err.join().includes("sy_"));
});

Deno.test("new-key without a name makes one up, and refuses one that no config takes", async () => {
  const names = await Promise.all([1, 2].map(async () => {
    const { io, out } = fakeIo();
    assertEquals(await run(["new-key"], io), 0);
    const { name } = JSON.parse(out[1]!);
    assertMatch(name, /^caller-[0-9a-f]{8}$/);
    return name;
  }));
  assertNotEquals(names[0], names[1]);
  const { io, out, err } = fakeIo();
  assertEquals([await run(["new-key", "--name", "a b"], io), out], [2, []]);
  assertEquals(err, ['--name: found "a b", wanted 1 to 64 letters, digits, . _ @ or -']);
});

for (const command of ["serve", "start"]) {
  Deno.test(`${command} proxies until a signal comes, with one line on stdout`, async () => {
    const answer = jsonAnswer('{"jsonrpc":"2.0","id":1,"result":{}}');
    await using upstream = scriptedUpstream((_, to) => to.write(answer));
    const { io, out, err, listening, stop } = fakeIo();
    const args = [
      command,
      "--listen",
      "127.0.0.1:0",
      "--upstream",
      upstream.url,
      "--path",
      "/x/mcp",
    ];
    const exit = run([...args, "--log-level", "silent"], io);
    const endpoint = await listening;
    assertMatch(endpoint, /^http:\/\/127\.0\.0\.1:\d+\/x\/mcp$/);
    const { origin } = new URL(endpoint);
    assertEquals((await postText(origin, messages.ping())).status, 404);
    if (command === "start") {
      assertStringIncludes(err.join("\n"), `curl -i ${endpoint}`);
      assertMatch(err.join("\n"), /Admin +http:\/\/127\.0\.0\.1:\d+\/status/);
    } else assertEquals(err, []);
    stop();
    assertEquals([await exit, out.length], [0, 1]);
  });
}

Deno.test("an address in use ends with 1 and says so", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { io, err } = fakeIo();
  const address = `127.0.0.1:${taken.addr.port}`;
  const args = [
    "serve",
    "--listen",
    address,
    "--upstream",
    "http://localhost:1",
    "--log-level",
    "silent",
  ];
  assertEquals(await run(args, io), 1);
  assertStringIncludes(err.join("\n"), `Cannot listen on ${address}`);
});
