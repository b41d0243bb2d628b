/**
 * Between the eras: clients of 2026-07-28 on servers of sessions, and the reverse.
 *
 * `bridged.ts` puts one of the two bridges, or none, in front of a server, by what it speaks (`known_eras.ts`,
 * `probe.ts`): `as_session/` has a modern server look like one of the session era, `as_modern/` the reverse.
 * Fronts do not know that they are there.
 *
 * May import `clock.ts`, `era`, `errors.ts`, `http`, `json`, `peers`, `relay`, `rpc`, `sse`, `telemetry` and
 * `upstream`.
 *
 * @module
 */

export { asModern, type ModernBridge } from "./as_modern/as_modern.ts";
export {
  type AsModernBounds,
  type AsModernOptions,
  type AsModernStats,
  type CacheHints,
  DEFAULT_BOUNDS,
} from "./as_modern/options.ts";
export {
  asSession,
  type AsSessionLimits,
  type AsSessionOptions,
  type SessionBridge,
  type SessionBridgeStats,
} from "./as_session/mod.ts";
export { bridged, type BridgedOptions, type BridgedUpstream, type Bridges } from "./bridged.ts";
export type { KnownErasOptions, ServerEras } from "./known_eras.ts";
export type { BridgeOptions, StateSealer } from "./options.ts";
export type { ProbeOptions } from "./probe.ts";
