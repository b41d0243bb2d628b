/** The ways in which the proxy can pass an event stream on, and the config of each: pure. */

/** What the proxy does with the events of a session: nothing, number and keep them, look into them too. */
export const MODES = ["raw", "logged", "inspected"] as const;

/** One of them. */
export type Mode = typeof MODES[number];

/** Path of the endpoint before the mock. */
const PATH = "/mcp";

/** Makes the proxy look into every message; at the log level used here it writes nothing. */
const INTERCEPTORS = [{ use: "log" }];

/** The config file of a mode, in which everything else has its default. */
export function modeConfig(mode: Mode, upstreamUrl: string): string {
  const route = { path: PATH, upstream: { url: upstreamUrl } };
  return JSON.stringify({
    listen: "127.0.0.1:0",
    logLevel: "error",
    ...(mode === "raw" ? { eventLog: { store: "off" } } : {}),
    routes: [mode === "inspected" ? { ...route, interceptors: INTERCEPTORS } : route],
  });
}
