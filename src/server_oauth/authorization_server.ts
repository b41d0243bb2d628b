/**
 * The document of an authorization server: what of a server's own its clients may have from the proxy. Pure.
 *
 * Source: RFC 8414 section 2, field by field; 2025-03-26 basic/authorization, "Server Metadata Discovery".
 *
 * @module
 */

import { z } from "zod";
import { isSecureUrl } from "../http/mod.ts";
import { isIssuer, type Metadata, text, texts } from "./metadata.ts";

/** Where a client or its person is sent: by TLS, or on their own machine. */
const endpoint = text.refine((value) => URL.canParse(value) && isSecureUrl(new URL(value)));

/** What a client can do without is left out where it is unsound. */
const endpointIfSound = endpoint.optional().catch(undefined);
const textsIfSound = texts.optional().catch(undefined);

/**
 * What passes: what clients read. What is left out is for resource servers (introspection), signed over other fields
 * (`signed_metadata`), for people, or not of RFC 8414 and what MCP adds to it.
 */
const documentSchema = z.object({
  issuer: text.refine(isIssuer),
  authorization_endpoint: endpoint,
  token_endpoint: endpoint,
  response_types_supported: texts,
  registration_endpoint: endpointIfSound,
  revocation_endpoint: endpointIfSound,
  jwks_uri: endpointIfSound,
  scopes_supported: textsIfSound,
  response_modes_supported: textsIfSound,
  grant_types_supported: textsIfSound,
  token_endpoint_auth_methods_supported: textsIfSound,
  token_endpoint_auth_signing_alg_values_supported: textsIfSound,
  revocation_endpoint_auth_methods_supported: textsIfSound,
  code_challenge_methods_supported: textsIfSound,
  client_id_metadata_document_supported: z.boolean().optional().catch(undefined),
  authorization_response_iss_parameter_supported: z.boolean().optional().catch(undefined),
});

/** What of a document may pass; undefined where no client could get a token by it. */
export function readAuthorizationServer(document: unknown): Metadata | undefined {
  const read = documentSchema.safeParse(document);
  if (!read.success) return undefined;
  return Object.fromEntries(Object.entries(read.data).filter(([, value]) => value !== undefined));
}
