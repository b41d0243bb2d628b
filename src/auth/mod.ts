/**
 * Telling callers apart: API keys now, OAuth later.
 *
 * May import `errors.ts` and `http`.
 *
 * @module
 */

export { apiKeys, type ApiKeysOptions, MAX_CREDENTIAL_CHARACTERS } from "./api_keys.ts";
export { ANONYMOUS, anybody, type Authenticator, type Principal } from "./authenticate.ts";
export { hashOfKey, newKey } from "./new_key.ts";
