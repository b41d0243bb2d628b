/**
 * Requests for the fuzzer: sound ones, most of them damaged. Pure.
 *
 * @module
 */

import {
  below,
  type Case,
  caseWith,
  chunked,
  type Message,
  pick,
  type Random,
  randomBytes,
} from "./fuzz_cases.ts";

/** The case that the random numbers stand for. */
export function requestCaseOf(random: Random): Case {
  const messages = Array.from({ length: 1 + below(random, 3) }, () => request(random));
  return caseWith(random, "POST", messages);
}

function request(random: Random): Message {
  const minor = random() < 0.2 ? 0 : 1;
  const method = pick(random, ["GET", "POST", "POST", "DELETE", "OPTIONS", "M-SEARCH"]);
  const target = pick(random, ["/", "/mcp", "/a?b=c", "http://a/mcp", `/${"x".repeat(40)}`]);
  const lines = [`${method} ${target} HTTP/1.${minor}`, pick(random, ["Host: a", "host:\ta:80 "])];
  lines.push(...Array.from({ length: below(random, 4) }, () => otherField(random)));
  const body = random() < 0.3 ? "" : randomBytes(random);
  const before = random() < 0.1 ? "\r\n" : "";
  const head = (framing: readonly string[]) => [...lines, ...framing, "\r\n"].join("\r\n");
  if (minor === 1 && random() < 0.5) {
    const coding = pick(random, ["Transfer-Encoding: chunked", "transfer-encoding:CHUNKED \t"]);
    return { text: before + head([coding]) + chunked(random, body), body };
  }
  if (body === "" && random() < 0.5) return { text: before + head([]), body };
  const zeros = "0".repeat(below(random, 3));
  const lengths = Array(1 + below(random, 2)).fill(`Content-Length: ${zeros}${body.length}`);
  return { text: before + head(lengths) + body, body };
}

function otherField(random: Random): string {
  return pick(random, [
    "Content-Type: application/json",
    "Accept: application/json, text/event-stream",
    "Connection: keep-alive, upgrade",
    "Expect: 100-continue",
    "Upgrade: h2c",
    `X-${below(random, 100)}: \t${"v".repeat(below(random, 30))} `,
  ]);
}
