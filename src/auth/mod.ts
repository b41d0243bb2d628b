/**
 * Telling callers apart: API keys now, OAuth later.
 *
 * May import `errors.ts` and `http`.
 *
 * @module
 */

export { ANONYMOUS, anybody, type Authenticator, type Principal } from "./authenticate.ts";
