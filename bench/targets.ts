/** Starts what is measured: the mock, and the proxies before it. */

import type { Cleanup } from "./cleanup.ts";
import type { Target } from "./mcp_client.ts";
import { type Endpoint, endpointOf } from "./mcp_messages.ts";
import { startNginx } from "./nginx.ts";
import type { Options } from "./options.ts";
import { startListener } from "./processes.ts";

/** Name of the upstream itself, which every ratio has below the line. */
export const DIRECT = "direct";

/** Name of nginx among the targets. */
export const NGINX = "nginx";

/** What was started, and what was left out and why. */
export interface Started {
  readonly targets: readonly Target[];
  readonly skipped: readonly string[];
}

const repository = new URL("../", import.meta.url);
const mockScript = new URL("./mock_upstream.ts", import.meta.url);

function startMock(port: number, cleanup: Cleanup): Promise<Endpoint> {
  const args = ["run", "--no-config", "--allow-net=127.0.0.1", mockScript.href, String(port)];
  return startListener("the mock upstream", args, repository, cleanup);
}

function startProxy(upstream: Endpoint, cleanup: Cleanup): Promise<Endpoint> {
  const url = `http://${upstream.hostname}:${upstream.port}${upstream.path}`;
  const args = ["run", "-P", "main.ts", "serve", "--listen", "127.0.0.1:0"];
  args.push("--upstream", url, "--log-level", "error");
  return startListener("the proxy", args, repository, cleanup);
}

/** Starts the mock first and then every target that was asked for, each registered for its end. */
export async function startTargets(options: Options, cleanup: Cleanup): Promise<Started> {
  const upstream = await startMock(options.upstreamPort, cleanup);
  const targets: Target[] = [{ name: DIRECT, endpoint: upstream }];
  const skipped: string[] = [];
  if (options.targets.includes("proxy")) {
    targets.push({ name: "proxy", endpoint: await startProxy(upstream, cleanup) });
  }
  if (options.targets.includes("nginx")) {
    const nginx = await startNginx(upstream, cleanup);
    if ("endpoint" in nginx) targets.push({ name: NGINX, endpoint: nginx.endpoint });
    else skipped.push(`nginx: SKIPPED, ${nginx.skipped}`);
  }
  if (options.proxyUrl !== undefined) {
    targets.push({ name: "foreign", endpoint: endpointOf(new URL(options.proxyUrl)) });
  }
  return { targets, skipped };
}
