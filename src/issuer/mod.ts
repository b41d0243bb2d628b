/**
 * Speaking to an authorization server, which is trusted with no more than what it says of itself: its documents are
 * fetched, and forms are posted to it, at addresses that were looked at.
 *
 * May import `clock.ts`, `errors.ts`, `http` and the HTTP client of `upstream`.
 *
 * @module
 */

export {
  DocumentError,
  type DocumentErrorDetails,
  type DocumentOptions,
  fetchDocument,
  type Form,
  type FormAnswer,
  postForm,
  type Resolve,
} from "./document.ts";
export {
  type FetchDocument,
  findMetadata,
  metadataUrls,
  readUrl,
  type Wanted,
} from "./metadata.ts";
