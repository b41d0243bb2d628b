/**
 * The routes as protected resources: how they are named, where their metadata is, what it says.
 *
 * Sources: RFC 9728 sections 2, 3 and 5.1, RFC 8707 section 2; 2026-07-28 basic/authorization
 * "Canonical Server URI" and "Scope Selection Strategy".
 *
 * @module
 */

import { type ClientAnswer, jsonAnswer } from "../../http/mod.ts";
import { RESOURCE_METADATA } from "../../upstream/mod.ts";

/** How long clients may keep a document, in seconds. */
const MAX_AGE_SECONDS = 300;

/** What the proxy answers for. */
export interface ResourceOptions {
  /** The URL that clients dial: an origin, and perhaps a path ahead of those of the routes. */
  readonly publicUrl: string;
  /** The routes. */
  readonly routes: readonly RoutePaths[];
  /** The audiences of tokens, in place of the resources' own names. */
  readonly audiences?: readonly string[] | undefined;
}

/** The paths of one route. */
export interface RoutePaths {
  /** Paths that clients are configured with, that of the route first: each is a resource's name. */
  readonly named: readonly string[];
  /** Paths that clients are told, such as that for messages of HTTP+SSE. */
  readonly told: readonly string[];
}

/** What is to be known of a path. */
export interface Place {
  /** The audiences of tokens that are good for it. */
  readonly audiences: readonly string[];
  /**
   * Where its metadata is. Undefined where the path names no resource: a client finds the document by the URL that
   * it was configured with.
   */
  readonly metadataUrl: string | undefined;
}

/** The resources of one config. */
export class Resources {
  readonly #places = new Map<string, Place>();
  /** Names of resources by the paths of their documents. */
  readonly #documents = new Map<string, string>();
  readonly #elsewhere: Place;

  /** Those of the routes. */
  constructor({ publicUrl, routes, audiences }: ResourceOptions) {
    const { origin, pathname } = new URL(publicUrl);
    const prefix = pathname.replace(/\/$/, "");
    const base = origin + prefix;
    for (const { named, told } of routes) {
      // All paths of a route lead to one server: a token for one of them is for all.
      const accepted = audiences ?? named.map((path) => base + path);
      for (const path of named) {
        this.#places.set(path, {
          audiences: accepted,
          metadataUrl: base + RESOURCE_METADATA + path,
        });
        // As the challenge has it, and as RFC 9728 section 3.1 makes it of the name.
        this.#documents.set(RESOURCE_METADATA + path, base + path);
        this.#documents.set(RESOURCE_METADATA + prefix + path, base + path);
      }
      for (const path of told) {
        this.#places.set(path, { audiences: accepted, metadataUrl: undefined });
      }
    }
    if (routes.length === 1) this.#documents.set(RESOURCE_METADATA, base + routes[0]!.named[0]!);
    const all = [...this.#places.values()].flatMap((place) => place.audiences);
    this.#elsewhere = { audiences: [...new Set(all)], metadataUrl: undefined };
  }

  /** What holds for a path; where there is no route, a token for any of them, which gets to know that. */
  at(path: string): Place {
    return this.#places.get(path) ?? this.#elsewhere;
  }

  /** The document under `path`; undefined where there is none. */
  document(path: string, issuer: string, scopes: readonly string[]): ClientAnswer | undefined {
    const resource = this.#documents.get(path);
    if (resource === undefined) return undefined;
    const text = JSON.stringify({
      resource,
      authorization_servers: [issuer],
      ...(scopes.length > 0 && { scopes_supported: scopes }),
      bearer_methods_supported: ["header"],
    });
    return jsonAnswer(200, text, { "cache-control": `max-age=${MAX_AGE_SECONDS}` });
  }
}
