import { assertEquals, assertStringIncludes } from "@std/assert";
import { Processes } from "../official_processes.ts";
import { pathOf, type RecordCase } from "./case.ts";
import { CASES } from "./cases.ts";
import { type Outcome, recordAll } from "./run.ts";

const FIXTURES = `${import.meta.dirname}/../../fixtures`;
const PING = CASES.find((item) => pathOf(item) === "2025-11-25/ping")!;

/** What comes of a case, with what is committed given by `commit`. */
async function outcomeOf(
  item: RecordCase,
  commit: (folder: string) => Promise<void>,
): Promise<Outcome> {
  const root = await Deno.makeTempDir({ prefix: "switchyard-run-" });
  const processes = new Processes();
  try {
    await Deno.mkdir(`${root}/committed/${pathOf(PING)}`, { recursive: true });
    await commit(`${root}/committed/${pathOf(PING)}`);
    const [outcome] = await recordAll([item], {
      processes,
      committed: `${root}/committed`,
      folder: `${root}/now`,
    });
    return outcome!;
  } finally {
    await processes.close();
    await Deno.remove(root, { recursive: true });
  }
}

function commitPing(change: (exchange: string) => string): (folder: string) => Promise<void> {
  return async (folder) => {
    const from = `${FIXTURES}/${pathOf(PING)}`;
    await Deno.copyFile(`${from}/meta.json`, `${folder}/meta.json`);
    const exchange = await Deno.readTextFile(`${from}/exchange.ndjson`);
    await Deno.writeTextFile(`${folder}/exchange.ndjson`, change(exchange));
  };
}

Deno.test("recordAll() shows what is answered in another way than in the fixture", async () => {
  const { status, text } = await outcomeOf(
    PING,
    commitPing((exchange) => exchange.replace("switchyard-session-fixture", "another-server")),
  );
  assertEquals(status, "different");
  assertStringIncludes(text, "another-server");
  assertStringIncludes(text, "switchyard-session-fixture");
});

Deno.test("recordAll() tells a fixture that is not there yet", async () => {
  const { status } = await outcomeOf(PING, async () => {});
  assertEquals(status, "missing");
});

Deno.test("recordAll() tells a conversation that fails, and goes on", async () => {
  const broken = { ...PING, run: () => Promise.reject(new Error("the client fell silent")) };
  const { status, text } = await outcomeOf(broken, async () => {});
  assertEquals([status, text], ["failed", "the client fell silent"]);
});
