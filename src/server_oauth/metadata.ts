/**
 * The metadata of a protected resource: what of a server's own its clients may have from the proxy. Pure.
 *
 * Source: RFC 9728 section 2, field by field; RFC 8414 section 2 for `issuer`; 2026-07-28
 * basic/authorization/authorization-server-discovery.
 *
 * @module
 */

import { z } from "zod";
import { isSecureUrl } from "../http/mod.ts";

/** Authorization servers of one document. */
export const MAX_AUTHORIZATION_SERVERS = 16;
/** Members of any other list of one document. */
export const MAX_MEMBERS = 1_000;
/** The longest text of one document, in characters. */
export const MAX_TEXT_CHARACTERS = 2_048;

/** An authorization server that a client may be sent to: by TLS, or on the client's own machine. */
export function isIssuer(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  return url.search + url.hash === "" && isSecureUrl(url);
}

/** A text of a document. */
export const text = z.string().max(MAX_TEXT_CHARACTERS);
/** A list of a document. */
export const texts = z.array(text).max(MAX_MEMBERS);
const issuer = text.refine(isIssuer);

/**
 * What passes. Not there, and therefore dropped:
 *
 * - `resource`: the proxy says its own.
 * - `signed_metadata`: signed over the `resource` of the server, which a client would have to put first.
 * - `jwks_uri`, `resource_signing_alg_values_supported`: keys and algorithms with which the server signs its answers;
 *   they are at its own address, and MCP has no signed answers.
 * - `tls_client_certificate_bound_access_tokens`: TLS of the client ends at the proxy, so no such token can pass.
 * - what RFC 9728 does not know: it may name anything.
 */
const documentSchema = z.object({
  authorization_servers: z.array(issuer).min(1).max(MAX_AUTHORIZATION_SERVERS),
  scopes_supported: texts.optional(),
  bearer_methods_supported: texts.optional(),
  authorization_details_types_supported: texts.optional(),
  dpop_signing_alg_values_supported: texts.optional(),
  dpop_bound_access_tokens_required: z.boolean().optional(),
});

/** For people, in one or more languages (`resource_name#de`, RFC 9728 section 2.1). */
const FOR_PEOPLE =
  /^(resource_name|resource_documentation|resource_policy_uri|resource_tos_uri)(#[A-Za-z0-9-]{1,35})?$/;

const authorizationServerSchema = z.object({ issuer });

/** What clients may have of a server's metadata, but for `resource`. */
export type Metadata = Readonly<Record<string, unknown>>;

/**
 * What of a document may pass; undefined where it is no sound metadata.
 *
 * @param hostname the server's, which links to it would name
 */
export function readMetadata(document: unknown, hostname: string): Metadata | undefined {
  const read = documentSchema.safeParse(document);
  if (!read.success) return undefined;
  const told = Object.entries(document as Record<string, unknown>).filter(([name, value]) =>
    FOR_PEOPLE.test(name) && isForPeople(name, value, hostname)
  ).slice(0, MAX_MEMBERS);
  return { ...read.data, ...Object.fromEntries(told) };
}

/** The metadata of a server that has none itself, by the document of an authorization server at its origin. */
export function metadataOfIssuer(document: unknown): Metadata | undefined {
  const read = authorizationServerSchema.safeParse(document);
  return read.success ? { authorization_servers: [read.data.issuer] } : undefined;
}

/** The document as the client of this resource gets it. */
export function metadataText(metadata: Metadata, resource: string): string {
  return JSON.stringify({ resource, ...metadata });
}

/** A name without an address in it, or a link that leads anywhere but to the server itself (R99). */
function isForPeople(name: string, value: unknown, hostname: string): boolean {
  if (typeof value !== "string" || value.length > MAX_TEXT_CHARACTERS) return false;
  const own = nameOf(hostname);
  if (name.startsWith("resource_name")) {
    return !value.includes("://") && (!/[.:]/.test(own) || !value.toLowerCase().includes(own));
  }
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  const isWeb = url.protocol === "https:" || url.protocol === "http:";
  return isWeb && nameOf(url.hostname.replace(/^\[|\]$/g, "")) !== own;
}

/** A host as it is compared: neither case nor the dot at the end makes another one of it (RFC 1034 section 3.1). */
function nameOf(hostname: string): string {
  return hostname.toLowerCase().replace(/\.$/, "");
}
