/**
 * R68: what probes of Kubernetes, Envoy and HAProxy are told.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import * as admin from "../testing/admin.ts";

const { fakeAdmin, fakeTargets } = admin;

const NONE = { total: 0, up: 0, returning: 0, ejected: 0, down: 0, draining: 0 };

Deno.test("/healthz is 200 whatever the routes and the stores are", async () => {
  const { ask, told } = fakeAdmin({
    routes: () => [{ name: "a", targets: fakeTargets("a", { x: "down" }) }],
    failingStores: () => Promise.resolve(["The store of sessions (redis) fails."]),
  });
  told.draining = told.stopping = true;
  const { status, value } = await ask("GET", "/healthz");
  assertEquals([status, value], [200, { status: "ok", uptimeMs: 12 }]);
});

Deno.test("/readyz is 200 without routes, and with routes whose servers are programs", async () => {
  const none = await fakeAdmin().ask("GET", "/readyz");
  assertEquals([none.status, none.value], [200, { status: "ok", reasons: [], routes: [] }]);
  const program = await fakeAdmin({ routes: () => [{ name: "/mcp" }] }).ask("GET", "/readyz");
  assertEquals(program.status, 200);
  assertEquals(program.value.routes, [{ name: "/mcp", ready: true }]);
});

Deno.test("/readyz is 503 when every route is without a target that is up, returning or ejected", async () => {
  const a = fakeTargets("a", { one: "down", two: "down" });
  const b = fakeTargets("b", { one: "down" });
  const { ask } = fakeAdmin({
    routes: () => [{ name: "a", targets: a }, { name: "b", targets: b }],
  });
  const down = await ask("GET", "/readyz");
  assertEquals([down.status, down.value], [503, {
    status: "unavailable",
    reasons: ["All targets of every route are down."],
    routes: [
      { name: "a", ready: false, targets: { ...NONE, total: 2, down: 2 } },
      { name: "b", ready: false, targets: { ...NONE, total: 1, down: 1 } },
    ],
  }]);
  for (const state of ["up", "returning", "ejected"] as const) {
    b.states.set("one", state);
    const { status, value } = await ask("GET", "/readyz");
    assertEquals([status, value.status, value.reasons], [200, "ok", []]);
    assertEquals(value.routes.map(({ ready }: { ready: boolean }) => ready), [false, true]);
    assertEquals(value.routes[1].targets, { ...NONE, total: 1, [state]: 1 });
  }
});

Deno.test("/readyz counts a target that an operator drains, and stays ready with it", async () => {
  const targets = fakeTargets("a", { one: "up" });
  targets.drain("one");
  const { status, value } = await fakeAdmin({ routes: () => [{ name: "a", targets }] })
    .ask("GET", "/readyz");
  assertEquals([status, value.routes[0].targets], [200, { ...NONE, total: 1, up: 1, draining: 1 }]);
});

Deno.test("/readyz is 503 with every reason: a store that fails, draining, stopping", async () => {
  const failing: string[] = ["The store of sessions (redis) fails."];
  const { ask, told } = fakeAdmin({ failingStores: () => Promise.resolve(failing) });
  const ready = async () => {
    const { status, value } = await ask("GET", "/readyz");
    return [status, value.status, value.reasons];
  };
  assertEquals(await ready(), [503, "unavailable", [...failing]]);
  told.draining = true;
  assertEquals(await ready(), [503, "draining", ["The proxy is draining.", ...failing]]);
  told.stopping = true;
  assertEquals(await ready(), [503, "stopping", ["The proxy is stopping.", ...failing]]);
  failing.length = 0;
  assertEquals(await ready(), [503, "stopping", ["The proxy is stopping."]]);
  told.stopping = told.draining = false;
  assertEquals(await ready(), [200, "ok", []]);
});

Deno.test("/readyz/NAME judges one route, whatever the others are, and the process with it", async () => {
  const routes = [
    { name: "/github/mcp", targets: fakeTargets("/github/mcp", { one: "down" }) },
    { name: "b", targets: fakeTargets("b", { one: "up" }) },
  ];
  const { ask, told } = fakeAdmin({ routes: () => routes });
  const dead = await ask("GET", "/readyz/%2Fgithub%2Fmcp");
  assertEquals([dead.status, dead.value], [503, {
    status: "unavailable",
    reasons: ["All targets of this route are down."],
    route: { name: "/github/mcp", ready: false, targets: { ...NONE, total: 1, down: 1 } },
  }]);
  assertEquals((await ask("HEAD", "/readyz/b")).status, 200);
  told.draining = true;
  const drained = await ask("GET", "/readyz/b");
  assertEquals([drained.status, drained.value.status], [503, "draining"]);
});

Deno.test("/readyz/NAME is 404 for no such route, and 400 for a name that cannot be read", async () => {
  const { ask } = fakeAdmin({ routes: () => [{ name: "/mcp" }] });
  for (const path of ["/readyz/mcp", "/readyz/x", "/readyz//mcp", "/readyz/", "/readyz/%2Fmcp/"]) {
    assertEquals((await ask("GET", path)).status, 404, path);
  }
  const { status, value } = await ask("GET", "/readyz/%E0%A4");
  assertEquals(status, 400);
  assertStringIncludes(value.error.message, "%2F");
});
