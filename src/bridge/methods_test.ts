/**
 * The table of methods holds what the official schemas hold, and ARCHITECTURE.md holds the table.
 *
 * @module
 */

import * as modern from "@modelcontextprotocol/core";
// @ts-types="@modelcontextprotocol/sdk/types"
import * as session from "@modelcontextprotocol/sdk/types.js";
import { assert, assertEquals } from "@std/assert";
import { startModernServer } from "../../conformance/servers/modern.ts";
import { type Direction, type MethodRow, METHODS, type Passage } from "./methods.ts";

const REVISION = "2026-07-28";
const HEADING = "## Methods between the eras";

/** The schema of each direction, by its name in both SDKs. */
const UNIONS: Readonly<Record<Direction, keyof typeof modern & keyof typeof session>> = {
  "client request": "ClientRequestSchema",
  "client notification": "ClientNotificationSchema",
  "server request": "ServerRequestSchema",
  "server notification": "ServerNotificationSchema",
};
const DIRECTIONS = Object.keys(UNIONS) as Direction[];

/** The methods of a union of message schemas, as the SDKs build them with zod. */
function methodsOf(schemas: object, direction: Direction): string[] {
  const { options } = (schemas as Record<string, unknown>)[UNIONS[direction]] as {
    options: { shape: { method: { value: string } } }[];
  };
  assert(options.length > 0);
  return options.map(({ shape }) => shape.method.value);
}

function rowsOf(direction: Direction, era?: "session" | "modern"): string[] {
  return METHODS
    .filter((row) => row.direction === direction && (era === undefined || row.eras.includes(era)))
    .map(({ method }) => method)
    .toSorted();
}

for (const direction of DIRECTIONS) {
  Deno.test(`the table has each ${direction} of the official schemas, and no other`, () => {
    const all = [...methodsOf(session, direction), ...methodsOf(modern, direction)];
    assertEquals(rowsOf(direction), [...new Set(all)].toSorted());
  });

  Deno.test(`the table gives sessions each ${direction} of 2025-11-25, and no other`, () => {
    assertEquals(rowsOf(direction, "session"), methodsOf(session, direction).toSorted());
  });
}

/** What the official server of 2026-07-28 says to a request without parameters. */
async function answerTo(url: string, method: string): Promise<{ error?: { code: number } }> {
  const prefix = "io.modelcontextprotocol/";
  const _meta = { [`${prefix}protocolVersion`]: REVISION, [`${prefix}clientCapabilities`]: {} };
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "accept": "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": REVISION,
      "mcp-method": method,
      // Any name: what is missing or unknown is told apart from an unknown method.
      "mcp-name": "none",
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method,
      params: { _meta, name: "none", uri: "none" },
    }),
  });
  if (response.headers.get("content-type") === "text/event-stream") {
    await response.body?.cancel();
    return {};
  }
  return await response.json();
}

Deno.test("the table gives 2026-07-28 each client request that its official server knows, and no other", async () => {
  const server = startModernServer();
  try {
    const known: string[] = [];
    for (const method of rowsOf("client request")) {
      if ((await answerTo(server.url, method)).error?.code !== -32601) known.push(method);
    }
    assertEquals(rowsOf("client request", "modern"), known);
  } finally {
    await server.close();
  }
});

Deno.test("a message that its sender's era does not have is absent, and no other", () => {
  for (const { direction, method, eras, up, down } of METHODS) {
    const isClients = direction.startsWith("client");
    const [upSender, downSender] = isClients ? ["session", "modern"] : ["modern", "session"];
    const has = (era: string) => (eras as readonly string[]).includes(era);
    // What a modern server asks stands inside input_required, and is no message of its own.
    const isInside = direction === "server request" && up.fate === "becomes";
    assertEquals(up.fate === "absent", !has(upSender!) && !isInside, `${method} up`);
    assertEquals(down.fate === "absent", !has(downSender!), `${method} down`);
  }
});

Deno.test("what passes has a counterpart in the other era", () => {
  for (const { method, eras, up, down } of METHODS) {
    if (up.fate === "passes" || down.fate === "passes") assertEquals(eras.length, 2, method);
  }
});

const WORDS: Readonly<Record<Passage["fate"], string>> = {
  passes: "passes",
  answered: "answered by the proxy",
  ends: "ends at the proxy",
  becomes: "becomes",
  refused: "refused",
  absent: "not in this era",
};

function inWords({ fate, how }: Passage): string {
  if (how === "") return WORDS[fate];
  return fate === "becomes" ? `becomes ${how}` : `${WORDS[fate]}: ${how}`;
}

function line({ direction, method, same, up, down }: MethodRow): string {
  const cells = [direction, `\`${method}\``, inWords(same), inWords(up), inWords(down)];
  return `| ${cells.join(" | ")} |`;
}

Deno.test("ARCHITECTURE.md shows the table", async () => {
  const text = await Deno.readTextFile(new URL("../../ARCHITECTURE.md", import.meta.url));
  const section = text.split(`${HEADING}\n`)[1]?.split("\n## ")[0] ?? "";
  const shown = section.split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.replaceAll(/ +/g, " "))
    .slice(2);
  const wanted = METHODS.map(line);
  assertEquals(shown, wanted, `wanted under ${HEADING}:\n${wanted.join("\n")}`);
});
