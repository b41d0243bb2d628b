/**
 * All conversations that are recorded.
 *
 * @module
 */

import type { RecordCase } from "./case.ts";
import { HTTP_SSE } from "./cases/http_sse.ts";
import { MODERN_CALLS } from "./cases/modern_calls.ts";
import { MODERN_ERRORS } from "./cases/modern_errors.ts";
import { OLDER_SESSIONS } from "./cases/older_sessions.ts";
import { SESSION_CALLS } from "./cases/session_calls.ts";
import { SESSION_ERRORS } from "./cases/session_errors.ts";
import { SESSION_STREAMS } from "./cases/session_streams.ts";

/** Every case, oldest revision first, then by name. */
export const CASES: readonly RecordCase[] = [
  ...HTTP_SSE,
  ...OLDER_SESSIONS,
  ...SESSION_CALLS,
  ...SESSION_STREAMS,
  ...SESSION_ERRORS,
  ...MODERN_CALLS,
  ...MODERN_ERRORS,
].toSorted((a, b) => key(a) < key(b) ? -1 : 1);

function key({ revision, name }: RecordCase): string {
  return `${revision}/${name}`;
}
