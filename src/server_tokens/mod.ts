/**
 * Access tokens of the proxy's own for servers that want some: the proxy as an OAuth client, with credentials that it
 * was given beforehand (client_credentials), so that clients which know nothing of OAuth reach such a server.
 *
 * May import `clock`, `errors`, `http`, `issuer`, `server_oauth`, `sse`, `upstream`, and types of `telemetry`.
 *
 * @module
 */

export { type ClientKey, readClientKey } from "./client_key.ts";
export type { ClientCredentials } from "./client_proof.ts";
export type { TokenServer } from "./discovery.ts";
export type { Refusal, Wanted } from "./refusal.ts";
export type { ServerTokenOptions, Token, TokenStats } from "./renewals.ts";
export { ServerToken, type Wanting } from "./server_token.ts";
export type { TokenFinderOptions } from "./token_finder.ts";
export { tokenClient, type TokenClientOptions } from "./token_client.ts";
export type { Verdict } from "./verdict.ts";
