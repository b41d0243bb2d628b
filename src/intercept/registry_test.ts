import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { keptLog } from "../testing/intercept.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { fileLines } from "./deps.ts";
import {
  buildEntries,
  InterceptorLoadError,
  InterceptorsLoadError,
  loadUserModule,
} from "./registry.ts";
import { type ConfigInterceptor, configSchemas } from "./schema.ts";

async function withModules(
  files: Readonly<Record<string, string>>,
  use: (dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "inter cept#" });
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${dir}/${name}`, text);
    }
    await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function parse(...configs: unknown[]): readonly ConfigInterceptor[] {
  return configSchemas.interceptors.parse(configs);
}

function options(baseDir: string) {
  return { clock: new ManualClock(), log: keptLog(), openLines: fileLines, baseDir };
}

const HOOK = "clientMessage() {}";

Deno.test("loadUserModule() takes an interceptor, or a function that makes one of the options", async () => {
  await withModules({
    "plain.ts": `const name: string = "plain"; export default { name, ${HOOK} };`,
    "made.js": `export default (o) => ({ name: "made " + o.x, ${HOOK} });`,
    "later.ts": `export default async (o?: object) => ({ name: String(o), ${HOOK} });`,
    "a b%20.ts": `export default { name: "odd file", ${HOOK} };`,
  }, async (dir) => {
    const load = async (path: string, o?: unknown) => (await loadUserModule(path, dir, o)).name;
    assertEquals(await load("./plain.ts"), "plain");
    assertEquals(await load(`${dir}/plain.ts`), "plain");
    assertEquals(await load("./made.js", { x: 1 }), "made 1");
    assertEquals(await load("./later.ts"), "undefined");
    assertEquals(await load("./a b%20.ts"), "odd file");
  });
});

Deno.test("loadUserModule() says what is wrong with a module, and what is wanted", async () => {
  await withModules({
    "syntax.ts": "export default {",
    "throws.ts": 'throw new Error("at the top");',
    "none.ts": "export const a = 1;",
    "text.ts": 'export default "x";',
    "nameless.ts": `export default { ${HOOK} };`,
    "hookless.ts": 'export default { name: "x", close() {} };',
    "odd.ts": 'export default { name: "x", event: 1 };',
    "factory.ts": 'export default () => { throw new Error("no key"); };',
    "nothing.ts": "export default () => {};",
  }, async (dir) => {
    const cases: [string, string][] = [
      ["./missing.ts", "cannot be imported: Module not found"],
      ["./syntax.ts", "cannot be imported"],
      ["./throws.ts", "cannot be imported: at the top. Name"],
      ["./none.ts", "has no default export; export an interceptor"],
      ["./text.ts", "gives a value of type string; wanted"],
      ["./nameless.ts", "without a proper name; wanted"],
      ["./hookless.ts", "without hooks; wanted"],
      ["./odd.ts", "whose event is no function; wanted"],
      ["./factory.ts", "exports failed: no key. Mend it"],
      ["./nothing.ts", "gives a value of type undefined; wanted"],
    ];
    for (const [path, part] of cases) {
      const error = await assertRejects(() => loadUserModule(path, dir), InterceptorLoadError);
      assertStringIncludes(error.message, part);
      assertStringIncludes(error.message, path);
    }
  });
});

Deno.test("buildEntries() makes all in their order, and closes what it made where one fails", async () => {
  await withModules({
    "m.ts": `export default ({ log }: { log: string[] }) =>
      ({ name: "m", ${HOOK}, close() { log.push("closed"); } });`,
  }, async (dir) => {
    const log: string[] = [];
    const own = { module: "./m.ts", options: { log }, timeoutMs: 7 };
    const good = parse({ use: "log" }, own, { use: "access", onError: "pass" });
    const entries = await buildEntries(good, options(dir));
    assertEquals(
      entries.map(({ interceptor: { name }, timeoutMs, onError }) => [name, timeoutMs, onError]),
      [
        ["log", 5000, "fail"],
        ["m", 7, "fail"],
        ["access", 5000, "pass"],
      ],
    );
    const bad = parse(own, { use: "record", options: { file: `${dir}/no/such` } });
    const error = await assertRejects(() => buildEntries(bad, options(dir)), InterceptorsLoadError);
    assertEquals(error.failures.map(({ at }) => at), [1]);
    assertStringIncludes(error.message, "The interceptor record cannot start: ");
    assertEquals(log, ["closed"]);
  });
});

Deno.test("a config names a built-in interceptor or a local module, and says so where it does not", () => {
  const wanted = (config: unknown) => {
    const { error } = configSchemas.interceptors.safeParse([config]);
    return error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  };
  assertEquals(wanted({ module: "../x.ts", options: [1] }), undefined);
  assertEquals(wanted({ use: "module", module: "/x.ts" }), undefined);
  assertEquals(wanted({ use: "acess" }), [
    "0.use: access, log, rate_limit, record, redact, rewrite, or a module",
  ]);
  assertEquals(wanted({}), [
    "0.module: the path of a module, or use with the name of a built-in interceptor",
  ]);
  for (const module of ["https://x/y.ts", "npm:x", "jsr:@x/y", "x.ts", "data:,x"]) {
    assertEquals(wanted({ module }), [
      "0.module: a path that begins with ./, ../ or /, of a TypeScript or JavaScript module",
    ]);
  }
  assertEquals(wanted({ use: "rate_limit", options: { burst: 0, perSecond: 1 } }), [
    "0.options.burst: at least 1",
  ]);
  assertEquals(wanted({ use: "redact", options: { patterns: ["("] } }), [
    "0.options.patterns.0: a regular expression of JavaScript that does not fit an empty text",
  ]);
  assertEquals(wanted({ use: "redact", options: { patterns: ["x*"] } })?.length, 1);
  assertEquals(wanted({ use: "redact", options: { paths: ["id"] } })?.length, 1);
  assertEquals(wanted({ use: "log", timeoutMs: 0, onError: "x" }), [
    "0.timeoutMs: at least 1 ms",
    "0.onError: fail or pass",
  ]);
});

Deno.test("fileLines() adds lines to a file, all of them before it closes, none after", async () => {
  await withModules({ "f.ndjson": "0\n" }, async (dir) => {
    const log = keptLog();
    const file = `${dir}/f.ndjson`;
    const lines = fileLines(file, log);
    const expected = ["0"];
    for (let n = 1; n < 200; n++) {
      lines.write(String(n));
      expected.push(String(n));
      if (n % 50 === 0) await Promise.resolve();
    }
    const closing = lines.close();
    lines.write("late");
    await closing;
    await lines.close();
    assertEquals((await Deno.readTextFile(file)).trimEnd().split("\n"), expected);
    assertEquals(log.lines.map(([, what, { count }]) => [what, count]), [
      ["lines of an interceptor dropped", 1],
    ]);
  });
});

Deno.test("fileLines() makes a file that nobody but its owner reads", async () => {
  await withModules({}, async (dir) => {
    await fileLines(`${dir}/f`, keptLog()).close();
    assertEquals(Deno.statSync(`${dir}/f`).mode! & 0o777, 0o600);
  });
});

Deno.test("fileLines() drops what the disk does not take in time, and counts it", async () => {
  await withModules({}, async (dir) => {
    const log = keptLog();
    const lines = fileLines(`${dir}/f`, log);
    for (let n = 0; n < 6; n++) lines.write("x".repeat(300_000));
    await lines.close();
    const { size } = await Deno.stat(`${dir}/f`);
    assert(size < 6 * 300_001 && size >= 300_001, String(size));
    assertEquals(log.lines.length, 1);
  });
});

Deno.test({
  name: "fileLines() on a disk that is full says so, and troubles nobody",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const log = keptLog();
    const lines = fileLines("/dev/full", log);
    lines.write("x");
    await lines.close();
    await lines.close();
    lines.write("y");
    assertEquals(log.lines.map(([level, what]) => [level, what]), [
      ["error", "the file of an interceptor cannot be written"],
    ]);
  },
});
