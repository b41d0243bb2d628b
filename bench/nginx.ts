/** nginx as a reverse proxy before the mock: the scale that a proxy is read against. */

import { freePort } from "../conformance/free_port.ts";
import type { Cleanup } from "./cleanup.ts";
import type { Endpoint } from "./mcp_messages.ts";
import { endProcess, type Listener } from "./processes.ts";

const START_DEADLINE_MS = 5_000;
const POLL_MS = 20;

/** Where Debian puts it, which is not on every user's PATH. */
const FURTHER_DIRECTORIES = ["/usr/sbin", "/usr/local/sbin"];

/** Paths at which nginx may be, in the order of the search. */
export function nginxCandidates(path: string, windows: boolean): string[] {
  const directories = path.split(windows ? ";" : ":").filter((directory) => directory !== "");
  if (windows) return directories.map((directory) => `${directory}\\nginx.exe`);
  return [...new Set([...directories, ...FURTHER_DIRECTORIES])]
    .map((directory) => `${directory.replace(/\/$/, "")}/nginx`);
}

/** The first candidate that is a file. */
async function findNginx(): Promise<string | undefined> {
  const path = Deno.env.get("PATH") ?? "";
  for (const candidate of nginxCandidates(path, Deno.build.os === "windows")) {
    try {
      if ((await Deno.stat(candidate)).isFile) return candidate;
    } catch {
      // Not there: the next one.
    }
  }
  return undefined;
}

/**
 * The configuration: one worker, keep-alive on both sides, no buffering of answers.
 *
 * `master_process off` makes the one worker the child process itself, so that ending the child by
 * its id leaves nothing behind.
 *
 * @param directory an existing directory that takes every file nginx writes
 * @param connections on both sides together
 */
export function nginxConfig(
  directory: string,
  port: number,
  upstream: Endpoint,
  connections: number,
): string {
  const temporaryPaths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path "${directory}/${name}_temp";`).join("\n");
  return `daemon off;
master_process off;
worker_processes 1;
pid "${directory}/nginx.pid";
error_log "${directory}/error.log" error;
events { worker_connections ${connections}; }
http {
  access_log off;
${temporaryPaths}
  keepalive_timeout 600s;
  keepalive_requests 100000000;
  tcp_nodelay on;
  upstream mock {
    server ${upstream.hostname}:${upstream.port};
    keepalive 256;
    keepalive_timeout 600s;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_buffering off;
      proxy_read_timeout 600s;
    }
  }
}
`;
}

async function answers(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

async function untilAnswering(child: Deno.ChildProcess, port: number): Promise<void> {
  let ended = false;
  child.status.then(() => ended = true);
  const deadlineMs = performance.now() + START_DEADLINE_MS;
  while (!await answers(port)) {
    if (ended) throw new Error("it ended at once; its messages are above");
    if (performance.now() > deadlineMs) throw new Error(`not within ${START_DEADLINE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Where nginx listens, or why it is left out. */
export type NginxStart = Listener | { readonly skipped: string };

/** Starts nginx before the upstream, with a directory of its own, and registers the end of both. */
export async function startNginx(
  upstream: Endpoint,
  connections: number,
  cleanup: Cleanup,
): Promise<NginxStart> {
  const program = await findNginx();
  if (program === undefined) return { skipped: "not found on PATH" };
  const directory = await Deno.makeTempDir({ prefix: "switchyard-bench-" });
  await cleanup.add(() => Deno.remove(directory, { recursive: true }));
  const port = freePort();
  const config = `${directory}/nginx.conf`;
  await Deno.writeTextFile(config, nginxConfig(directory, port, upstream, connections));
  const child = new Deno.Command(program, {
    args: ["-p", directory, "-e", `${directory}/error.log`, "-c", config],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  await cleanup.add(() => endProcess(child));
  try {
    await untilAnswering(child, port);
  } catch (error) {
    if (cleanup.begun) throw error;
    return { skipped: `did not start: ${(error as Error).message}` };
  }
  return { endpoint: { hostname: "127.0.0.1", port, path: upstream.path }, pid: child.pid };
}
