/**
 * The revisions of the specification, as far as the proxy tells them apart.
 *
 * @module
 */

/** Revisions with `initialize` and `Mcp-Session-Id` ("legacy" in 2026-07-28 basic/versioning). */
export const SESSION_REVISIONS: readonly string[] = [
  "2024-11-05",
  "2025-03-26",
  "2025-06-18",
  "2025-11-25",
];

/** The first revision with per-request metadata ("modern"). */
export const FIRST_MODERN_REVISION = "2026-07-28";

/** The one revision with JSON-RPC batches (added 2025-03-26, removed 2025-06-18). */
export const BATCH_REVISION = "2025-03-26";

/** What a session-era request without `MCP-Protocol-Version` speaks (2025-06-18 basic/transports). */
export const ASSUMED_REVISION = "2025-03-26";

/** The `_meta` key that makes a request modern (2026-07-28 basic/index, "_meta"). */
export const PROTOCOL_VERSION_KEY = "io.modelcontextprotocol/protocolVersion";

const REVISION_DATE = /^\d{4}-\d{2}-\d{2}$/;

/** Whether a version names 2026-07-28 or a later revision; revisions are dates and sort as text. */
export function isModernRevision(version: string): boolean {
  return version >= FIRST_MODERN_REVISION && REVISION_DATE.test(version);
}

/**
 * Whether `MCP-Protocol-Version` may say this in a session; where it does not, the answer has to be 400
 * (2025-06-18 and later, basic/transports, "Protocol Version Header"). A request without it passes, and so does
 * the revision that was settled with `initialize`, whichever that is.
 */
export function maySpeak(version: string | null, settled: string | undefined): boolean {
  return version === null || version === settled || SESSION_REVISIONS.includes(version);
}
