/**
 * Proxies that take what they should refuse: foreign names, messages that are none, headers that
 * say something else than the body, bodies that are too large.
 *
 * @module
 */

import type { Fields } from "../../wire/mod.ts";
import { ofGroup } from "../broken_proxy.ts";
import type { Damage, Passing } from "../damage.ts";
import { past } from "../link.ts";
import { answerWith, bytesOf, fieldOf, requestWith, textOf, withField } from "../message.ts";

/** Has a field say what the sound proxy wants to read. */
function replacing(name: string, wrong: RegExp, right: string | null): Damage {
  return {
    request(request) {
      const value = fieldOf(request.fields, name);
      if (!request.sound || value === undefined || !wrong.test(value)) return undefined;
      return { send: requestWith(request, { fields: withField(request.fields, name, right) }) };
    },
  };
}

/** Hands such messages to the server without looking at them any further. */
function passing(which: (request: Passing, text: string) => boolean): Damage {
  return {
    request(request) {
      if (!request.sound || request.method !== "POST") return undefined;
      return which(request, textOf(request.body)) ? past(request.bytes) : undefined;
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const LOCAL = "127.0.0.1";
const FOREIGN = /^(?!(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$)[a-z0-9.-]+(:\d+)?$/i;
const FOREIGN_ORIGIN = /^(?!https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$)/i;

/** The broken proxies that let foreign names in. */
export const DOOR = ofGroup("door", [
  {
    name: "takes-any-host",
    describe: "takes any name in Host for its own",
    breaks: ["door.foreign-host", "door.lookalike-host"],
    make: () => ({ front: replacing("host", FOREIGN, LOCAL) }),
  },
  {
    name: "takes-any-origin",
    describe: "takes requests from any web page",
    breaks: ["door.foreign-origin", "door.lookalike-origin"],
    make: () => ({ front: replacing("origin", FOREIGN_ORIGIN, null) }),
  },
]);

/** Whether a request comes from here, and its body is what it says. */
function isAtTheDoor(fields: Fields): boolean {
  const foreign = FOREIGN.test(fieldOf(fields, "host") ?? "");
  const others = ["origin", "content-encoding"].some((name) => fieldOf(fields, name) !== undefined);
  return !foreign && !others;
}

/** The broken proxies that take messages that are none. */
export const JSON_MESSAGES = ofGroup("json", [
  {
    name: "takes-what-is-no-json",
    describe: "sends on what is no JSON",
    breaks: ["json.not-json", "json.trailing-data"],
    make: () => ({
      front: passing(({ fields }, text) => parsed(text) === undefined && isAtTheDoor(fields)),
    }),
  },
  {
    name: "takes-duplicate-keys",
    describe: "takes the last of two equal keys",
    breaks: ["json.duplicate-names"],
    make: () => ({
      front: {
        request(request) {
          const text = textOf(request.body);
          const message = parsed(text);
          const names = ["jsonrpc", "id", "method", "params"];
          const isTwice = names.some((name) => text.split(`"${name}"`).length > 2);
          if (!isTwice || message === undefined) return undefined;
          return { send: requestWith(request, { body: bytesOf(JSON.stringify(message)) }) };
        },
      },
    }),
  },
  {
    name: "takes-any-value-for-a-message",
    describe: "answers JSON that is no JSON-RPC as if it were",
    breaks: ["json.no-message"],
    make: () => ({
      front: {
        request(request) {
          const message = parsed(textOf(request.body));
          if (request.method !== "POST" || message === undefined || Array.isArray(message)) {
            return undefined;
          }
          const { jsonrpc } = Object(message) as { jsonrpc?: unknown };
          return jsonrpc === "2.0" ? undefined : { answer: answerWith(202, [], "") };
        },
      },
    }),
  },
]);

/** What the names of fields mirror in a body of 2026-07-28. */
function mirrored(request: Passing): Readonly<Record<string, string>> {
  const message = parsed(textOf(request.body)) as {
    method?: string;
    params?: { name?: string; uri?: string; _meta?: Readonly<Record<string, unknown>> };
  } | undefined;
  const { method, params } = message ?? {};
  const version = params?._meta?.["io.modelcontextprotocol/protocolVersion"];
  if (typeof version !== "string" || typeof method !== "string") return {};
  const name = params?.name ?? params?.uri;
  return {
    "mcp-protocol-version": version,
    "mcp-method": method,
    ...(typeof name === "string" ? { "mcp-name": name } : {}),
  };
}

/** Whether a value is a batch of messages. */
function isBatch(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 &&
    value.every((message) => Object(message).jsonrpc === "2.0");
}

/** The broken proxies that take the eras as they come. */
export const ERA = ofGroup("era", [
  {
    name: "ignores-mirrored-headers",
    describe: "believes the body where the headers say something else, or nothing",
    breaks: [
      "era.method-missing",
      "era.method-mismatch",
      "era.name-mismatch",
      "era.version-mismatch",
    ],
    make: () => ({
      front: {
        request(request) {
          if (!request.sound) return undefined;
          let { fields } = request;
          for (const [name, value] of Object.entries(mirrored(request))) {
            if (fieldOf(fields, name) !== value && !fieldOf(fields, name)?.startsWith("=?")) {
              fields = withField(fields, name, value);
            }
          }
          return fields === request.fields ? undefined : { send: requestWith(request, { fields }) };
        },
      },
    }),
  },
  {
    name: "takes-batches-of-any-revision",
    describe: "sends on batches of any revision",
    breaks: ["era.no-batch", "era.no-batch-modern"],
    make: () => ({ front: passing((_, text) => isBatch(parsed(text))) }),
  },
]);

/** The broken proxies without a limit. */
export const LIMITS = ofGroup("limits", [
  {
    name: "has-no-body-limit",
    describe: "sends on bodies of any size",
    breaks: ["limits.declared-length", "limits.chunked-length"],
    make: () => ({ front: passing(({ body }) => body.length > 1024 * 1024) }),
  },
  {
    name: "refuses-half-the-limit",
    describe: "refuses bodies that are within the limit",
    breaks: ["limits.body-at-limit"],
    make: () => ({
      front: {
        request: ({ body }) =>
          body.length > 768 * 1024 && body.length <= 1024 * 1024
            ? { answer: answerWith(413, [], "") }
            : undefined,
      },
    }),
  },
]);
