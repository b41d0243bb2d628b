/**
 * Figures of the process in the text format of Prometheus, which OpenTelemetry collectors and others read too.
 *
 * Labels are names of the config, and words of the protocol and of the proxy itself: nothing that a client or a
 * server says becomes one, so that their number is bounded and nothing private is told (R96).
 *
 * May import `json`, and types of `admin`, `balance` and `telemetry`.
 *
 * @module
 */

export { MAX_SERIES, Metrics, type MetricsPage } from "./metrics.ts";
export type { ProcessTold } from "./told.ts";
