import { assertEquals } from "@std/assert";
import { type ErrorKind, ProxyError } from "../errors.ts";
import { Fields } from "../http/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { isFailure, outcomeOfEnd, outcomeOfError, outcomeOfHead } from "./outcomes.ts";

function failed(kind: ErrorKind, requestSent?: boolean, answerBegun = false): ProxyError {
  const progress = requestSent === undefined ? undefined : { requestSent, answerBegun };
  return new ProxyError(kind, "failed", { progress });
}

const ERRORS: readonly [unknown, string | undefined][] = [
  [failed("upstream_unreachable", false), "unreachable"],
  [failed("upstream_unreachable"), "unreachable"],
  [failed("upstream_unreachable", true), "broken"],
  [failed("upstream_connect_timeout", false), "connect_timeout"],
  [failed("upstream_timeout", true), "timeout"],
  [failed("upstream_closed", true), "broken"],
  [failed("upstream_closed"), undefined],
  [failed("upstream_protocol", true, true), "broken"],
  [failed("client_closed", true), undefined],
  [failed("upstream_saturated", false), undefined],
  [failed("upstream_status", true, true), undefined],
  [failed("internal"), undefined],
  [new Error("what is no error of the proxy's"), undefined],
];

Deno.test("a failure says of the target what it can, and nothing of what a client or the proxy did", () => {
  assertEquals(
    ERRORS.map(([error]) => outcomeOfError(error, 1, new ManualClock())?.kind),
    ERRORS.map(([, kind]) => kind),
  );
});

Deno.test("an answer that broke off counts; one that its reader, a deadline or the proxy ended does not", () => {
  assertEquals(outcomeOfEnd(failed("upstream_closed", true, true)), { kind: "broken" });
  assertEquals(outcomeOfEnd(failed("upstream_protocol", true, true)), { kind: "broken" });
  assertEquals(outcomeOfEnd(failed("upstream_closed")), undefined);
  assertEquals(outcomeOfEnd(failed("upstream_timeout")), undefined);
  assertEquals(outcomeOfEnd(failed("client_closed")), undefined);
  assertEquals(outcomeOfEnd(undefined), undefined);
});

/** The manual clock begins on 2026-01-01. */
const RETRY_AFTER: readonly [number, string | undefined, number | undefined][] = [
  [503, "7", 7_000],
  [429, " 0 ", 0],
  [503, "Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
  [503, "Wed, 31 Dec 2025 00:00:00 GMT", 0],
  [503, undefined, undefined],
  [503, "soon", undefined],
  [503, "-1", undefined],
  [503, "1.5", undefined],
  [503, "9999999999", undefined],
  [500, "7", undefined],
  [200, "7", undefined],
];

for (const [status, value, wanted] of RETRY_AFTER) {
  Deno.test(`R64 Retry-After ${value} of ${status} asks for ${wanted} ms`, () => {
    const headers = new Fields(value === undefined ? [] : ["retry-after", value]);
    const outcome = outcomeOfHead({ status, headers }, 12, new ManualClock());
    assertEquals(
      outcome.kind === "answered" && [outcome.status, outcome.headMs, outcome.retryAfterMs],
      [status, 12, wanted],
    );
  });
}

Deno.test("5xx are failures of the server, but for 501", () => {
  const judged = [200, 404, 429, 500, 501, 503].map((status) =>
    isFailure({ kind: "answered", status, headMs: 1 })
  );
  assertEquals(judged, [false, false, false, true, false, true]);
  assertEquals(isFailure({ kind: "timeout" }), true);
});
