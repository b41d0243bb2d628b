/**
 * The page for Prometheus.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { type ClientAnswer, Fields } from "../http/mod.ts";
import type { AdminSources } from "./sources.ts";

/**
 * All figures as text.
 *
 * @throws {ProxyError} `route_not_found` where nothing is counted
 */
export function metrics(sources: AdminSources): ClientAnswer {
  const page = sources.metrics?.();
  if (page === undefined) {
    throw new ProxyError("route_not_found", "This process counts nothing: it has no metrics.");
  }
  const fields = new Fields(["content-type", page.contentType]);
  return { status: 200, fields, body: new TextEncoder().encode(page.text) };
}
