import { assertEquals } from "@std/assert";
import type { Upstream } from "../upstream/mod.ts";
import type { Recovery } from "./recovery.ts";
import { SseRoute, type SseRouteOptions } from "./sse_route.ts";

/** A route with an upstream of its own, and how many hold that. */
function routeOf(route: string) {
  const state = { held: 0, isOver: false };
  const options = {
    route,
    upstream: {} as Upstream,
    recovery: {} as Recovery,
    interceptors: { upstream: undefined },
    use: {
      hold() {
        state.held++;
        return () => void state.held--;
      },
      get isOver() {
        return state.isOver;
      },
    },
  } as unknown as SseRouteOptions;
  return { options, state };
}

Deno.test("SseRoute: behind a reload all is the new one's but for the upstream and what belongs to it", () => {
  const [before, now] = [routeOf("before"), routeOf("now")];
  const route = new SseRoute(before.options);
  route.hold();
  route.adopt(now.options);
  const { current } = route;
  assertEquals(current.route, "now");
  assertEquals(current.upstream === before.options.upstream, true);
  assertEquals(current.recovery === before.options.recovery, true);
  assertEquals(current.interceptors?.upstream === before.options.upstream, true);
  assertEquals([before.state.held, now.state.held], [1, 0]);
  route.letGo();
  assertEquals(before.state.held, 0);
});

Deno.test("SseRoute: where the upstream is gone the new one's takes its place, and is held", () => {
  const [before, now] = [routeOf("before"), routeOf("now")];
  const route = new SseRoute(before.options);
  route.hold();
  before.state.isOver = true;
  route.adopt(now.options);
  assertEquals(route.current === now.options, true);
  assertEquals([before.state.held, now.state.held], [0, 1]);
});

Deno.test("SseRoute: a reload that leaves the upstream where it is gives the route as it is", () => {
  const before = routeOf("before").options;
  const now = { ...routeOf("now").options, upstream: before.upstream };
  const route = new SseRoute(before);
  route.adopt(now);
  assertEquals(route.current === now, true);
});
