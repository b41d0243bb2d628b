/**
 * An interceptor of a user's, as a module: what it does stands in its options.
 *
 * @module
 */

import type { Interceptor, JsonRpcMessage } from "../intercept/mod.ts";

/** What the interceptor is to do. */
interface Options {
  readonly mode: string;
}

const isNamed = (message: JsonRpcMessage, name: string) =>
  (message["params"] as { name?: unknown } | undefined)?.name === name;

const NOTE: JsonRpcMessage = {
  jsonrpc: "2.0",
  method: "notifications/message",
  params: { data: 1 },
};

const MODES: Readonly<Record<string, Omit<Interceptor, "name">>> = {
  throws: {
    clientMessage: (message) => {
      if (isNamed(message, "bad")) throw new Error("secret-canary");
    },
  },
  hangs: {
    clientMessage: (message) => isNamed(message, "bad") ? new Promise(() => {}) : undefined,
    serverMessage: (message) => "result" in message ? new Promise(() => {}) : undefined,
  },
  "throws on answers": {
    serverMessage: (message) => {
      if (message["method"] === "notifications/progress") throw new Error("secret-canary");
    },
  },
  expands: {
    serverMessage: (message) => "result" in message ? { expand: [NOTE, message] } : undefined,
  },
  "answers the server": {
    serverMessage: (message) =>
      message["method"] === "sampling/createMessage"
        ? { answer: { result: { role: "assistant", model: "m" } } }
        : undefined,
  },
  "answers pings": {
    clientMessage: (message) =>
      message["method"] === "ping" ? { answer: { result: {} } } : undefined,
  },
  "subscribes elsewhere": {
    clientMessage: (message) =>
      message["method"] === "resources/subscribe"
        ? { replace: { ...message, params: { uri: "demo://allowed" } } }
        : undefined,
  },
  "speaks another revision": {
    clientMessage: (message) => {
      const params = message["params"] as { readonly _meta: object };
      const _meta = {
        ...params._meta,
        "io.modelcontextprotocol/protocolVersion": "2099-01-01",
      };
      return { replace: { ...message, params: { ...params, _meta } } };
    },
  },
  "changes arguments": {
    clientMessage: (message) => {
      if (message["method"] !== "tools/call") return undefined;
      const params = message["params"] as { readonly arguments: object };
      const changed = { ...params.arguments, note: "größer", zone: 7 };
      return { replace: { ...message, params: { ...params, arguments: changed } } };
    },
  },
  "tells the session": {
    clientMessage: (_, context) => context.log({ session: context.sessionId ?? "none" }),
  },
  "renames events": {
    event: ({ data }) => ({ replace: { event: "renamed", data: data.replace("1", "one\ntwo") } }),
  },
};

/** The interceptor for some options. */
export default function make({ mode }: Options): Interceptor {
  return { name: `test ${mode}`, ...MODES[mode] };
}
