import { assertEquals } from "@std/assert";
import { builtinUnderTest } from "../../testing/builtin.ts";

const R = "[redacted]";

function call(params: object) {
  return { id: 1, method: "tools/call", params };
}

Deno.test("redact: members by name, in any case of letters and at any depth", () => {
  const { client, server } = builtinUnderTest("redact", { keys: ["Password", "pin"] });
  assertEquals(
    client(call({ name: "t", arguments: { password: "x", PIN: 1.5, a: [{ pin: [true, "y"] }] } })),
    call({ name: "t", arguments: { password: R, PIN: R, a: [{ pin: [R, R] }] } }),
  );
  assertEquals(server({ id: 1, result: { structuredContent: { password: "x" } } }), [
    { id: 1, result: { structuredContent: { password: R } } },
  ]);
  assertEquals(server({ id: 1, error: { code: 5, message: "m", data: { pin: null } } }), "same");
  assertEquals(client(call({ name: "t", arguments: { passwords: "x" } })), "same");
});

Deno.test("redact: a schema that describes such a member stays whole", () => {
  const { server } = builtinUnderTest("redact", { keys: ["password"] });
  const properties = { password: { type: "string" } };
  assertEquals(server({ id: 1, result: { tools: [{ inputSchema: { properties } }] } }), "same");
});

Deno.test("redact: paths take the whole value, * any member, [*] any element", () => {
  const { client, server } = builtinUnderTest("redact", {
    paths: [
      "params.arguments.card",
      "params.arguments.l.*",
      "params.arguments.*.cvc",
      "result.content[*].text",
    ],
  });
  assertEquals(
    client(call({ arguments: { card: { n: 1 }, x: { cvc: 1, y: { cvc: 1 } }, l: [{ cvc: 1 }] } })),
    call({ arguments: { card: R, x: { cvc: R, y: { cvc: 1 } }, l: [{ cvc: 1 }] } }),
  );
  assertEquals(server({ id: 1, result: { content: [{ text: "a" }, { data: "b" }] } }), [
    { id: 1, result: { content: [{ text: R }, { data: "b" }] } },
  ]);
});

Deno.test("redact: patterns in texts, each place, the replacement as it is written", () => {
  const { client } = builtinUnderTest("redact", {
    patterns: ["\\b\\d{4}-\\d{4}\\b", "(?i:key)=\\w+"],
    replacement: "$&-",
  });
  assertEquals(
    client(call({ arguments: { text: "1234-5678 and 1111-2222, KEY=a key=b", n: 12345678 } })),
    call({ arguments: { text: "$&- and $&-, $&- $&-", n: 12345678 } }),
  );
});

Deno.test("redact: what the protocol needs stays as it is", () => {
  const { client, server } = builtinUnderTest("redact", {
    patterns: ["x+"],
    keys: ["name", "uri", "progressToken", "requestState", "code", "jsonrpc", "id", "method"],
    paths: ["params.name", "params._meta.progressToken"],
  });
  const meta = { progressToken: "x", "io.modelcontextprotocol/clientInfo": { name: "x" } };
  assertEquals(
    client({ id: "x", method: "x", params: { name: "x", _meta: meta, requestState: "x" } }),
    "same",
  );
  assertEquals(
    client({
      id: "x",
      method: "x",
      params: { uri: "x", _meta: { ...meta, mine: "x" }, a: { name: 1 } },
    }),
    { id: "x", method: "x", params: { uri: "x", _meta: { ...meta, mine: R }, a: { name: R } } },
  );
  assertEquals(
    server({ id: "x", result: { nextCursor: "x", resultType: "x", requestState: "x" } }),
    "same",
  );
  assertEquals(server({ id: "x", error: { code: -1, message: "x" } }), [
    { id: "x", error: { code: -1, message: R } },
  ]);
});

Deno.test("redact: one direction alone", () => {
  const secret = call({ arguments: { pin: "1" } });
  for (const direction of ["client", "server"] as const) {
    const { client, server } = builtinUnderTest("redact", { keys: ["pin"], direction });
    assertEquals(client(secret) === "same", direction === "server");
    assertEquals(server(secret) === "same", direction === "client");
  }
});
