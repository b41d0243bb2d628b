/**
 * Parameters of tools that are mirrored into header fields. Pure.
 *
 * Source: 2026-07-28 basic/transports/streamable-http, "Custom Headers from Tool Parameters".
 *
 * @module
 */

import { at, isRecord } from "./text.ts";

/** One parameter that is mirrored. */
export interface HeaderParam {
  /** The header field, in lower case. */
  readonly field: string;
  /** Where its value stands in the arguments of a call. */
  readonly path: readonly string[];
}

/** The schemas inside one schema that are looked at. */
const MAX_SCHEMAS = 10_000;

const ANNOTATION = "x-mcp-header";
/** Keywords whose values are maps of schemas by names, not schemas. */
const MAPS: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "$defs",
  "definitions",
  "dependentSchemas",
]);
/** Keywords whose values are data. */
const DATA: ReadonlySet<string> = new Set(["default", "const", "enum", "examples"]);
const PRIMITIVES: ReadonlySet<unknown> = new Set(["string", "integer", "boolean"]);
/** A token of RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** A schema, and how the value that it describes is reached; undefined where it cannot be. */
interface Found {
  readonly schema: unknown;
  readonly path: readonly string[] | undefined;
}

/** The parameters that the `inputSchema` of a tool has mirrored; a sentence about what is wrong with it otherwise. */
export function headerParams(inputSchema: unknown): readonly HeaderParam[] | string {
  const params: HeaderParam[] = [];
  const fields = new Set<string>();
  // A stack of its own: how deep a schema goes is for the server to say.
  const toVisit: Found[] = [{ schema: inputSchema, path: [] }];
  for (let seen = 0; toVisit.length > 0; seen++) {
    if (seen >= MAX_SCHEMAS) return `has more than ${MAX_SCHEMAS} schemas in its schema`;
    const { schema, path } = toVisit.pop()!;
    if (Array.isArray(schema)) {
      toVisit.push(
        ...schema.slice(0, MAX_SCHEMAS).map((one) => ({ schema: one, path: undefined })),
      );
    }
    if (!isRecord(schema)) continue;
    if (Object.hasOwn(schema, ANNOTATION)) {
      const wrong = wrongWith(schema, path, fields);
      if (wrong !== undefined) return wrong;
      const field = `mcp-param-${(schema[ANNOTATION] as string).toLowerCase()}`;
      fields.add(field);
      params.push({ field, path: path! });
    }
    // One by one: there may be more of them than a call takes arguments.
    for (const one of inside(schema, path)) toVisit.push(one);
  }
  return params;
}

/** What the arguments of a call have for these parameters: names of fields and values, not yet encoded. */
export function mirroredValues(
  params: readonly HeaderParam[],
  args: unknown,
): [field: string, value: string][] {
  return params.flatMap(({ field, path }): [string, string][] => {
    const value = at(args, ...path);
    if (typeof value === "string" || typeof value === "boolean") return [[field, String(value)]];
    return Number.isSafeInteger(value) ? [[field, String(value)]] : [];
  });
}

function wrongWith(
  schema: Record<string, unknown>,
  path: readonly string[] | undefined,
  fields: ReadonlySet<string>,
): string | undefined {
  const name = schema[ANNOTATION];
  if (typeof name !== "string" || !TOKEN.test(name)) return `has an ${ANNOTATION} that is no token`;
  if (path === undefined || path.length === 0) {
    return `has an ${ANNOTATION} where no chain of properties leads to`;
  }
  const types = Array.isArray(schema.type)
    ? schema.type.filter((type) => type !== "null")
    : [schema.type];
  if (types.length === 0 || !types.every((type) => PRIMITIVES.has(type))) {
    return `has an ${ANNOTATION} on a parameter that is neither string, integer nor boolean`;
  }
  return fields.has(`mcp-param-${name.toLowerCase()}`)
    ? `has the ${ANNOTATION} ${name} twice`
    : undefined;
}

function inside(schema: Record<string, unknown>, path: readonly string[] | undefined): Found[] {
  return Object.entries(schema).flatMap(([keyword, value]): Found[] => {
    if (DATA.has(keyword) || typeof value !== "object" || value === null) return [];
    if (!MAPS.has(keyword) || !isRecord(value)) return [{ schema: value, path: undefined }];
    return Object.entries(value).map(([name, one]) => ({
      schema: one,
      path: keyword === "properties" && path !== undefined ? [...path, name] : undefined,
    }));
  });
}
