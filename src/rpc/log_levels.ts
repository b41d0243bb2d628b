/**
 * Levels of log lines. Pure.
 *
 * Source: RFC 5424 section 6.2.1, as 2025-11-25 server/utilities/logging takes it over.
 *
 * @module
 */

/** From the most to the least verbose. */
const LEVELS: readonly string[] = [
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
];

/** Whether it is a level. */
export function isLevel(value: unknown): value is string {
  return typeof value === "string" && LEVELS.includes(value);
}

/** Whether a line of `level` passes for who asked for `least`; one of an unknown level does. */
export function passes(level: unknown, least: string | undefined): boolean {
  return least === undefined || !isLevel(level) || LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}

/** The level that has something for everybody who named one; undefined where nobody did. */
export function mostVerbose(levels: Iterable<string | undefined>): string | undefined {
  const named = new Set(levels);
  return LEVELS.find((level) => named.has(level));
}
