/**
 * Proxies that mix the eras up: fields that say something else than the body, revisions, batches.
 *
 * @module
 */

import { binary, valuesOf } from "../../wire/mod.ts";
import { ofGroup } from "../broken_proxy.ts";
import {
  answering,
  bare,
  isInitialize,
  isModern,
  NOTHING,
  parsed,
  passingPosts,
  refielding,
  said,
  SESSION,
} from "../choices.ts";
import type { Passing } from "../damage.ts";
import { bytesOf, fieldOf, requestWith, textOf, withField } from "../message.ts";

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
      "era.name-missing",
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
    breaks: ["era.no-batch", "era.no-batch-modern", "era.no-initialize-in-batch"],
    make: () => ({ front: passingPosts((_, text) => isBatch(parsed(text))) }),
  },
  {
    name: "believes-any-base64",
    describe: "believes the body where Mcp-Name is in Base64",
    breaks: ["era.base64-mismatch"],
    make: () => ({
      front: refielding((request) => {
        const { "mcp-name": name } = mirrored(request);
        const given = said(request, "mcp-name");
        if (name === undefined || !given?.startsWith("=?")) return undefined;
        return withField(request.fields, "mcp-name", `=?base64?${bytesOf(name).toBase64()}?=`);
      }),
    }),
  },
  {
    name: "refuses-needless-base64",
    describe: "refuses Mcp-Name in Base64 where it could do without",
    breaks: ["era.base64-served"],
    make: () => ({
      front: answering((request) => {
        const { "mcp-name": name = "" } = mirrored(request);
        return said(request, "mcp-name")?.startsWith("=?") === true && /^[\x20-\x7e]+$/.test(name);
      }, bare(400)),
    }),
  },
  {
    name: "knows-fields-by-their-case",
    describe: "refuses names of fields that are written in capital letters",
    breaks: ["era.fields-served"],
    make: () => ({
      front: answering(
        ({ bytes }) => /\r\nMCP-METHOD:/.test(binary(bytes.subarray(0, 2_048))),
        bare(400),
      ),
    }),
  },
  {
    name: "chooses-among-doubled-fields",
    describe: "takes of a field that comes twice the one that fits the body",
    breaks: ["era.doubled-fields"],
    make: () => ({
      front: refielding((request) =>
        Object.entries(mirrored(request)).reduce(
          (fields, [name, value]) =>
            valuesOf(fields, name).length > 1 ? withField(fields, name, value) : fields,
          request.fields,
        )
      ),
    }),
  },
  {
    name: "needs-no-version-in-the-body",
    describe: "goes by MCP-Protocol-Version where the body names no version",
    breaks: ["era.missing-meta"],
    make: () => ({
      front: passingPosts((request, text) => {
        const { id, method } = Object(parsed(text)) as { id?: unknown; method?: unknown };
        return isModern(request) && id !== undefined && typeof method === "string" &&
          mirrored(request)["mcp-protocol-version"] === undefined;
      }),
    }),
  },
  {
    name: "gives-unknown-versions-another-code",
    describe: "tells of a version that the server does not know as of any bad request",
    breaks: ["era.unsupported-version"],
    make: () => ({
      front: {
        answer: ({ status }) =>
          status !== 400
            ? undefined
            : { whole: (body) => bytesOf(textOf(body).replace(/-32022\b/, "-32600")) },
      },
    }),
  },
  {
    name: "has-get-and-delete-in-any-revision",
    describe: "answers GET and DELETE of 2026-07-28 as if there were such",
    breaks: ["era.no-get-no-delete"],
    make: () => ({
      front: answering(
        (request) => isModern(request) && /^(GET|DELETE)$/.test(request.method),
        NOTHING,
      ),
    }),
  },
  {
    name: "looks-for-sessions-in-any-revision",
    describe: "answers 404 where a request of 2026-07-28 brings ids of the session era",
    breaks: ["era.session-fields-ignored"],
    make: () => ({
      front: answering(
        (request) =>
          isModern(request) &&
          [SESSION, "last-event-id"].some((name) => said(request, name) !== undefined),
        bare(404),
      ),
    }),
  },
  {
    name: "fails-on-odd-versions",
    describe: "fails where MCP-Protocol-Version is no date",
    breaks: ["era.invalid-version"],
    make: () => ({
      front: answering((request) => {
        const version = said(request, "mcp-protocol-version");
        return version !== undefined && !/^\d{4}-\d\d-\d\d$/.test(version);
      }, bare(500)),
    }),
  },
  {
    name: "demands-a-version",
    describe: "refuses calls of a session without MCP-Protocol-Version",
    breaks: ["era.version-absent"],
    make: () => ({
      front: answering(
        (request) =>
          request.method === "POST" && said(request, SESSION) !== undefined &&
          said(request, "mcp-protocol-version") === undefined && !isInitialize(request),
        bare(400),
      ),
    }),
  },
  {
    name: "knows-no-first-revision",
    describe: "refuses sessions of 2024-11-05",
    breaks: ["era.every-revision"],
    make: () => ({
      front: answering(
        (request, text) => isInitialize(request) && text.includes('"2024-11-05"'),
        bare(400),
      ),
    }),
  },
  {
    name: "refuses-any-batch",
    describe: "refuses batches of any revision",
    breaks: ["era.batch"],
    make: () => ({ front: answering((_, text) => isBatch(parsed(text)), bare(400)) }),
  },
]);
