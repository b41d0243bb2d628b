/**
 * Callers told apart by access tokens of an authorization server, and by API keys beside them.
 *
 * Sources: RFC 6750, RFC 9068, RFC 9728; 2026-07-28 basic/authorization; R91, R92, R94, R96.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import type { ClientAnswer, FieldReader } from "../../http/mod.ts";
import { fetchDocument, type Resolve } from "../../issuer/mod.ts";
import type { Logger } from "../../telemetry/mod.ts";
import type { Authenticator, Principal } from "../authenticate.ts";
import { bearerOf } from "../api_keys.ts";
import { scopesWanted, tokenRefused, tokenWanted } from "./challenge.ts";
import { IssuerKeys } from "./keys.ts";
import { Latest } from "./latest.ts";
import { digestOf, RememberedGrants } from "./remembered.ts";
import type { Place, Resources } from "./resources.ts";
import {
  type Grant,
  LOOKS_LIKE_JWT,
  MAX_TOKEN_CHARACTERS,
  nameOf,
  TokenError,
  type TokenRules,
  verifyToken,
} from "./token.ts";

/** The field with the token. */
const FIELD = "authorization";

/** What allows addresses that are not of the public internet. */
const SETTING = "auth.oauth.allowPrivateAddresses";

/** Names of callers that are kept for the admin pages; beyond that who was seen longest ago goes by the hash alone. */
export const MAX_NAMES = 10_000;

/** What an authorization server's callers are known by. */
export interface OauthOptions extends TokenRules {
  /** Where its keys are; found out from the issuer where it is left out. */
  readonly jwksUri?: string | undefined;
  /** Whether it may be at an address that is not of the public internet. */
  readonly allowPrivateAddresses: boolean;
}

/** What works on it. */
export interface OauthTools {
  /** Time. */
  readonly clock: Clock;
  /** Where it is told that no keys can be had. */
  readonly logger: Logger;
  /** Finds the addresses of a name; the system's by default. */
  readonly resolve?: Resolve | undefined;
}

/** API keys that are good beside tokens. */
export interface KeysBeside {
  /** Knows them. */
  readonly authenticator: Authenticator;
  /** The field that holds them alone; undefined where they stand in `Authorization` as tokens do. */
  readonly header: string | undefined;
}

/** The callers of one authorization server: its keys, and what tokens were found to allow. Outlives configs. */
export class OauthCallers {
  readonly #options: OauthOptions;
  readonly #clock: Clock;
  readonly #keys: IssuerKeys;
  readonly #grants: RememberedGrants;
  readonly #names = new Latest<string>(MAX_NAMES);

  /** Nothing is fetched before the first token comes. */
  constructor(options: OauthOptions, { clock, logger, resolve }: OauthTools) {
    this.#options = options;
    this.#clock = clock;
    this.#grants = new RememberedGrants(clock);
    const { issuer, jwksUri, allowPrivateAddresses } = options;
    this.#keys = new IssuerKeys({
      issuer,
      jwksUri,
      clock,
      logger,
      fetchDocument: (url, signal) =>
        fetchDocument(url, { clock, allowPrivateAddresses, setting: SETTING, resolve }, signal),
    });
  }

  /** Recognises callers of the resources of one config. */
  authenticator(resources: Resources, keys?: KeysBeside): Authenticator {
    const header = keys?.header?.toLowerCase();
    const issued = `oauth:${this.#options.issuer}#`;
    return {
      authenticate: (headers, path) => this.#authenticate(headers, path, resources, keys),
      nameOf: (id) =>
        id.startsWith(issued) ? this.#names.get(id) ?? nameOf(id) : keys?.authenticator.nameOf(id),
      credentialFields: header === undefined ? [FIELD] : [FIELD, header],
    };
  }

  /** The metadata document of a resource; undefined where there is none under this path. */
  document(resources: Resources, path: string): ClientAnswer | undefined {
    return resources.document(path, this.#options.issuer, this.#options.scopes);
  }

  /** Gives up what is being fetched. */
  close(): void {
    this.#keys.close();
  }

  #authenticate(
    headers: FieldReader,
    path: string,
    resources: Resources,
    keys: KeysBeside | undefined,
  ): Principal | Promise<Principal> {
    const place = resources.at(path);
    const value = headers.get(FIELD);
    const token = value === null ? undefined : bearerOf(value);
    if (token === undefined || token === "") return this.#withoutToken(headers, path, place, keys);
    const isToken = LOOKS_LIKE_JWT.test(token);
    if (!isToken && keys !== undefined && keys.header === undefined) {
      return this.#withKey(headers, path, place, keys.authenticator);
    }
    // A longer one is wrong without being hashed.
    if (!isToken || value!.length > MAX_TOKEN_CHARACTERS) throw this.#refused(place, "is no JWT");
    const digest = digestOf(token);
    const known = this.#grants.get(digest);
    return known === undefined ? this.#check(token, digest, place) : this.#admit(known, place);
  }

  #withoutToken(
    headers: FieldReader,
    path: string,
    place: Place,
    keys: KeysBeside | undefined,
  ): Principal | Promise<Principal> {
    if (keys?.header !== undefined && headers.has(keys.header.toLowerCase())) {
      return keys.authenticator.authenticate(headers, path);
    }
    const advice = "an access token; send it as Authorization: Bearer TOKEN";
    const beside = keys?.header === undefined ? "" : `, or an API key in the field ${keys.header}`;
    throw tokenWanted({ ...place, scopes: this.#options.scopes }, advice + beside);
  }

  /** What is no token may be a key; one that is neither is told where to get a token. */
  #withKey(
    headers: FieldReader,
    path: string,
    place: Place,
    keys: Authenticator,
  ): Principal | Promise<Principal> {
    try {
      return keys.authenticate(headers, path);
    } catch (error) {
      if (!(error instanceof ProxyError) || error.kind !== "unauthorized") throw error;
      throw this.#refused(place, "is no JWT, and no API key of this proxy");
    }
  }

  async #check(token: string, digest: string, place: Place): Promise<Principal> {
    let grant: Grant;
    try {
      const found = await verifyToken(token, this.#options, this.#keys, this.#clock);
      grant = { ...found, principal: { ...found.principal, authority: this } };
    } catch (error) {
      if (error instanceof TokenError) throw this.#refused(place, error.message);
      throw error;
    }
    this.#grants.set(digest, grant);
    this.#names.set(grant.principal.id, grant.principal.name);
    return this.#admit(grant, place);
  }

  /** Whether a sound token is good here and now. */
  #admit(grant: Grant, place: Place): Principal {
    if (this.#clock.now().getTime() >= grant.untilMs) throw this.#refused(place, "has expired");
    if (!place.audiences.some((one) => grant.audiences.includes(one))) {
      throw this.#refused(place, "was issued for another resource");
    }
    if (!grant.hasScopes) throw scopesWanted({ ...place, scopes: this.#options.scopes });
    return grant.principal;
  }

  #refused(place: Place, reason: string): ProxyError {
    return tokenRefused({ ...place, scopes: this.#options.scopes }, reason);
  }
}
