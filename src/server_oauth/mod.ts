/**
 * OAuth of the servers behind the proxy: where clients learn which authorization server a server trusts.
 *
 * May import `clock`, `errors`, `http`, `sse`, and of `upstream` the HTTP client and what is told of challenges.
 *
 * @module
 */

export { documentAt, MetadataLookup, type MetadataServer, type MetadataSource } from "./lookup.ts";
export {
  findMetadata,
  type FoundMetadata,
  mayBeMetadata,
  type MetadataRoute,
  nameInChallenges,
} from "./resource_metadata.ts";
export type { Metadata } from "./metadata.ts";
