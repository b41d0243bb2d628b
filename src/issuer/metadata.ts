/**
 * What an authorization server says of itself, found by its issuer alone.
 *
 * Sources: RFC 8414 sections 3.1 and 3.3, OpenID Connect Discovery 1.0 section 4; 2026-07-28
 * basic/authorization/authorization-server-discovery "Authorization Server Metadata Discovery".
 *
 * @module
 */

import { isSecureUrl } from "../http/mod.ts";
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

/** What is looked for in the metadata of an issuer. */
export interface Wanted<T> {
  /** The setting that has the issuer, as an operator is told. */
  readonly setting: string;
  /** The member that is looked for, as an operator is told. */
  readonly member: string;
  /**
   * What is looked for; undefined where the document does not have it.
   *
   * @throws {DocumentError} where what it has is not sound
   */
  read(document: Readonly<Record<string, unknown>>): T | undefined;
}

/**
 * What the metadata of an issuer have of what is wanted.
 *
 * @throws {DocumentError} where no document tells it: what is wrong with the last one that was there
 */
export async function findMetadata<T>(
  issuer: string,
  fetchDocument: FetchDocument,
  wanted: Wanted<T>,
): Promise<T> {
  let failure: DocumentError | undefined;
  for (const url of metadataUrls(issuer)) {
    try {
      const found = wanted.read(metadataOf(issuer, await fetchDocument(url), wanted.setting));
      if (found !== undefined) return found;
      failure = new DocumentError(`its metadata has no ${wanted.member}`, { isFinal: true });
    } catch (error) {
      if (!isElsewhere(error)) throw error;
      if (failure === undefined || !isMissing(error)) failure = error;
    }
  }
  throw failure!;
}

/**
 * A URL that metadata name; undefined where they have none.
 *
 * @throws {DocumentError} where it is none that a secret or a key may go over
 */
export function readUrl(
  document: Readonly<Record<string, unknown>>,
  member: string,
): URL | undefined {
  const text = document[member];
  if (text === undefined) return undefined;
  if (typeof text !== "string" || text.length > MAX_URL_CHARACTERS || !URL.canParse(text)) {
    throw new DocumentError(`its metadata has no ${member}`, { isFinal: true });
  }
  const url = new URL(text);
  if (!isSecureUrl(url)) {
    const sentence = `the ${member} of its metadata is not https, nor http on this machine`;
    throw new DocumentError(sentence, { isFinal: true });
  }
  return url;
}

/** Whether a server has answered, and not with metadata: by 4xx, by sending to a page, or with the page itself. */
function isElsewhere(error: unknown): error is DocumentError {
  return error instanceof DocumentError && error.status !== undefined && error.status < 500;
}

function isMissing({ status = 0 }: DocumentError): boolean {
  return status >= 400;
}

/** RFC 8414 section 3.3: the issuer is identical, or it is somebody else's metadata. */
function metadataOf(
  issuer: string,
  document: unknown,
  setting: string,
): Readonly<Record<string, unknown>> {
  const metadata = document as Readonly<Record<string, unknown>> | null;
  if (metadata?.["issuer"] === issuer) return metadata;
  const sentence = `its metadata names another issuer than ${setting}`;
  throw new DocumentError(sentence, { isFinal: true });
}
