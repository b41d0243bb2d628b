import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type CheckResult,
  collectResults,
  countResults,
  diffResults,
  parseChecks,
  scenarioOfDirectory,
  scenariosOfSummary,
  WHOLE_SCENARIO,
} from "./official_results.ts";
import { authScenarioOf } from "./official_auth.ts";
import { freePort } from "./free_port.ts";
import { portOpen, Processes } from "./official_processes.ts";

const SUMMARY = `
=== Running scenario: ping ===

=== SUMMARY ===
✓ ping: 1 passed, 0 failed
✗ tools-list: 0 passed, 1 failed

Total: 1 passed, 1 failed

Not scored: 1 scenario(s) run, 1 failing.
  ✗ tasks-lifecycle (extension)
`;

function result(scenario: string, checkId: string, status: CheckResult["status"]): CheckResult {
  return { scenario, checkId, status };
}

const PING = result("ping", "ping/Ping", "SUCCESS");
const LIST = result("tools-list", "tools-list/List", "FAILURE");

Deno.test("parseChecks() numbers repeated checks and leaves log rows out", () => {
  const json = JSON.stringify([
    { id: "reject", name: "Method", status: "SUCCESS", timestamp: "t", details: { any: 1 } },
    { id: "outgoing-request", name: "OutgoingRequest", status: "INFO" },
    { id: "reject", name: "Name", status: "WARNING" },
    { id: "reject", name: "Name", status: "FAILURE" },
    { id: "bare", status: "SKIPPED" },
  ]);
  assertEquals(parseChecks("headers", json), [
    result("headers", "reject/Method", "SUCCESS"),
    result("headers", "reject/Name", "WARNING"),
    result("headers", "reject/Name #2", "FAILURE"),
    result("headers", "bare", "SKIPPED"),
  ]);
});

Deno.test("parseChecks() refuses what is not a list of checks", () => {
  assertThrows(() => parseChecks("ping", "{}"), TypeError, "not a list");
  assertThrows(() => parseChecks("ping", '[{"id":"ping","status":"FINE"}]'), TypeError, "status");
  assertThrows(() => parseChecks("ping", "[null]"), TypeError, "without an id");
});

Deno.test("scenarioOfDirectory() takes the time off the name", () => {
  const scenario = scenarioOfDirectory(
    "server-sep-2164-resource-not-found-2026-08-01T10-20-30-456Z",
  );
  assertEquals(scenario, "sep-2164-resource-not-found");
  assertEquals(scenarioOfDirectory("somewhere-else"), undefined);
});

Deno.test("scenariosOfSummary() lists every scenario that was run", () => {
  assertEquals(scenariosOfSummary(SUMMARY), ["ping", "tools-list"]);
  assertEquals(scenariosOfSummary("it broke"), []);
});

Deno.test("collectResults() counts a scenario without checks as failed", () => {
  const results = collectResults(SUMMARY, new Map([["ping", [PING]]]));
  assertEquals(results, [PING, result("tools-list", WHOLE_SCENARIO, "FAILURE")]);
});

Deno.test("countResults() lets a scenario pass with warnings, and counts no skipped checks", () => {
  const results = [
    PING,
    result("ping", "b", "WARNING"),
    result("ping", "c", "SKIPPED"),
    LIST,
  ];
  const counts = { scenariosPassed: 1, scenarios: 2, checksPassed: 1, checks: 3 };
  assertEquals(countResults(results), counts);
});

Deno.test("diffResults() is empty for equal results, in any order", () => {
  assertEquals(diffResults([PING, LIST], [LIST, PING]), []);
});

Deno.test("diffResults() finds a status that changed, for the better or the worse", () => {
  const direct = [PING, LIST];
  const proxied = [{ ...PING, status: "WARNING" as const }, {
    ...LIST,
    status: "SUCCESS" as const,
  }];
  assertEquals(diffResults(direct, proxied), [
    { scenario: "ping", checkId: "ping/Ping", direct: "SUCCESS", proxied: "WARNING" },
    { scenario: "tools-list", checkId: "tools-list/List", direct: "FAILURE", proxied: "SUCCESS" },
  ]);
});

Deno.test("diffResults() finds a scenario that is missing on one side", () => {
  const row = { scenario: "tools-list", checkId: WHOLE_SCENARIO };
  const lost = { ...row, direct: "present" as const, proxied: "missing" as const };
  const added = { ...row, direct: "missing" as const, proxied: "present" as const };
  assertEquals(diffResults([PING, LIST], [PING]), [lost]);
  assertEquals(diffResults([PING], [PING, LIST]), [added]);
});

Deno.test("diffResults() finds a check that is missing on one side", () => {
  const more = result("ping", "ping/Again", "SUCCESS");
  const row = { scenario: "ping", checkId: "ping/Again" };
  assertEquals(diffResults([PING, more], [PING]), [
    { ...row, direct: "SUCCESS", proxied: "missing" },
  ]);
  assertEquals(diffResults([PING], [PING, more]), [
    { ...row, direct: "missing", proxied: "SUCCESS" },
  ]);
});

Deno.test("diffResults() holds nobody to the suite's own address as the resource of tokens", () => {
  const check = (status: CheckResult["status"], checkId: string) =>
    result("auth/metadata-default", checkId, status);
  const id = "resource-parameter-matches-prm/Resource parameter";
  assertEquals(diffResults([check("SUCCESS", id)], [check("FAILURE", id)]), []);
  const other = "resource-parameter-in-token/Resource parameter";
  assertEquals(diffResults([check("SUCCESS", other)], [check("FAILURE", other)]).length, 1);
});

Deno.test("authScenarioOf() reads the names of result directories", () => {
  assertEquals(authScenarioOf("iss-normalized-2026-01-02T03-04-05-006Z"), "auth/iss-normalized");
  assertEquals(authScenarioOf("other"), undefined);
});

Deno.test("diffResults() asks the proxy itself to pass dns-rebinding-protection", () => {
  const passed = result("dns-rebinding-protection", "rejected", "SUCCESS");
  const failed = { ...passed, status: "FAILURE" as const };
  assertEquals(diffResults([failed], [passed]), []);
  assertEquals(diffResults([failed], [failed]).length, 1);
  assertEquals(diffResults([passed], [failed]).length, 1);
});

Deno.test("diffResults() asks the proxy to prime streams, also where the server does not", () => {
  const check = "server-sse-priming-event/ServerSendsPrimingEvent";
  const primed = result("server-sse-polling", check, "SUCCESS");
  const bare = { ...primed, status: "WARNING" as const };
  assertEquals(diffResults([bare], [primed]), []);
  assertEquals(diffResults([bare], [bare]).length, 1);
  assertEquals(diffResults([primed], [bare]).length, 1);
});

Deno.test("Processes starts, waits for and stops a process", async () => {
  const processes = new Processes();
  const port = freePort();
  const code = `Deno.serve({ hostname: "127.0.0.1", port: ${port} }, () => new Response())`;
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/server.js`, code);
  try {
    const args = ["run", "--no-config", "--allow-net=127.0.0.1", "server.js"];
    const process = processes.start({ args, cwd: directory });
    assert(await processes.ready(process, 30_000, () => portOpen(port)));
    await processes.stop(process);
    assertEquals(await portOpen(port), undefined);
  } finally {
    await processes.close();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("Processes tells what a process said that ended before it was ready", async () => {
  const processes = new Processes();
  const process = processes.start({ args: ["eval", "console.log('no luck')"], cwd: Deno.cwd() });
  const failure = await processes.ready(process, 30_000, () => undefined).catch(String);
  assert(String(failure).includes("ended early\nno luck"));
});
