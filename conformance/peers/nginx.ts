/**
 * nginx as a reasonable operator sets it up before an MCP server.
 *
 * @module
 */

import type { Cleanup } from "../../bench/cleanup.ts";
import { nginxCandidates } from "../../bench/nginx.ts";
import type { RunningTarget } from "../runner/mod.ts";
import { startPeer } from "./process.ts";

/** The path of nginx; undefined where it is not installed. */
export async function findNginx(): Promise<string | undefined> {
  const path = Deno.env.get("PATH") ?? "";
  for (const candidate of nginxCandidates(path, Deno.build.os === "windows")) {
    const found = await Deno.stat(candidate).catch(() => undefined);
    if (found?.isFile) return candidate;
  }
  return undefined;
}

/** Its version as it says it. */
export async function nginxVersion(program: string): Promise<string> {
  const { stderr } = await new Deno.Command(program, { args: ["-v"], stderr: "piped" }).output();
  return /nginx\/\S+/.exec(new TextDecoder().decode(stderr))?.[0] ?? "nginx";
}

/** What is said in the `http` block beside the files that nginx writes; the same is in RESULTS.md. */
export function mcpSettings(port: number | string, upstream: string): string {
  return `client_max_body_size 1m;
keepalive_timeout 75s;
upstream mcp {
  server ${upstream};
  keepalive 32;
}
server {
  # Another name than this machine's gets no answer from the server behind.
  listen 127.0.0.1:${port} default_server;
  return 403;
}
server {
  listen 127.0.0.1:${port};
  server_name 127.0.0.1 localhost;
  location / {
    proxy_pass http://mcp;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    # Events go out as they come, and bodies go in as they come.
    proxy_buffering off;
    proxy_request_buffering off;
    proxy_cache off;
    # A stream may be silent for long.
    proxy_read_timeout 3600s;
    proxy_send_timeout 3600s;
  }
}
`;
}

/** Starts nginx before an upstream, with a directory of its own. */
export async function startMcpNginx(
  program: string,
  upstream: string,
  cleanup: Cleanup,
): Promise<RunningTarget> {
  const directory = await Deno.makeTempDir({ prefix: "switchyard-peers-nginx-" });
  await cleanup.add(() => Deno.remove(directory, { recursive: true }).catch(() => {}));
  return await startPeer(cleanup, async (port) => {
    const config = `${directory}/nginx.conf`;
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path "${directory}/${name}_temp";`);
    const settings = mcpSettings(port, new URL(upstream).host);
    await Deno.writeTextFile(
      config,
      `daemon off;\nmaster_process off;\npid "${directory}/nginx.pid";\n` +
        `error_log "${directory}/error.log" error;\nevents { worker_connections 1024; }\n` +
        `http {\naccess_log off;\n${temporary.join("\n")}\n${settings}}\n`,
    );
    return { program, args: ["-p", directory, "-e", `${directory}/error.log`, "-c", config] };
  });
}
