import { assertEquals } from "@std/assert";
import { Fields } from "../http/mod.ts";
import { requestFields, responseFields, withDashes } from "./fields.ts";

function names(fields: string[]): string[] {
  return fields.filter((_, index) => index % 2 === 0).toSorted();
}

Deno.test("R14 requestFields() drops what belongs to the connection, and what Connection names", () => {
  const headers = new Headers({
    connection: "Close, X-Mine , Mcp-Session-Id, Mcp-Name",
    "keep-alive": "timeout=1",
    "proxy-authorization": "x",
    te: "trailers",
    trailer: "x",
    upgrade: "h2c",
    "x-mine": "1",
    "x-kept": "2",
    "mcp-name": "kept",
    "last-event-id": "7",
  });
  assertEquals(names(requestFields(headers, false)), ["last-event-id", "mcp-name", "x-kept"]);
});

Deno.test("requestFields() drops what the proxy sets or answers itself", () => {
  const headers = new Headers({
    "accept-encoding": "br",
    "content-length": "1",
    expect: "100-continue",
    forwarded: "for=x",
    host: "x",
    "mcp-session-id": "x",
    origin: "http://localhost",
    referer: "http://localhost/x",
    "sec-fetch-mode": "cors",
    via: "1.1 x",
    "x-forwarded-proto": "https",
    "x-real-ip": "1.2.3.4",
    "user-agent": "kept",
  });
  assertEquals(names(requestFields(headers, true)), ["user-agent"]);
});

Deno.test("R93 requestFields() keeps credentials only where they are forwarded", () => {
  const headers = new Headers({ authorization: "Bearer x", cookie: "a=b" });
  assertEquals(requestFields(headers, false), []);
  assertEquals(names(requestFields(headers, true)), ["authorization", "cookie"]);
});

Deno.test("R93 requestFields() drops what is withheld, also where credentials are forwarded", () => {
  const headers = new Headers({
    authorization: "Bearer x",
    cookie: "a=b",
    x_my_key: "k",
    "x-my-key": "k",
    "x-my_key": "k",
    "x-my-keys": "kept",
  });
  for (const name of ["x-my-key", "x_my_key"]) {
    const fields = requestFields(headers, true, withDashes([name]));
    assertEquals(names(fields), ["authorization", "cookie", "x-my-keys"]);
  }
  const withheld = withDashes(["authorization"]);
  assertEquals(names(requestFields(headers, true, withheld)).includes("authorization"), false);
});

Deno.test("R15 requestFields() drops underscored doubles of fields that matter", () => {
  const headers = new Headers({ mcp_session_id: "x", content_length: "9", my_field: "kept" });
  assertEquals(names(requestFields(headers, true)), ["my_field"]);
});

Deno.test("R15 R20 no double of what decides on a request passes, nor what speaks for something in front", () => {
  const doubles = [
    "Last_Event_Id",
    "Content_Type",
    "X_User",
    "x-user",
    "mcp_param_a",
    "Accept_Encoding",
  ];
  const spoofs = ["X-Client-IP", "True_Client_IP", "X-HTTP-Method-Override", "X-Original-URL"];
  const headers = new Headers([...doubles, ...spoofs].map((name) => [name, "x"]));
  assertEquals(requestFields(headers, true, withDashes(["x-user"])), []);
});

Deno.test("a parameter of a tool may have a name with an underscore (2026-07-28, Custom Headers from Tool Parameters)", () => {
  const headers = new Headers({ "Mcp-Param-tenant_id": "acme", "mcp-param_tenant": "x" });
  assertEquals(names(requestFields(headers, false)), ["mcp-param-tenant_id"]);
});

Deno.test("responseFields() drops what stays between proxy and upstream", () => {
  const received = new Fields([
    ["connection", "keep-alive, x-inner"],
    ["x-inner", "1"],
    ["content-type", "application/json"],
    ["set-cookie", "a=1"],
    ["set-cookie", "b=2"],
    ["www-authenticate", "Bearer"],
    ["location", "http://10.0.0.1/"],
    ["content-location", "http://10.0.0.1/"],
    ["mcp-session-id", "inner"],
    ["access-control-allow-origin", "*"],
    ["retry-after", "3"],
  ].flat());
  assertEquals(names(responseFields(received, false).list), ["content-type", "retry-after"]);
  const forwarded = responseFields(received, true);
  assertEquals(forwarded.get("set-cookie"), "a=1, b=2");
  assertEquals(forwarded.get("www-authenticate"), null);
});
