/**
 * What an operator may do by the admin address, and who may not.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as admin from "../testing/admin.ts";

const { fakeAdmin, fakeTargets } = admin;

Deno.test("a target is drained, for good or until its sessions move, and taken back", async () => {
  const targets = fakeTargets("/github/mcp", { a: "up", "b/c": "up" });
  const routes = () => [{ name: "/github/mcp", targets }, { name: "p" }];
  const { ask, lines } = fakeAdmin({ routes });
  const at = "/targets/%2Fgithub%2Fmcp";
  const first = await ask("POST", `${at}/a/drain?moveAfterMs=5000`);
  assertEquals([first.status, first.value.route], [200, "/github/mcp"]);
  assertEquals(first.value.retries, { made: 1, refused: 2 });
  const draining = ({ value }: admin.AdminAnswer) =>
    value.targets.map((one: { name: string; draining: boolean }) => [one.name, one.draining]);
  assertEquals(draining(first), [["a", true], ["b/c", false]]);
  assertEquals(draining(await ask("POST", `${at}/b%2Fc/drain`)), [["a", true], ["b/c", true]]);
  assertEquals(draining(await ask("POST", `${at}/a/resume`)), [["a", false], ["b/c", true]]);
  assertEquals(targets.asked, [["drain", "a", 5000], ["drain", "b/c"], ["resume", "a"]]);
  const route = "/github/mcp";
  assertEquals(lines, [
    ["info", "target drained by an operator", { route, target: "a", moveAfterMs: 5000 }],
    ["info", "target drained by an operator", { route, target: "b/c", moveAfterMs: undefined }],
    ["info", "target taken back by an operator", { route, target: "a" }],
  ]);
  assertEquals(draining(await ask("GET", at)), [["a", false], ["b/c", true]]);
  const { value } = await ask("GET", "/targets");
  assertEquals(value.routes.map(({ route }: { route: string }) => route), ["/github/mcp"]);
});

Deno.test("a route, target or page that there is not is a 404, and nothing is done", async () => {
  const targets = fakeTargets("a", { x: "up" });
  const routes = () => [{ name: "a", targets }, { name: "program" }];
  const { ask, lines } = fakeAdmin({ routes });
  const paths = [
    ["POST", "/targets/nothing/x/drain"],
    ["POST", "/targets/a//drain"],
    ["POST", "/targets/program/x/drain"],
    ["POST", "/targets/a/x/eject"],
    ["POST", "/targets/a/drain"],
    ["GET", "/targets/program"],
    ["GET", "/targets/nothing"],
    ["POST", "/drain/"],
    ["POST", "/DRAIN"],
  ] as const;
  for (const [method, path] of paths) {
    assertEquals((await ask(method, path)).status, 404, path);
  }
  assertEquals(targets.asked, []);
  assertEquals((await ask("POST", "/targets/a/nothing/drain")).status, 404);
  assertEquals(lines, []);
  const { value } = await ask("GET", "/nothing");
  assertStringIncludes(value.error.message, "/targets/ROUTE/TARGET/drain");
});

Deno.test("moveAfterMs is whole milliseconds up to a week; what is not understood is a 400", async () => {
  const targets = fakeTargets("a", { x: "up" });
  const { ask } = fakeAdmin({ routes: () => [{ name: "a", targets }] });
  const wrong = ["-1", "1.5", "", "1e3", "604800001", "9".repeat(30), "5&moveAfterMs=6", "5&x=1"];
  for (const value of wrong) {
    const { status } = await ask("POST", `/targets/a/x/drain?moveAfterMs=${value}`);
    assertEquals(status, 400, value);
  }
  assertEquals((await ask("POST", "/targets/a/x/drain?moveAfter=5")).status, 400);
  assertEquals(targets.asked, []);
  for (const value of ["0", "604800000"]) {
    assertEquals((await ask("POST", `/targets/a/x/drain?moveAfterMs=${value}`)).status, 200);
  }
  assertEquals(targets.asked, [["drain", "x", 0], ["drain", "x", 604_800_000]]);
});

Deno.test("the process is drained and taken back, but not while it stops", async () => {
  const { ask, told } = fakeAdmin();
  const rest = {
    requestsWaiting: 1,
    answersUnderWay: 3,
    subscriptions: 2,
    clientConnections: null,
  };
  const off = { draining: false, stopping: false, ...rest };
  assertEquals((await ask("GET", "/drain")).value, off);
  assertEquals((await ask("POST", "/drain")).value, { ...off, draining: true });
  assertEquals((await ask("POST", "/resume")).value, off);
  told.stopping = told.draining = true;
  const refused = await ask("POST", "/resume");
  assertEquals([refused.status, refused.value.stopping], [409, true]);
});

Deno.test("reload tells what became of the routes, every problem, or that there is no file", async () => {
  const routes = { added: ["a"], removed: [], changed: ["b"], kept: ["c"] };
  const ok = { ok: true, routes } as const;
  const good = await fakeAdmin({ reload: () => Promise.resolve(ok) }).ask("POST", "/reload");
  assertEquals([good.status, good.value], [200, ok]);
  const problems = ["listen: found a, wanted b.", "routes: found nothing."];
  const bad = { ok: false, problems } as const;
  const refused = await fakeAdmin({ reload: () => Promise.resolve(bad) }).ask("POST", "/reload");
  assertEquals([refused.status, refused.value], [409, bad]);
  const none = await fakeAdmin().ask("POST", "/reload");
  assertEquals([none.status, none.value.ok, none.value.problems.length], [501, false, 1]);
  const failing = fakeAdmin({ reload: () => Promise.reject(new Error("10.0.0.1 is secret")) });
  const failed = await failing.ask("POST", "/reload");
  assertEquals(failed.status, 500);
  assert(!JSON.stringify(failed.value).includes("10.0.0.1"));
});

Deno.test("the wrong method is a 405 that allows the right ones, and does nothing", async () => {
  const { ask, told } = fakeAdmin();
  const allow = async (method: string, path: string) => {
    const { status, headers } = await ask(method, path);
    return [status, headers.get("allow")];
  };
  assertEquals(await allow("POST", "/healthz"), [405, "GET, HEAD"]);
  assertEquals(await allow("DELETE", "/drain"), [405, "GET, HEAD, POST"]);
  assertEquals(await allow("OPTIONS", "/drain"), [405, "GET, HEAD, POST"]);
  for (const method of ["GET", "HEAD", "PUT", "OPTIONS", "constructor"]) {
    assertEquals(await allow(method, "/resume"), [405, "POST"]);
    assertEquals(await allow(method, "/reload"), [405, "POST"]);
    assertEquals(await allow(method, "/targets/a/x/drain"), [405, "POST"]);
  }
  assertEquals((await ask("HEAD", "/drain")).status, 200);
  assertEquals(told.draining, false);
});

Deno.test("no web page does anything, whatever its origin (R90)", async () => {
  const { ask, told } = fakeAdmin();
  const pages: Readonly<Record<string, string>>[] = [
    { origin: "http://evil.test" },
    { origin: "null" },
    // These may read, and call MCP servers.
    { origin: "https://ui.test" },
    { origin: "http://localhost:8080" },
    { origin: "http://localhost" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "same-origin" },
    { "sec-fetch-site": "none" },
    { host: "rebound.test" },
  ];
  for (const fields of pages) {
    const { status } = await ask("POST", "/drain", fields);
    assertEquals(status, 403, JSON.stringify(fields));
  }
  for (
    const type of ["text/plain", "Application/X-www-form-urlencoded;x=y", "multipart/form-data"]
  ) {
    const { status, value } = await ask("POST", "/drain", { "content-type": type });
    assertEquals(status, 415, type);
    assertStringIncludes(value.error.message, "curl -X POST");
  }
  assertEquals(told.draining, false);
  assertEquals((await ask("GET", "/drain", { origin: "https://ui.test" })).status, 200);
  for (const fields of [{ origin: "http://evil.test" }, { host: "rebound.test" }]) {
    assertEquals((await ask("GET", "/drain", fields)).status, 403, "others may not read either");
  }
  assertEquals((await ask("POST", "/drain", { "content-type": "application/json" })).status, 200);
  assertEquals(told.draining, true);
});

Deno.test("probes may read by address, as those of Kubernetes do; nobody may do anything so (R90)", async () => {
  const { ask } = fakeAdmin();
  for (const host of ["10.42.0.17:3101", "192.0.2.2", "[2001:db8::1]:3101"]) {
    for (const path of ["/healthz", "/readyz"]) {
      assertEquals((await ask("GET", path, { host })).status, 200, `${path} ${host}`);
    }
    assertEquals((await ask("POST", "/drain", { host })).status, 403, host);
    const origin = `http://${host}`;
    assertEquals((await ask("GET", "/healthz", { host, origin })).status, 403, origin);
  }
  assertEquals((await ask("GET", "/healthz", { host: "10.42.0.17.evil.test" })).status, 403);
});
