import { assertEquals } from "@std/assert";
import { type ErrorKind, ProxyError } from "../errors.ts";
import { isSafeRequest, mayRepeat, mayRetry } from "./retry.ts";

type Progress = { requestSent: boolean; answerBegun: boolean } | undefined;

const UNSENT = { requestSent: false, answerBegun: false };
const SENT = { requestSent: true, answerBegun: false };
const BEGUN = { requestSent: true, answerBegun: true };

/** Kind, progress; whether GET, POST may be sent on a fresh connection; whether a safe, an unsafe call again. */
const FAILURES: readonly [ErrorKind, Progress, boolean, boolean, boolean, boolean][] = [
  ["upstream_closed", UNSENT, true, true, true, true],
  ["upstream_closed", SENT, true, false, true, false],
  ["upstream_closed", BEGUN, false, false, false, false],
  ["upstream_closed", undefined, false, false, false, false],
  ["upstream_timeout", SENT, false, false, true, false],
  ["upstream_protocol", BEGUN, false, false, false, false],
  ["upstream_unreachable", UNSENT, false, false, true, true],
  ["upstream_unreachable", SENT, false, false, true, false],
  ["upstream_connect_timeout", UNSENT, false, false, true, true],
  ["upstream_saturated", undefined, false, false, true, true],
  ["client_closed", UNSENT, false, false, false, false],
  ["internal", SENT, false, false, false, false],
];

Deno.test("R60 R64 what may be sent again, by the failure and how far it had come", () => {
  const found = FAILURES.map(([kind, progress]) => {
    const error = new ProxyError(kind, "failed", { progress });
    const again = [mayRetry("GET", error), mayRetry("POST", error)];
    return [kind, progress, ...again, mayRepeat(true, error), mayRepeat(false, error)];
  });
  assertEquals(found, FAILURES.map((row) => [...row]));
  const stranger = new Error("no error of the proxy's");
  assertEquals([mayRetry("GET", stranger), mayRepeat(true, stranger)], [false, false]);
});

Deno.test("requests that only read, and no others, may run twice", () => {
  const safe = [
    "initialize",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "server/discover",
    "tools/list",
  ];
  const others = [
    "tools/call",
    "completion/complete",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
    "subscriptions/listen",
    "tasks/cancel",
    "sampling/createMessage",
    "Tools/List",
    "constructor",
    "",
    undefined,
  ];
  assertEquals(safe.filter((method) => !isSafeRequest(method)), []);
  assertEquals(others.filter((method) => isSafeRequest(method)), []);
});
