/**
 * The fields of 2026-07-28 that say again what the body says: both have to say the same.
 *
 * @module
 */

import { modernServer } from "../mock/mod.ts";
import type { Scenario } from "../suite/mod.ts";
import {
  ARGUMENTS,
  CALL,
  expectRefusal,
  HEADER_MISMATCH,
  INVALID_REQUEST,
  modernCall,
  refusing,
  serving,
  TOOL,
  version,
} from "./modern_variants.ts";
import { MARK } from "./probe.ts";

const STREAMABLE = "2026-07-28 basic/transports/streamable-http";
const VALIDATION = `${STREAMABLE}, Server Validation`;
const INVALID_PARAMS = -32602;

const PROMPT = { method: "prompts/get", params: { name: TOOL, arguments: ARGUMENTS } };
const RESOURCE = { method: "resources/read", params: { uri: `file:///${MARK}` } };

/** The form in which a name travels that a field cannot hold (Value Encoding). */
function base64(text: string): string {
  return `=?base64?${new TextEncoder().encode(text).toBase64()}?=`;
}

/** Sends a body under the fields of 2026-07-28. */
function refusingBodies(
  bodies: Readonly<Record<string, unknown>>,
  codes: readonly number[],
): Scenario["run"] {
  return async (context) => {
    context.mock.use(modernServer());
    const { fields } = modernCall(context, {});
    for (const [what, body] of Object.entries(bodies)) {
      const answer = await context.send({ body, ...(fields && { fields }) });
      expectRefusal(context, answer, what, codes);
    }
  };
}

const bodyWith = (params: unknown) => ({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params,
});

const named = { name: TOOL, arguments: ARGUMENTS };

/** The checks of mirrored fields, without their group. */
export const MIRRORED: readonly Omit<Scenario, "group">[] = [
  {
    id: "era.version-mismatch",
    title: "MCP-Protocol-Version that differs from the version in _meta is refused",
    source: `${STREAMABLE}, Protocol Version Header; R33`,
    run: refusing({
      "the version of a session over a modern body": {
        fields: { "mcp-protocol-version": "2025-11-25" },
      },
      "a later version over the body": { fields: { "mcp-protocol-version": "2099-01-01" } },
      "a later version in the body": {
        params: { ...CALL.params, _meta: version("2099-01-01") },
      },
    }),
  },
  {
    id: "era.method-missing",
    title: "A request without Mcp-Method is refused",
    source: `${VALIDATION}; R33`,
    run: refusing({ "no Mcp-Method": { fields: { "mcp-method": null } } }),
  },
  {
    id: "era.method-mismatch",
    title: "Mcp-Method that differs from the method is refused; its case counts",
    source: `${VALIDATION}; ${STREAMABLE}, Case Sensitivity; R33`,
    run: refusing({
      "another Mcp-Method": { fields: { "mcp-method": "tools/list" } },
      "Mcp-Method in another case": { fields: { "mcp-method": "Tools/Call" } },
      "Mcp-Method with more behind it": { fields: { "mcp-method": "tools/call/x" } },
      "an empty Mcp-Method": { fields: { "mcp-method": "" } },
    }),
  },
  {
    id: "era.name-missing",
    title: "A request that needs Mcp-Name and has none is refused",
    source: `${STREAMABLE}, Standard Request Headers; R33`,
    run: refusing({
      "tools/call without Mcp-Name": { ...CALL, fields: { "mcp-name": null } },
      "prompts/get without Mcp-Name": { ...PROMPT, fields: { "mcp-name": null } },
      "resources/read without Mcp-Name": { ...RESOURCE, fields: { "mcp-name": null } },
    }),
  },
  {
    id: "era.name-mismatch",
    title: "Mcp-Name that differs from the name or URI is refused; its case counts",
    source: `${VALIDATION}; R33`,
    run: refusing({
      "another tool in Mcp-Name": { ...CALL, fields: { "mcp-name": "get time" } },
      "the tool in another case": { ...CALL, fields: { "mcp-name": "Get Weather" } },
      "another prompt in Mcp-Name": { ...PROMPT, fields: { "mcp-name": "get time" } },
      "another URI in Mcp-Name": { ...RESOURCE, fields: { "mcp-name": "file:///other" } },
    }),
  },
  {
    id: "era.base64-mismatch",
    title: "Mcp-Name in Base64 is decoded before it is compared; what does not decode is refused",
    source: `${STREAMABLE}, Value Encoding; R33`,
    run: refusing({
      "another name in Base64": { fields: { "mcp-name": base64("get time") } },
      "broken Base64": { fields: { "mcp-name": "=?base64?%%?=" } },
      "Base64 of no UTF-8": { fields: { "mcp-name": "=?base64?/w==?=" } },
      "the marks in capital letters": {
        fields: { "mcp-name": base64(TOOL).replace("base64", "BASE64") },
      },
      "a tool called like its own Base64": {
        params: { name: base64(TOOL), arguments: ARGUMENTS },
        fields: { "mcp-name": base64(TOOL) },
      },
    }),
  },
  {
    id: "era.base64-served",
    title: "Mcp-Name in Base64 that says what the body says is right",
    source: `${STREAMABLE}, Value Encoding; R33`,
    run: serving({
      "a plain name in Base64": { fields: { "mcp-name": base64(TOOL) } },
      "a name beyond ASCII": {
        params: { name: "Wetter in Köln 世界", arguments: {} },
        fields: { "mcp-name": base64("Wetter in Köln 世界") },
      },
      "a URI beyond ASCII": {
        method: "resources/read",
        params: { uri: "file:///ü" },
        fields: { "mcp-name": base64("file:///ü") },
      },
      "a name that looks like Base64": {
        params: { name: "=?base64?literal?=", arguments: {} },
        fields: { "mcp-name": base64("=?base64?literal?=") },
      },
    }),
  },
  {
    id: "era.fields-served",
    title: "Right fields are served: names in any case, others beside them",
    source: `${STREAMABLE}, Case Sensitivity, Server Behavior for Custom Headers; R33`,
    run: serving({
      "the usual fields": {},
      "names in capital letters": {
        fields: { "mcp-method": null, "MCP-METHOD": "tools/call" },
      },
      "a method that needs no name": { method: "tools/list", params: {} },
      "an unknown Mcp-Param": { fields: { "mcp-param-region": "us-west1" } },
    }),
  },
  {
    id: "era.doubled-fields",
    title: "A mirrored field that comes twice, once true and once false, is refused",
    source: `${VALIDATION}; RFC 9110 section 5.3; R33`,
    run: refusing({
      "two methods": { fields: { "Mcp-Method": "tools/list" } },
      "two names": { fields: { "Mcp-Name": "get time" } },
      "two versions": { fields: { "MCP-Protocol-Version": "2025-11-25" } },
    }),
  },
  {
    id: "era.missing-meta",
    title: "A body without the version that its field names is refused",
    source: `2026-07-28 basic/index, _meta; ${VALIDATION}; R33`,
    run: refusingBodies({
      "no _meta": bodyWith(named),
      "an empty _meta": bodyWith({ ...named, _meta: {} }),
      "a _meta that is a text": bodyWith({ ...named, _meta: "2026-07-28" }),
      "a version that is a number": bodyWith({ ...named, _meta: version(20260728) }),
      "a version that is null": bodyWith({ ...named, _meta: version(null) }),
    }, [INVALID_PARAMS, HEADER_MISMATCH, INVALID_REQUEST]),
  },
];
