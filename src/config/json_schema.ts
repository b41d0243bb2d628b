/**
 * The config schema as JSON Schema, for editors.
 *
 * @module
 */

import { z } from "zod";
import { configSchema } from "./schema.ts";

/** Name of the generated file at the top of the repository. */
export const JSON_SCHEMA_FILE = "switchyard.schema.json";

/** The text of the generated file. */
export function configJsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, { io: "input", target: "draft-2020-12" });
  return JSON.stringify({ title: "Switchyard configuration", ...schema }, null, 2) + "\n";
}
