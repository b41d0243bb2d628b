/**
 * Allows and denies tools, prompts and resources: what is denied looks as if the server did not have
 * it, in lists and when it is asked for.
 *
 * Not covered: what a permitted tool says about a resource in its result.
 *
 * @module
 */

import { z } from "zod";
import { matchesAny } from "../glob.ts";
import { isObject, kindOf } from "../message.ts";
import { changeLists, type Offer, paramsOf, unknownOffer, useOf } from "../shape.ts";
import type {
  ClientVerdict,
  InterceptContext,
  Interceptor,
  JsonRpcMessage,
  ServerVerdict,
} from "../types.ts";

const patterns = z.array(z.string().min(1, { error: "a name, with * for any characters" }));

function rules(what: string) {
  return z.strictObject({
    allow: patterns.optional().describe(
      `${what} that clients may use; all of them where it is left out. * stands for any characters.`,
    ),
    deny: patterns.default([]).describe(`${what} that clients may not use; outweighs allow.`),
  });
}

/** Options of `access`. */
export const accessOptions = z.strictObject({
  tools: rules("Names of tools").optional().describe("Which tools clients may use."),
  prompts: rules("Names of prompts").optional().describe("Which prompts clients may use."),
  resources: rules("URIs of resources, and of templates,").optional().describe(
    "Which resources clients may use. A URI is refused where any of its spellings is.",
  ),
});

/** Options of `access`, filled in. */
export type AccessOptions = z.output<typeof accessOptions>;

/** Whether a client may use what has this name; anything that is no string is no name. */
type Permits = (offer: Offer, name: unknown) => boolean;

/** An interceptor that hides what is denied. */
export function createAccess(options: AccessOptions): Interceptor {
  const permits = permission(options);
  return {
    name: "access",
    clientMessage: (message, context) =>
      refuseUse(message, context, permits) ?? refuseCompletion(message, context, permits) ??
        narrowSubscription(message, permits),
    serverMessage: (message, context) => hide(message, context, permits),
  };
}

function permission(options: AccessOptions): Permits {
  return (offer, name) => {
    const rules = options[offer];
    if (rules === undefined) return true;
    // A lenient server might take `["x"]` for `x`.
    if (typeof name !== "string") return false;
    const written = offer === "resources" ? spellings(name) : [name];
    if (written.some((text) => matchesAny(rules.deny, text))) return false;
    const { allow } = rules;
    return allow === undefined || allow.includes(name) ||
      written.every((text) => matchesAny(allow, text));
  };
}

function refuseUse(
  message: JsonRpcMessage,
  context: InterceptContext,
  permits: Permits,
): ClientVerdict {
  const use = useOf(message);
  if (use === undefined || permits(use.offer, use.name)) return;
  if (kindOf(message) === "request") return unknownOffer(use.offer, use.name, context);
  return { drop: "It asks for what may not be used here." };
}

/** `completion/complete` tells about prompts and templates too. */
function refuseCompletion(
  message: JsonRpcMessage,
  context: InterceptContext,
  permits: Permits,
): ClientVerdict {
  if (message.method !== "completion/complete" || kindOf(message) !== "request") return;
  const { ref } = paramsOf(message);
  if (!isObject(ref)) return;
  // By the member, not by `type`: a lenient server might look at the member alone.
  for (const [key, offer] of [["name", "prompts"], ["uri", "resources"]] as const) {
    if (!Object.hasOwn(ref, key) || permits(offer, ref[key])) continue;
    return unknownOffer(offer, ref[key], context);
  }
}

/** `subscriptions/listen` (2026-07-28): a server acknowledges the part of the filter it honours. */
function narrowSubscription(message: JsonRpcMessage, permits: Permits): ClientVerdict {
  if (message.method !== "subscriptions/listen") return;
  const params = paramsOf(message);
  if (!isObject(params.notifications)) return;
  const uris = params.notifications.resourceSubscriptions;
  if (!Array.isArray(uris)) return;
  const kept = uris.filter((uri) => permits("resources", uri));
  if (kept.length === uris.length) return;
  const notifications = { ...params.notifications, resourceSubscriptions: kept };
  return { replace: { ...message, params: { ...params, notifications } } };
}

function hide(
  message: JsonRpcMessage,
  context: InterceptContext,
  permits: Permits,
): ServerVerdict {
  if (message.method === "notifications/resources/updated") {
    if (permits("resources", paramsOf(message).uri)) return;
    return { drop: "It tells of a resource that may not be used here." };
  }
  if (kindOf(message) !== "response") return;
  const changed = changeLists(
    message,
    context,
    (entry, { key, offer }) => permits(offer, entry[key]) ? entry : undefined,
  );
  return changed === message ? undefined : { replace: changed };
}

/**
 * The ways in which a server may read a URI: as it stands, with its escapes decoded, and each with
 * `..` taken out.
 */
function spellings(uri: string): string[] {
  const written = [uri, decoded(uri)];
  return [...new Set([...written, ...written.map(normalised)])];
}

function decoded(uri: string): string {
  try {
    return decodeURIComponent(uri);
  } catch {
    return uri;
  }
}

/** The braces of a template stay, as patterns are written with them. */
function normalised(uri: string): string {
  const href = URL.parse(uri)?.href;
  return href === undefined ? uri : href.replaceAll("%7B", "{").replaceAll("%7D", "}");
}
