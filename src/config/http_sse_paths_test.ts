import { assertEquals } from "@std/assert";
import { crossCheck } from "./cross_check.ts";
import { httpSseCollisions, httpSsePaths } from "./http_sse_paths.ts";

Deno.test("httpSsePaths() names the paths beside a route, and the usual one beside /mcp", () => {
  assertEquals(httpSsePaths("/mcp"), { streams: ["/mcp/sse", "/sse"], messages: "/mcp/messages" });
  assertEquals(httpSsePaths("/a/mcp").streams, ["/a/mcp/sse", "/a/sse"]);
  assertEquals(httpSsePaths("/a"), { streams: ["/a/sse"], messages: "/a/messages" });
  assertEquals(httpSsePaths("/amcp").streams, ["/amcp/sse"]);
});

/** The problems of routes with these paths: which route, and which path is wanted twice. */
function collisions(...paths: unknown[]): string[] {
  return httpSseCollisions(paths.map((path) => ({ path })))
    .map(({ path, wanted }) => `${path} ${wanted}`);
}

Deno.test("httpSseCollisions() finds every path that two routes would serve", () => {
  assertEquals(collisions("/mcp", "/a/mcp", "/b", "/c"), []);
  assertEquals(collisions("/mcp", "/sse"), [
    "routes[0].path a path whose /sse is free; routes[1] has it",
  ]);
  assertEquals(collisions("/sse", "/mcp"), [
    "routes[1].path a path whose /sse is free; routes[0] has it",
  ]);
  assertEquals(collisions("/mcp", "/mcp/messages", "/mcp/sse"), [
    "routes[0].path a path whose /mcp/sse is free; routes[2] has it",
  ]);
  assertEquals(collisions("/a", "/a/mcp"), [
    "routes[1].path a path whose /a/sse is free; routes[0] serves it too",
  ]);
});

Deno.test("httpSseCollisions() leaves what is no path, or is there twice, to others", () => {
  assertEquals(collisions("/mcp", "/mcp", 7, null, undefined), []);
  assertEquals(httpSseCollisions(undefined), []);
  assertEquals(httpSseCollisions([null, "x", {}]), []);
});

Deno.test("a config with such a collision is refused", () => {
  const routes = [{ path: "/mcp" }, { path: "/sse" }];
  const problems = crossCheck({ routes }, true, () => undefined);
  assertEquals(problems, [{
    path: "routes[0].path",
    found: '"/mcp", which serves clients of HTTP+SSE under /sse',
    wanted: "a path whose /sse is free; routes[1] has it",
  }]);
});
