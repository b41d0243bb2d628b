import { assertEquals, assertThrows } from "@std/assert";
import { builtinUnderTest } from "../../testing/builtin.ts";
import { rewriteOptions } from "./rewrite.ts";

function call(name: string, rest: object = {}) {
  return { id: 1, method: "tools/call", params: { name, ...rest } };
}

function unknown(what: string) {
  return { answer: { id: 1, error: { code: -32602, message: `Unknown ${what}` } } };
}

Deno.test("rewrite: tools and prompts have their new names in lists and in calls", () => {
  const { client, server } = builtinUnderTest("rewrite", {
    tools: { search: "web_search" },
    prompts: { p: "q" },
  });
  assertEquals(
    server(
      { id: 1, result: { tools: [{ name: "search", n: 1 }, { name: "b" }], nextCursor: "c" } },
      {
        method: "tools/list",
      },
    ),
    [{ id: 1, result: { tools: [{ name: "web_search", n: 1 }, { name: "b" }], nextCursor: "c" } }],
  );
  assertEquals(server({ id: 1, result: { prompts: [{ name: "p" }] } }), [
    { id: 1, result: { prompts: [{ name: "q" }] } },
  ]);
  assertEquals(
    client(call("web_search", { arguments: { x: 1 } })),
    call("search", { arguments: { x: 1 } }),
  );
  assertEquals([client(call("b")), client(call("search"))], ["same", unknown("tool: search")]);
  const get = (name: string) => client({ id: 1, method: "prompts/get", params: { name } });
  assertEquals(get("q"), { id: 1, method: "prompts/get", params: { name: "p" } });
  assertEquals(get("p"), unknown("prompt: p"));
  const complete = (ref: object) =>
    client({ id: 1, method: "completion/complete", params: { ref, a: 1 } });
  assertEquals(complete({ type: "ref/prompt", name: "q" }), {
    id: 1,
    method: "completion/complete",
    params: { ref: { type: "ref/prompt", name: "p" }, a: 1 },
  });
  assertEquals(complete({ type: "ref/prompt", name: "p" }), unknown("prompt: p"));
  assertEquals(complete({ type: "ref/resource", uri: "q" }), "same");
});

Deno.test("rewrite: two names may be exchanged, and a name that is taken hides its old owner", () => {
  const { client, server } = builtinUnderTest("rewrite", { tools: { a: "b", b: "a", c: "d" } });
  const tools = ["a", "b", "c", "d"].map((name, n) => ({ name, n }));
  assertEquals(server({ id: 1, result: { tools } }), [
    { id: 1, result: { tools: [{ name: "b", n: 0 }, { name: "a", n: 1 }, { name: "d", n: 2 }] } },
  ]);
  assertEquals([client(call("a")), client(call("b")), client(call("d"))], [
    call("b"),
    call("a"),
    call("c"),
  ]);
  assertThrows(() => rewriteOptions.parse({ tools: { a: "x", b: "x" } }));
});

Deno.test("rewrite: arguments and _meta of a tool, by the server's name", () => {
  const { client } = builtinUnderTest("rewrite", {
    tools: { search: "find" },
    calls: {
      search: {
        arguments: { set: { limit: 5 }, remove: ["debug"] },
        meta: { set: { "example.com/team": "a" } },
      },
      plain: { arguments: { remove: ["x"] } },
    },
  });
  assertEquals(
    client(
      call("find", { arguments: { limit: 9, debug: true, q: "x" }, _meta: { progressToken: 1 } }),
    ),
    call("search", {
      arguments: { q: "x", limit: 5 },
      _meta: { progressToken: 1, "example.com/team": "a" },
    }),
  );
  assertEquals(
    client(call("find")),
    call("search", { arguments: { limit: 5 }, _meta: { "example.com/team": "a" } }),
  );
  assertEquals(client(call("plain", { arguments: { x: 1 } })), call("plain", { arguments: {} }));
  assertEquals(client(call("plain", { arguments: [1] })), call("plain", { arguments: [1] }));
  for (const key of ["progressToken", "io.modelcontextprotocol/protocolVersion"]) {
    assertThrows(() => rewriteOptions.parse({ calls: { t: { meta: { remove: [key] } } } }));
    assertThrows(() => rewriteOptions.parse({ calls: { t: { meta: { set: { [key]: 1 } } } } }));
  }
});
