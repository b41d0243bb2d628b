/**
 * Writes switchyard.schema.json anew (`deno task schema`).
 *
 * @module
 */

import { configJsonSchema, JSON_SCHEMA_FILE } from "./json_schema.ts";

await Deno.writeTextFile(JSON_SCHEMA_FILE, configJsonSchema());
