import { assertEquals } from "@std/assert";
import { builtinUnderTest } from "../../testing/builtin.ts";

const OPTIONS = {
  tools: { allow: ["get_*", "echo"], deny: ["get_secret*"] },
  prompts: { deny: ["admin"] },
  resources: { allow: ["file:///public/*", "db://t/{id}", "db://t/{id}/*"] },
};

function call(method: string, params: object) {
  return { id: 1, method, params };
}

function unknown(what: "tool" | "prompt", name: string) {
  return { answer: { id: 1, error: { code: -32602, message: `Unknown ${what}: ${name}` } } };
}

function notFound(uri: string, code = -32002) {
  const error = { code, message: "Resource not found", data: { uri } };
  return { answer: { id: 1, error } };
}

Deno.test("access: what is denied is answered as what does not exist", () => {
  const { client } = builtinUnderTest("access", OPTIONS);
  const tool = (name: unknown) => client(call("tools/call", { name }));
  assertEquals([tool("echo"), tool("get_x")], ["same", "same"]);
  for (const name of ["other", "get_secret", "get_secrets", "Echo", ""]) {
    assertEquals(tool(name), unknown("tool", name));
  }
  const prompt = (name: unknown) => client(call("prompts/get", { name }));
  assertEquals([prompt("any"), prompt("admin")], ["same", unknown("prompt", "admin")]);
  assertEquals(client(call("tools/list", {})), "same");
});

Deno.test("access: a name that is no string is refused where there are rules, and only there", () => {
  const { client } = builtinUnderTest("access", { tools: {} });
  for (const params of [{}, { name: ["echo"] }, { name: null }]) {
    assertEquals(client(call("tools/call", params)), unknown("tool", "(no name)"));
    assertEquals(client(call("prompts/get", params)), "same");
  }
  assertEquals(client({ id: 1, method: "tools/call" }), unknown("tool", "(no name)"));
});

Deno.test("access: a resource is not found, by the code of the revision", () => {
  const { client } = builtinUnderTest("access", OPTIONS);
  for (const method of ["resources/read", "resources/subscribe", "resources/unsubscribe"]) {
    const use = (uri: string, era: "modern" | "session") => client(call(method, { uri }), { era });
    assertEquals(use("file:///public/a", "session"), "same");
    assertEquals(use("file:///etc/x", "session"), notFound("file:///etc/x"));
    assertEquals(use("file:///etc/x", "modern"), notFound("file:///etc/x", -32602));
  }
});

Deno.test("access: a URI cannot be spelled around the rules", () => {
  const { client } = builtinUnderTest("access", {
    resources: { allow: ["file:///public/*", "http://exact.example"], deny: ["*/secret/*"] },
  });
  const read = (uri: string) => client(call("resources/read", { uri })) === "same";
  for (const uri of ["file:///public/a", "file:///public/%C3%A4 b", "http://exact.example"]) {
    assertEquals(read(uri), true, uri);
  }
  const around = [
    "file:///public/../etc/passwd",
    "file:///public/%2e%2e/etc/passwd",
    "file:///public/..%2fetc/passwd",
    "file:///public/..\\etc",
    "file:///public/secret/x",
    "file:///public/%73ecret/x",
    "file:///public/x/../secret/x",
    "http://exact.example/",
  ];
  for (const uri of around) assertEquals(read(uri), false, uri);
});

Deno.test("access: what is denied is taken out of lists, and the rest of the result stays", () => {
  const { server } = builtinUnderTest("access", OPTIONS);
  const list = (method: string, result: object) => server({ id: 1, result }, { method });
  assertEquals(
    list("tools/list", {
      tools: [{ name: "echo", n: 1 }, { name: "other" }, { name: 7 }, { name: "get_secret" }],
      nextCursor: "c",
      ttlMs: 5,
    }),
    [{ id: 1, result: { tools: [{ name: "echo", n: 1 }], nextCursor: "c", ttlMs: 5 } }],
  );
  assertEquals(list("prompts/list", { prompts: [{ name: "admin" }] }), [
    { id: 1, result: { prompts: [] } },
  ]);
  assertEquals(
    list("resources/list", { resources: [{ uri: "file:///x" }, { uri: "file:///public/y" }] }),
    [{ id: 1, result: { resources: [{ uri: "file:///public/y" }] } }],
  );
  const templates = ["db://t/{id}", "db://t/{id}/{b}", "file:///{path}"]
    .map((uriTemplate) => ({ uriTemplate }));
  assertEquals(list("resources/templates/list", { resourceTemplates: templates }), [
    { id: 1, result: { resourceTemplates: templates.slice(0, 2) } },
  ]);
  assertEquals(list("tools/list", { tools: [{ name: "echo" }] }), "same");
  assertEquals(
    server({ id: 1, error: { code: 1, message: "" } }, { method: "tools/list" }),
    "same",
  );
});

Deno.test("access: lists are known by their look where the method is not known, and only there", () => {
  const { server } = builtinUnderTest("access", OPTIONS);
  const response = { id: 1, result: { tools: [{ name: "other" }] } };
  assertEquals(server(response, { method: undefined }), [{ id: 1, result: { tools: [] } }]);
  assertEquals(server(response, { method: "tools/call" }), "same");
});

Deno.test("access: completions and updates tell nothing of what is denied", () => {
  const { client, server } = builtinUnderTest("access", OPTIONS);
  const complete = (ref: unknown) => client(call("completion/complete", { ref }));
  assertEquals(complete({ type: "ref/prompt", name: "admin" }), unknown("prompt", "admin"));
  assertEquals(complete({ type: "odd", name: "admin" }), unknown("prompt", "admin"));
  assertEquals(complete({ type: "ref/prompt", name: "x" }), "same");
  assertEquals(complete({ type: "ref/resource", uri: "db://t/{id}" }), "same");
  assertEquals(complete({ type: "ref/resource", uri: "db://u" }), notFound("db://u"));
  assertEquals(complete("x"), "same");
  const updated = (uri: string) =>
    server({ method: "notifications/resources/updated", params: { uri } });
  assertEquals([updated("file:///public/a"), updated("file:///x")], ["same", []]);
});

Deno.test("access: a subscription keeps what is allowed of its filter (2026-07-28)", () => {
  const { client } = builtinUnderTest("access", OPTIONS);
  const listen = (uris: unknown) =>
    client(
      call("subscriptions/listen", {
        notifications: { toolsListChanged: true, resourceSubscriptions: uris },
      }),
      { era: "modern" },
    );
  assertEquals(
    listen(["file:///x", "file:///public/a", 1]),
    call("subscriptions/listen", {
      notifications: { toolsListChanged: true, resourceSubscriptions: ["file:///public/a"] },
    }),
  );
  assertEquals([listen(["file:///public/a"]), listen(undefined), listen("x")], [
    "same",
    "same",
    "same",
  ]);
});

Deno.test("access: a denied call without an id is dropped", () => {
  const { client } = builtinUnderTest("access", OPTIONS);
  assertEquals(client({ method: "tools/call", params: { name: "other" } }), "drop");
});
