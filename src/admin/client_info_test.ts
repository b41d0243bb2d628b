import { assertEquals } from "@std/assert";
import { clientInfo, MAX_READ_CHARACTERS, MAX_TOLD_CHARACTERS } from "./client_info.ts";

const initialize = (clientInfo: unknown) =>
  JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: { clientInfo } });

Deno.test("clientInfo() tells name and version", () => {
  assertEquals(clientInfo(initialize({ name: "agent", version: "1.2", title: "x" })), {
    name: "agent",
    version: "1.2",
  });
});

Deno.test("clientInfo() bounds what a client may have written", () => {
  const long = "n".repeat(MAX_TOLD_CHARACTERS + 1);
  const told = clientInfo(initialize({ name: long, version: long }));
  assertEquals([told?.name?.length, told?.version?.length], [128, 128]);
  const padded = initialize({ name: "agent", version: "1" });
  assertEquals(clientInfo(padded.padEnd(MAX_READ_CHARACTERS))?.name, "agent");
  assertEquals(clientInfo(padded.padEnd(MAX_READ_CHARACTERS + 1)), null);
});

Deno.test("clientInfo() takes whatever stands where a message should", () => {
  const nothing = [undefined, "", "{", "null", "[]", "7", "{}", '{"params":null}', initialize("a")];
  for (const text of nothing) assertEquals(clientInfo(text), null, text);
  const none = { name: null, version: null };
  assertEquals(clientInfo(initialize({ name: { toString: 1 }, version: 2 })), none);
  assertEquals(clientInfo('{"params":{"clientInfo":{"__proto__":{"name":"x"}}}}'), none);
  const deep = '{"params":{"clientInfo":' + "[".repeat(5_000) + "]".repeat(5_000) + "}}";
  assertEquals(clientInfo(deep), none);
});
