import { assertEquals } from "@std/assert";
import { modeConfig, MODES } from "./modes.ts";

Deno.test("modeConfig() differs between the modes in what makes the mode alone", () => {
  const [raw, logged, inspected] = MODES.map((mode) =>
    JSON.parse(modeConfig(mode, "http://127.0.0.1:9/mcp")) as Record<string, unknown>
  );
  const common = { listen: "127.0.0.1:0", logLevel: "error" };
  const route = { path: "/mcp", upstream: { url: "http://127.0.0.1:9/mcp" } };
  assertEquals(logged, { ...common, routes: [route] });
  assertEquals(raw, { ...common, eventLog: { store: "off" }, routes: [route] });
  const interceptors = [{ use: "log" }];
  assertEquals(inspected, { ...common, routes: [{ ...route, interceptors }] });
});
