import { assert, assertEquals } from "@std/assert";
import { configJsonSchema, JSON_SCHEMA_FILE } from "./json_schema.ts";

const FILE = new URL(`../../${JSON_SCHEMA_FILE}`, import.meta.url);

Deno.test("switchyard.schema.json is current (deno task schema writes it)", async () => {
  assertEquals(await Deno.readTextFile(FILE), configJsonSchema());
});

Deno.test("every setting has a description", () => {
  interface Node {
    description?: string;
    properties?: Record<string, Node>;
    items?: Node;
  }
  const check = (node: Node, path: string) => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      assert(child.description !== undefined, `${path}.${key} has no description`);
      check(child, `${path}.${key}`);
    }
    if (node.items !== undefined) check(node.items, `${path}[]`);
  };
  check(JSON.parse(configJsonSchema()), "");
});
