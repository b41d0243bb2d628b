/**
 * Who calls: the seam between the fronts and every way to tell callers apart.
 *
 * @module
 */

import type { FieldReader } from "../http/mod.ts";

/** A caller that the proxy has recognised. Never made from anything that the caller merely claims. */
export interface Principal {
  /** Stable text that tells it from all others: sessions are bound to it. Never sent to anybody. */
  readonly id: string;
  /** Name for logs and the admin pages. */
  readonly name: string;
  /**
   * When the credential runs out that it was known by, in milliseconds since 1970; left out for never. Of one
   * caller each credential may have a time of its own.
   */
  readonly validUntilMs?: number | undefined;
  /**
   * Who has found the credential good, where a config may put another judge in its place, who may find otherwise:
   * compared and nothing else. Left out where the credential is known for as long as `nameOf` knows the id.
   */
  readonly authority?: object | undefined;
}

/** All callers, where nothing tells them apart. */
export const ANONYMOUS: Principal = { id: "anonymous", name: "anonymous" };

/**
 * Recognises the caller of one request from its header fields; asked for every request anew. It may take a while,
 * as where the keys of an authorization server are to be fetched.
 */
export interface Authenticator {
  /**
   * The caller.
   *
   * @param path of the request target, without query: a credential may be good for some routes alone (R92)
   * @throws {ProxyError} `unauthorized` where the credential is missing or wrong (R91), `insufficient_scope` where
   * it allows too little, `authorization_unavailable` where it cannot be checked for the moment
   */
  authenticate(headers: FieldReader, path: string): Principal | Promise<Principal>;
  /** Name of the principal with this id, for the admin pages; undefined where it is not known any more. */
  nameOf(id: string): string | undefined;
  /** Names, in lower case, of the fields that carry credentials for the proxy and go no further (R93). */
  readonly credentialFields: readonly string[];
}

/** Takes everybody for the one anonymous principal. */
export const anybody: Authenticator = {
  authenticate: () => ANONYMOUS,
  nameOf: (id) => id === ANONYMOUS.id ? ANONYMOUS.name : undefined,
  credentialFields: [],
};
