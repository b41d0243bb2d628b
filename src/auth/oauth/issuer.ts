/**
 * Where an authorization server has its keys, from its issuer alone.
 *
 * @module
 */

import { type FetchDocument, findMetadata, readUrl } from "../../issuer/mod.ts";

const MEMBER = "jwks_uri";

/**
 * The `jwks_uri` of an issuer, which RFC 8414 section 2 lets metadata leave out, and OpenID Connect Discovery does not.
 *
 * @throws {DocumentError} where no document tells it: what is wrong with the last one that was there
 */
export function findJwksUri(issuer: string, fetchDocument: FetchDocument): Promise<URL> {
  return findMetadata(issuer, fetchDocument, {
    setting: "auth.oauth.issuer",
    member: MEMBER,
    read: (document) => readUrl(document, MEMBER),
  });
}
