import { assertEquals, assertStringIncludes } from "@std/assert";
import { nginxCandidates, nginxConfig } from "./nginx.ts";

Deno.test("nginxCandidates() searches PATH first and the system directories after it, once", () => {
  assertEquals(nginxCandidates("/opt/bin/:/usr/sbin", false), [
    "/opt/bin/nginx",
    "/usr/sbin/nginx",
    "/usr/local/sbin/nginx",
  ]);
  assertEquals(nginxCandidates("C:\\nginx", true), ["C:\\nginx\\nginx.exe"]);
});

Deno.test("nginxConfig() keeps every file in its directory and buffers no answer", () => {
  const upstream = { hostname: "127.0.0.1", port: 9, path: "/mcp" };
  const config = nginxConfig("/tmp/x", 8080, upstream, 5000);
  for (const line of config.split("\n").filter((text) => /_path|^pid|error_log/.test(text))) {
    assertStringIncludes(line, '"/tmp/x/');
  }
  assertStringIncludes(config, "listen 127.0.0.1:8080;");
  assertStringIncludes(config, "worker_connections 5000;");
  assertStringIncludes(config, "server 127.0.0.1:9;");
  assertStringIncludes(config, "proxy_buffering off;");
  assertStringIncludes(config, 'proxy_set_header Connection "";');
});
