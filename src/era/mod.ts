/**
 * Which era a request belongs to, decided once at the edge, and the checks that go with it.
 *
 * May import `json` and `errors.ts`. Pure: no I/O, no clock.
 *
 * @module
 */

export { type Classified, classifyBodyless, classifyPost, type Era } from "./classify.ts";
export type { EraHeaders } from "./classify.ts";
export { decodeHeaderValue, encodeHeaderValue, NAME_SOURCE } from "./headers.ts";
export {
  ASSUMED_REVISION,
  BATCH_REVISION,
  FIRST_MODERN_REVISION,
  isModernRevision,
  maySpeak,
  PROTOCOL_VERSION_KEY,
  SESSION_REVISIONS,
} from "./revisions.ts";
