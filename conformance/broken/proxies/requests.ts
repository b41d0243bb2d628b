/**
 * Proxies that send requests on other than they came.
 *
 * @module
 */

import { ofGroup } from "../broken_proxy.ts";
import { replacing } from "../choices.ts";
import type { Damage } from "../damage.ts";
import { bytesOf, requestWith, rewritten, withField } from "../message.ts";

/** Writes the JSON of requests anew. */
function rewritingRequests(change?: (value: unknown) => unknown): Damage {
  return {
    request: (request) => ({
      send: requestWith(request, { body: rewritten(request.body, change) }),
    }),
  };
}

/** Takes fields away from requests. */
function withoutFields(which: (name: string) => boolean): Damage {
  return {
    request: (request) => ({
      send: requestWith(request, { fields: request.fields.filter(([name]) => !which(name)) }),
    }),
  };
}

/** The broken proxies that change requests. */
export const REQUEST = ofGroup("request", [
  {
    name: "rewrites-the-json-of-requests",
    describe: "parses requests and writes them anew: spaces, escapes and large numbers change",
    breaks: ["request.ids", "request.odd-ids", "request.spelling", "request.numbers"],
    make: () => ({ back: rewritingRequests() }),
  },
  {
    name: "sorts-the-keys-of-requests",
    describe: "sorts the keys of requests",
    breaks: [
      "request.ids",
      "request.unknown-members",
      "request.notifications-and-responses",
      "request.chunked-body",
      "request.bytewise",
      "request.large-body",
    ],
    make: () => ({
      back: rewritingRequests((value) =>
        typeof value === "object" && value !== null && !Array.isArray(value)
          ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => a < b ? -1 : 1))
          : value
      ),
    }),
  },
  {
    name: "strips-mirrored-fields",
    describe: "keeps Mcp-Method, Mcp-Name and Mcp-Param fields to itself",
    breaks: ["request.mirrored-fields", "request.param-fields"],
    make: () => ({ back: withoutFields((name) => /^mcp-(method|name|param-)/.test(name)) }),
  },
  {
    name: "strips-the-version",
    describe: "keeps MCP-Protocol-Version to itself",
    breaks: ["request.mirrored-fields", "request.version-field", "request.odd-version-field"],
    make: () => ({ back: withoutFields((name) => name === "mcp-protocol-version") }),
  },
  {
    name: "strips-trace-context",
    describe: "keeps traceparent and other fields that it does not know to itself",
    breaks: ["request.unknown-fields"],
    make: () => ({ back: withoutFields((name) => /^(traceparent|tracestate|x-)/.test(name)) }),
  },
  {
    name: "asks-for-anything",
    describe: "writes an Accept of its own",
    breaks: ["request.accept"],
    make: () => ({
      back: {
        request: (request) => ({
          send: requestWith(request, { fields: withField(request.fields, "accept", "*/*") }),
        }),
      },
    }),
  },
  {
    name: "calls-requests-text",
    describe: "sends requests on as plain text",
    breaks: ["request.content-type"],
    make: () => ({ back: replacing("content-type", /json/i, "text/plain") }),
  },
  {
    name: "gives-delete-a-body",
    describe: "sends GET and DELETE on with a body",
    breaks: ["request.get-and-delete"],
    make: () => ({
      back: {
        request: (request) =>
          /^(GET|DELETE)$/.test(request.method)
            ? { send: requestWith(request, { body: bytesOf("{}") }) }
            : undefined,
      },
    }),
  },
  {
    name: "has-a-path-for-sessions",
    describe: "sends DELETE on to a path of its own",
    breaks: ["request.one-target"],
    make: () => ({
      back: {
        request: (request) =>
          request.method === "DELETE"
            ? { send: requestWith(request, { startLine: "DELETE /mcp/session HTTP/1.1" }) }
            : undefined,
      },
    }),
  },
]);
