/**
 * How streams of an upstream are taken up again, as its config says.
 *
 * @module
 */

import type { UpstreamConfig } from "./upstream_types.ts";

/** The settings of `reconnect`, and the longest silence of a stream that is polled: that of one that is open. */
export function backOffOf(
  { reconnect, streamIdleTimeoutMs }: Pick<UpstreamConfig, "reconnect" | "streamIdleTimeoutMs">,
): UpstreamConfig["reconnect"] & { readonly maxSilentMs: number } {
  return { ...reconnect, maxSilentMs: streamIdleTimeoutMs };
}
