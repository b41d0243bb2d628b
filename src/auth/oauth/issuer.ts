/**
 * Where an authorization server has its keys, from its issuer alone.
 *
 * Sources: RFC 8414 sections 3.1 and 3.3, OpenID Connect Discovery 1.0 section 4; 2026-07-28
 * basic/authorization/authorization-server-discovery "Authorization Server Metadata Discovery".
 *
 * @module
 */

import { isSecureUrl } from "../../http/mod.ts";
import { DocumentError } from "./document.ts";

/** Characters of a URL that a document may name. */
const MAX_URL_CHARACTERS = 2_048;

/** Fetches the JSON at a URL. */
export type FetchDocument = (url: URL) => Promise<unknown>;

/**
 * Where an issuer may have its metadata, in the order in which to ask: RFC 8414 with the path behind the
 * well-known part, then OpenID Connect the same way, then as it is usual there, behind the path.
 */
export function metadataUrls(issuer: string): readonly URL[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, "");
  const texts = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
  return [...new Set(texts)].map((text) => new URL(text));
}

/**
 * The `jwks_uri` of an issuer.
 *
 * @throws {DocumentError} where no document tells it: what is wrong with the last one that was there
 */
export async function findJwksUri(issuer: string, fetchDocument: FetchDocument): Promise<URL> {
  let failure: DocumentError | undefined;
  for (const url of metadataUrls(issuer)) {
    try {
      const uri = jwksUriOf(issuer, await fetchDocument(url));
      if (uri !== undefined) return uri;
      failure = new DocumentError("its metadata has no jwks_uri");
    } catch (error) {
      if (!isElsewhere(error)) throw error;
      if (failure === undefined || !isMissing(error)) failure = error;
    }
  }
  throw failure!;
}

/** Whether a server has answered, and not with metadata: by 4xx, by sending to a page, or with the page itself. */
function isElsewhere(error: unknown): error is DocumentError {
  return error instanceof DocumentError && error.status !== undefined && error.status < 500;
}

function isMissing({ status = 0 }: DocumentError): boolean {
  return status >= 400;
}

/** Undefined where there is none, which RFC 8414 section 2 allows, and OpenID Connect Discovery does not. */
function jwksUriOf(issuer: string, document: unknown): URL | undefined {
  const { issuer: named, jwks_uri: uri } = document as { issuer?: unknown; jwks_uri?: unknown } ??
    {};
  // RFC 8414 section 3.3: identical, or somebody else's metadata.
  if (named !== issuer) {
    throw new DocumentError("its metadata names another issuer than auth.oauth.issuer");
  }
  if (uri === undefined) return undefined;
  if (typeof uri !== "string" || uri.length > MAX_URL_CHARACTERS || !URL.canParse(uri)) {
    throw new DocumentError("its metadata has no jwks_uri");
  }
  const url = new URL(uri);
  if (!isSecureUrl(url)) {
    throw new DocumentError("the jwks_uri of its metadata is not https, nor http on this machine");
  }
  return url;
}
