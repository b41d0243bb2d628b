/**
 * Telling callers apart: by API keys, and by access tokens of an authorization server (`oauth/`).
 *
 * May import `clock.ts`, `errors.ts`, `http`, `issuer`, `telemetry` and the HTTP client of `upstream`.
 *
 * @module
 */

export { apiKeys, type ApiKeysOptions, MAX_CREDENTIAL_CHARACTERS } from "./api_keys.ts";
export { ANONYMOUS, anybody, type Authenticator, type Principal } from "./authenticate.ts";
export { hashOfKey, newKey } from "./new_key.ts";
export {
  type KeysBeside,
  OauthCallers,
  type OauthOptions,
  type OauthTools,
} from "./oauth/callers.ts";
export { type Place, type ResourceOptions, Resources, type RoutePaths } from "./oauth/resources.ts";
export type { TokenRules } from "./oauth/token.ts";
