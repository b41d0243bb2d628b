/**
 * The content, schemas and questions both fixture servers offer. The names and the shape of the
 * values are those the official suite asks for; see its server scenarios.
 */

/** A 2x2 greyscale PNG, in base64. */
export const PNG_BASE64 =
  "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADElEQVR42mNg+A+EAAYAAf+tLDclAAAAAElFTkSuQmCC";

/** Four samples of 8-bit mono WAV, in base64. */
export const WAV_BASE64 = "UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQQAAACAwIBA";

/** One text block. */
export function text(value: string): { type: "text"; text: string } {
  return { type: "text", text: value };
}

/** One image block. */
export function image(): { type: "image"; data: string; mimeType: string } {
  return { type: "image", data: PNG_BASE64, mimeType: "image/png" };
}

/** One audio block. */
export function audio(): { type: "audio"; data: string; mimeType: string } {
  return { type: "audio", data: WAV_BASE64, mimeType: "audio/wav" };
}

/** One embedded text resource. */
export function embedded(uri: string, value: string, mimeType = "text/plain"): {
  type: "resource";
  resource: { uri: string; mimeType: string; text: string };
} {
  return { type: "resource", resource: { uri, mimeType, text: value } };
}

/** The three kinds of block in one list. */
export function mixedContent(): (
  | ReturnType<typeof text>
  | ReturnType<typeof image>
  | ReturnType<typeof embedded>
)[] {
  return [
    text("A text, an image and a resource follow one another."),
    image(),
    embedded("test://mixed-content-resource", '{"kind":"sample","count":3}', "application/json"),
  ];
}

/** An input schema that uses what JSON Schema 2020-12 has beyond `properties`. */
export const RICH_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object" as const,
  $defs: {
    address: {
      $anchor: "place",
      type: "object",
      properties: { town: { type: "string" }, postcode: { type: "string" } },
    },
  },
  properties: {
    parcel: { type: "string" },
    sender: { $ref: "#/$defs/address" },
    delivery: { type: "string", enum: ["door", "shop"] },
    door: { type: "string" },
    shop: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["door"] }, { required: ["shop"] }] }],
  if: { properties: { delivery: { const: "door" } }, required: ["delivery"] },
  then: { required: ["door"] },
  else: { required: ["shop"] },
  additionalProperties: false,
};

/** A form with a default for each primitive type (SEP-1034). */
export const DEFAULTS_FORM = {
  type: "object" as const,
  properties: {
    name: { type: "string" as const, title: "Name", default: "John Doe" },
    age: { type: "integer" as const, title: "Age", default: 30 },
    score: { type: "number" as const, title: "Score", default: 95.5 },
    status: {
      type: "string" as const,
      title: "Status",
      enum: ["active", "inactive", "pending"],
      default: "active",
    },
    verified: { type: "boolean" as const, title: "Verified", default: true },
  },
};

/** `count` choices, as values with titles. */
function titled(count: number): { const: string; title: string }[] {
  return Array.from(
    { length: count },
    (_, index) => ({ const: `value${index + 1}`, title: `Choice ${index + 1}` }),
  );
}

/** A form with each of the five ways to offer a choice (SEP-1330). */
export const ENUMS_FORM = {
  type: "object" as const,
  properties: {
    untitledSingle: { type: "string" as const, enum: ["option1", "option2", "option3"] },
    titledSingle: { type: "string" as const, oneOf: titled(3) },
    legacyEnum: {
      type: "string" as const,
      enum: ["opt1", "opt2", "opt3"],
      enumNames: ["Choice 1", "Choice 2", "Choice 3"],
    },
    untitledMulti: {
      type: "array" as const,
      items: { type: "string" as const, enum: ["option1", "option2", "option3"] },
    },
    titledMulti: { type: "array" as const, items: { anyOf: titled(3) } },
  },
};

/** A form with one required text field. */
export function textForm(field: string): {
  type: "object";
  properties: Record<string, { type: "string" }>;
  required: string[];
} {
  return { type: "object", properties: { [field]: { type: "string" } }, required: [field] };
}

/** The fixed resources: uri, name, MIME type and content. */
export const RESOURCES = [
  {
    uri: "test://static-text",
    name: "static-text",
    description: "A text that never changes",
    mimeType: "text/plain",
    body: { text: "This text never changes." },
  },
  {
    uri: "test://static-binary",
    name: "static-binary",
    description: "A small image",
    mimeType: "image/png",
    body: { blob: PNG_BASE64 },
  },
  {
    uri: "test://watched-resource",
    name: "watched-resource",
    description: "A text a client can watch",
    mimeType: "text/plain",
    body: { text: "Watched, and quiet so far." },
  },
] as const;

/** How many of them one page of resources/list holds. */
const RESOURCES_PER_PAGE = 2;

/** One page of the fixed resources as resources/list shows them, or undefined for a cursor that is none. */
export function resourcePage(cursor: string | undefined) {
  const start = Number(cursor ?? 0);
  if (cursor !== undefined && !(start > 0 && start < RESOURCES.length)) return undefined;
  const end = start + RESOURCES_PER_PAGE;
  return {
    resources: RESOURCES.slice(start, end).map(({ body: _, ...resource }) => resource),
    ...(end < RESOURCES.length && { nextCursor: String(end) }),
  };
}

/** The page a user is sent to. */
export const CONNECT_URL = "https://example.com/connect";

/** The one resource template. */
export const TEMPLATE = {
  uriTemplate: "test://template/{id}/data",
  name: "template",
  description: "A document for each id",
  mimeType: "application/json",
} as const;

/** What the template's resource with this id contains. */
export function templateBody(id: string): string {
  return JSON.stringify({ id, source: "template" });
}

/** The completions offered for what was typed so far. */
export function completionsFor(typed: string): string[] {
  return ["paris", "parma", "porto"].filter((value) => value.startsWith(typed));
}
