/**
 * The log lines of requests that failed: ahead of the head of their answer, and behind it.
 *
 * @module
 */

import { ANONYMOUS } from "../auth/mod.ts";
import type { ProxyError } from "../errors.ts";
import { methodForLog } from "../json/mod.ts";
import type { LogFields, Logger } from "../telemetry/mod.ts";
import type { FrontOptions } from "./front.ts";
import type { Passage } from "./passage.ts";

/**
 * The proxy's own failures are errors, but for what it refuses for the moment; that and the upstream's are
 * warnings, a client's mistakes details.
 */
export function logFailure(logger: Logger, error: ProxyError, facts: LogFields): void {
  const fields = { ...facts, kind: error.kind, source: error.source, error };
  if (error.source === "proxy" && error.status !== 503) logger.error("request failed", fields);
  else if (error.source !== "client") logger.warn("request failed", fields);
  else logger.debug("request refused", fields);
}

/** Tells of an answer that fails behind its head: whose line was written when that was there, with status 200. */
export function failedAnswer(
  { route, logger }: Pick<FrontOptions, "route" | "logger">,
  { arrival: { principal, sent }, message, requestIds }: Passage,
): (error: ProxyError) => void {
  return (error) =>
    logFailure(logger, error, {
      route,
      principal: principal === ANONYMOUS ? undefined : principal.name,
      rpc: message === undefined && requestIds.length > 0 ? "batch" : methodForLog(message?.method),
      target: sent?.target,
    });
}
