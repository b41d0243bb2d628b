import { assertEquals } from "@std/assert";
import { Processes } from "../official_processes.ts";
import { pathOf } from "./case.ts";
import { CASES } from "./cases.ts";
import { recordAll } from "./run.ts";

const FIXTURES = `${import.meta.dirname}/../../fixtures`;

Deno.test({
  name: "each fixture is what its server and its client say to each other today",
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "switchyard-drift-" });
    const processes = new Processes();
    try {
      const outcomes = await recordAll(CASES, { processes, committed: FIXTURES, folder });
      const drifted = outcomes.filter(({ status }) => status !== "same")
        .map(({ item, status, text }) => `${status} ${pathOf(item)}\n${text}`);
      assertEquals(outcomes.length, CASES.length);
      assertEquals(drifted, []);
    } finally {
      await processes.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
