/**
 * What the log is told of requests that failed, and how loudly.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type ErrorKind, ProxyError } from "../errors.ts";
import { createLogger } from "../telemetry/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { tellFailure } from "./failures.ts";

/** The level of the line for a failure; what was counted goes to `counted`. */
function levelOf(kind: ErrorKind, counted: unknown[]): string {
  const lines: Record<string, unknown>[] = [];
  const sink = {
    write: (line: string) => void lines.push(JSON.parse(line)),
    flush: () => Promise.resolve(),
  };
  const clock = new ManualClock();
  const logger = createLogger({ level: "debug", format: "json", clock, sink });
  const meter = { failed: (facts: unknown) => void counted.push(facts) };
  tellFailure({ logger, meter: meter as never }, new ProxyError(kind, "It failed."), {
    route: "/mcp",
  });
  assertEquals([lines.length, lines[0]!.kind], [1, kind]);
  return String(lines[0]!.level);
}

Deno.test("what many requests fail of is told where it is found out: each of them is a detail, and is counted", () => {
  const kinds = [
    "authorization_unavailable",
    "server_token_unavailable",
    "server_access_refused",
  ] as const;
  for (const kind of kinds) {
    const counted: unknown[] = [];
    assertEquals(levelOf(kind, counted), "debug", kind);
    const source = new ProxyError(kind, "").source;
    assertEquals(counted, [{ route: "/mcp", kind, source }]);
  }
});

Deno.test("a failure of the proxy is an error, one of the server a warning, one of a client a detail", () => {
  const cases = [["internal", "error"], ["upstream_closed", "warn"], ["client_closed", "debug"]];
  for (const [kind, level] of cases as [ErrorKind, string][]) {
    assertEquals(levelOf(kind, []), level, kind);
  }
});
