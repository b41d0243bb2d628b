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
}

/** All callers, where nothing tells them apart. */
export const ANONYMOUS: Principal = { id: "anonymous", name: "anonymous" };

/**
 * Recognises the caller of one request from its header fields; asked for every request anew. Ready for
 * ways that take a while, such as OAuth.
 */
export interface Authenticator {
  /**
   * The caller.
   *
   * @throws {ProxyError} `unauthorized` where the credential is missing or wrong (R91)
   */
  authenticate(headers: FieldReader): Principal | Promise<Principal>;
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
