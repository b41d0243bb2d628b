/**
 * OAuth of the servers behind the proxy: where clients learn which authorization server a server trusts.
 *
 * May import `clock`, `errors`, `http`, `issuer`, `sse`, and of `upstream` the HTTP client and what is told of challenges.
 *
 * @module
 */

export { IssuerLookup, type IssuerLookupOptions } from "./issuer_lookup.ts";
export { documentAt, MetadataLookup, type MetadataServer, type MetadataSource } from "./lookup.ts";
export {
  findMetadata,
  type FoundMetadata,
  mayBeMetadata,
  type MetadataRoute,
  nameInChallenges,
} from "./resource_metadata.ts";
export type { Metadata } from "./metadata.ts";
