/**
 * Failures of requests, told to the log and to whoever counts: ahead of the head of their answer, and behind it.
 *
 * @module
 */

import { ANONYMOUS, type Principal } from "../auth/mod.ts";
import type { ErrorKind, ProxyError } from "../errors.ts";
import { methodForLog } from "../json/mod.ts";
import type { LogFields, Logger, RequestMeter } from "../telemetry/mod.ts";
import type { FrontOptions } from "./front.ts";
import type { Passage } from "./passage.ts";

/** Where failures are told. */
export interface FailureSinks {
  /** Where log lines go. */
  readonly logger: Logger;
  /** Where requests are counted; left out where nobody can ask. */
  readonly meter?: RequestMeter | undefined;
}

/** What is known of a request that failed. */
export interface FailureFacts extends LogFields {
  /** Name of its route; undefined where it came to none. */
  readonly route: string | undefined;
}

/** Failures of many requests with one cause, which is told where it is found out and not with each request. */
const TOLD_ELSEWHERE: ReadonlySet<ErrorKind> = new Set([
  "authorization_unavailable",
  "server_token_unavailable",
  "server_access_refused",
]);

/**
 * Tells of a failure. The proxy's own are errors in the log, but for what it refuses for the moment; that and the
 * upstream's are warnings, a client's mistakes details.
 */
export function tellFailure(
  { logger, meter }: FailureSinks,
  error: ProxyError,
  facts: FailureFacts,
): void {
  const { kind, source } = error;
  meter?.failed({ route: facts.route, kind, source });
  const fields = { ...facts, kind, source, error };
  if (TOLD_ELSEWHERE.has(kind)) logger.debug("request refused", fields);
  else if (source === "proxy" && error.status !== 503) logger.error("request failed", fields);
  else if (source !== "client") logger.warn("request failed", fields);
  else logger.debug("request refused", fields);
}

/** The name of a caller, as it is told: undefined where callers are not told apart. */
export function toldName(principal: Principal): string | undefined {
  return principal === ANONYMOUS ? undefined : principal.name;
}

/** Tells of an answer that fails behind its head: whose line was written when that was there, with status 200. */
export function failedAnswer(
  options: FailureSinks & Pick<FrontOptions, "route">,
  { arrival: { principal, sent }, message, requestIds }: Passage,
): (error: ProxyError) => void {
  return (error) =>
    tellFailure(options, error, {
      route: options.route,
      principal: toldName(principal),
      rpc: message === undefined && requestIds.length > 0 ? "batch" : methodForLog(message?.method),
      target: sent?.target,
    });
}
