/**
 * Under which addresses the metadata of a route are found, and how challenges name those of the resource.
 *
 * Source: RFC 9728 sections 3.1 and 5.1; 2026-07-28 basic/authorization/authorization-server-discovery, "Protected
 * Resource Metadata Discovery Requirements"; for clients that know of no resources, 2025-03-26 basic/authorization,
 * "Server Metadata Discovery".
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { type ClientAnswer, jsonAnswer } from "../http/mod.ts";
import { nameMetadata, RESOURCE_METADATA } from "../upstream/mod.ts";
import { AUTHORIZATION_SERVER, type MetadataSource } from "./lookup.ts";
import { type Metadata, metadataText } from "./metadata.ts";

/** A route, as far as its metadata is concerned. */
export interface MetadataRoute {
  /** Name in the log. */
  readonly name: string;
  /** What gives its metadata; undefined where it has none to give. */
  readonly metadata?: MetadataSource | undefined;
}

/** Metadata that a client has asked for. */
export interface FoundMetadata {
  /** The path of the route whose server is asked; left out where none is. */
  readonly path?: string | undefined;
  /**
   * The document.
   *
   * @throws {ProxyError} `route_not_found` where there is none; what kept the server from being asked
   */
  answer(): Promise<ClientAnswer>;
}

/** A kind of metadata: where it is, and what is said there of the server of a resource. */
interface Kind {
  readonly place: string;
  /** What there is none of, where there is none. */
  readonly name: string;
  /** The document; undefined where the server has none. */
  read(source: MetadataSource, resource: string): Promise<string | undefined>;
}

const KINDS: readonly Kind[] = [
  {
    place: RESOURCE_METADATA,
    name: "a protected resource",
    async read(source, resource) {
      const metadata = await source.metadata();
      return metadata && metadataText(metadata, resource);
    },
  },
  {
    place: AUTHORIZATION_SERVER,
    name: "an authorization server that the proxy could ask",
    async read(source) {
      const metadata: Metadata | undefined = await source.authorizationServer();
      return metadata && JSON.stringify(metadata);
    },
  },
];

/** What all places have in common. */
const WELL_KNOWN = "/.well-known/oauth-";

/** Whether there may be metadata at a request's target; where not, it needs no closer look. */
export function mayBeMetadata(target: string): boolean {
  return target.includes(WELL_KNOWN);
}

/**
 * The metadata at `path`; undefined where no route has any there. Without a path of its own it is that of the one
 * route that has some.
 *
 * @param publicUrl what clients put ahead of the paths of routes: an origin, and a path where something in front
 * takes it away
 * @param routes by their paths
 */
export function findMetadata(
  path: string,
  publicUrl: string,
  routes: ReadonlyMap<string, MetadataRoute>,
): FoundMetadata | undefined {
  const kind = KINDS.find(({ place }) => path.startsWith(place));
  if (kind === undefined) return undefined;
  const resource = resourceAt(path.slice(kind.place.length), pathOf(publicUrl), routes);
  const source = resource === undefined ? undefined : routes.get(resource)?.metadata;
  if (resource === undefined || source === undefined) return undefined;
  return {
    path: resource,
    async answer() {
      const document = await kind.read(source, publicUrl + resource);
      if (document !== undefined) return jsonAnswer(200, document);
      const sentence = `The server behind this path has no metadata of ${kind.name}.`;
      throw new ProxyError("route_not_found", sentence);
    },
  };
}

/** Where a client finds the metadata of the resource at `path`. */
export function metadataAddress(path: string, publicUrl: string): string {
  const prefix = pathOf(publicUrl);
  const origin = publicUrl.slice(0, publicUrl.length - prefix.length);
  return `${origin}${RESOURCE_METADATA}${prefix}${path}`;
}

/**
 * Has the challenges of an answer name the metadata of the resource at `path`, where they name any; that of another
 * resource where its path stands there already.
 */
export function nameInChallenges(answer: ClientAnswer, path: string, publicUrl: string): void {
  if (!answer.fields.has("www-authenticate")) return;
  nameMetadata(answer.fields, (told) => {
    const known = told.slice(RESOURCE_METADATA.length);
    return metadataAddress(known === "" ? path : known, publicUrl);
  });
}

/** The path of a URL that has no more than one; empty for none. A host that may be called need not be a sound one. */
function pathOf(publicUrl: string): string {
  return publicUrl.replace(/^https?:\/\/[^/]*/, "");
}

/** The path of the route that `rest` stands for, with or without the path of the public URL ahead of it. */
function resourceAt(
  rest: string,
  prefix: string,
  routes: ReadonlyMap<string, MetadataRoute>,
): string | undefined {
  if (rest === "" || rest === prefix) return onlyResource(routes);
  const isPrefixed = prefix !== "" && rest.startsWith(`${prefix}/`);
  const inside = isPrefixed ? rest.slice(prefix.length) : rest;
  return routes.has(inside) ? inside : rest;
}

/** The path of the one route with metadata; its first, where it is served under several. */
function onlyResource(routes: ReadonlyMap<string, MetadataRoute>): string | undefined {
  const having = [...routes].filter(([, { metadata }]) => metadata !== undefined);
  const names = new Set(having.map(([, { name }]) => name));
  return names.size === 1 ? having[0]![0] : undefined;
}
