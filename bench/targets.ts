/** Starts what is measured: the mock, and the proxies before it. */

import { pathToFileURL } from "node:url";
import type { Cleanup } from "./cleanup.ts";
import type { Target } from "./mcp_client.ts";
import { type Endpoint, endpointOf } from "./mcp_messages.ts";
import { startNginx } from "./nginx.ts";
import { type Mode, modeConfig, MODES } from "./modes.ts";
import { CANDIDATES, type Options } from "./options.ts";
import { type Listener, runToEnd, startListener } from "./processes.ts";
import { v8FlagsOf } from "./v8_flags.ts";

/** Name of the upstream itself, which every ratio has below the line. */
export const DIRECT = "direct";

/** Name of nginx among the targets. */
export const NGINX = "nginx";

/** Name of the proxy as the README starts it; in the sections of streams each mode stands for it. */
export const PROXY = "proxy";

/** Name of another checkout of the proxy. */
export const TREE = "tree";

/** Connections of nginx beside those of idle streams. */
const NGINX_CONNECTIONS = 1024;

/** What was started, and what was left out and why. */
export interface Started {
  readonly targets: readonly Target[];
  readonly skipped: readonly string[];
}

const repository = new URL("../", import.meta.url);
const mockScript = new URL("./mock_upstream.ts", import.meta.url);

/** Starts the mock, and registers its end. */
export function startMock(port: number, cleanup: Cleanup): Promise<Listener> {
  const args = ["run", "--no-config", "--allow-net=127.0.0.1", mockScript.href, String(port)];
  return startListener("the mock upstream", args, repository, cleanup);
}

/** Starts the proxy as the README does, from the folder `tree` or from here, and registers its end. */
export async function startProxy(
  upstream: Endpoint,
  cleanup: Cleanup,
  tree: URL = repository,
): Promise<Listener> {
  const args = [
    "run",
    "-P",
    ...await v8FlagsOf(tree),
    "main.ts",
    "serve",
    "--listen",
    "127.0.0.1:0",
  ];
  args.push("--upstream", urlOf(upstream), "--log-level", "error");
  return await startListener("the proxy", args, tree, cleanup);
}

/** A config as a file, which is removed at the end. */
async function configFile(config: string, cleanup: Cleanup): Promise<string> {
  const file = await Deno.makeTempFile({ prefix: "switchyard-bench-", suffix: ".json" });
  await cleanup.add(() => Deno.remove(file));
  await Deno.writeTextFile(file, config);
  return file;
}

/**
 * Starts the proxy with a config file, and registers its end.
 *
 * @param name for messages, behind "the proxy"
 */
export async function startConfigured(
  name: string,
  config: string,
  cleanup: Cleanup,
): Promise<Listener> {
  const file = await configFile(config, cleanup);
  const args = ["run", "-P", ...await v8FlagsOf(repository), "main.ts", "serve", "--config", file];
  return await startListener(`the proxy, ${name}`, args, repository, cleanup);
}

/** The modes that the proxy of this tree has, and a line for each that it has not. */
export async function availableModes(
  modes: readonly Mode[],
  cleanup: Cleanup,
): Promise<{ readonly modes: readonly Mode[]; readonly skipped: readonly string[] }> {
  if (!modes.includes("inspected")) return { modes, skipped: [] };
  const config = modeConfig("inspected", "http://127.0.0.1:9/mcp");
  const file = await configFile(config, cleanup);
  const args = ["run", "-P", "main.ts", "check-config", "--config", file];
  const { success, lastLine } = await runToEnd("check-config", args, repository, cleanup);
  if (success) return { modes, skipped: [] };
  const skipped = [`inspected: SKIPPED, the config was refused: ${lastLine}`];
  return { modes: modes.filter((mode) => mode !== "inspected"), skipped };
}

async function startCandidate(
  client: string,
  upstream: Endpoint,
  cleanup: Cleanup,
): Promise<Listener> {
  const args = ["run", "-P=test", ...await v8FlagsOf(repository), "bench/candidates/serve.ts"];
  args.push("--client", client, "--upstream", urlOf(upstream));
  return await startListener(`the candidate ${client}`, args, repository, cleanup);
}

/** The URL of an endpoint. */
export function urlOf({ hostname, port, path }: Endpoint): string {
  return `http://${hostname}:${port}${path}`;
}

/** What to start. */
export type TargetOptions =
  & Pick<Options, "targets" | "modes" | "upstreamPort" | "proxyUrl" | "tree">
  & {
    /** Streams that nginx has to carry. */
    readonly streams: number;
  };

/** The targets of sections with calls that are answered at once: the proxy as it is. */
export function targetsOfCalls(targets: readonly Target[]): Target[] {
  return targets.filter(({ name }) => !MODES.some((mode) => mode === name));
}

/** The targets of sections with streams: the proxy in each of its modes. */
export function targetsOfStreams(targets: readonly Target[]): Target[] {
  return targets.filter(({ name }) => name !== PROXY);
}

/** Starts the mock first and then every target that was asked for, each registered for its end. */
export async function startTargets(options: TargetOptions, cleanup: Cleanup): Promise<Started> {
  const { endpoint: upstream } = await startMock(options.upstreamPort, cleanup);
  const targets: Target[] = [{ name: DIRECT, endpoint: upstream }];
  const skipped: string[] = [];
  if (options.targets.includes(PROXY)) {
    targets.push({ name: PROXY, ...await startProxy(upstream, cleanup) });
  }
  if (options.tree !== undefined) {
    const tree = pathToFileURL(`${options.tree}/`);
    targets.push({ name: TREE, ...await startProxy(upstream, cleanup, tree) });
  }
  for (const mode of options.modes) {
    const config = modeConfig(mode, urlOf(upstream));
    targets.push({ name: mode, ...await startConfigured(mode, config, cleanup) });
  }
  for (const client of CANDIDATES) {
    if (!options.targets.includes(client)) continue;
    targets.push({ name: client, ...await startCandidate(client, upstream, cleanup) });
  }
  if (options.targets.includes("nginx")) {
    const connections = NGINX_CONNECTIONS + 2 * options.streams;
    const nginx = await startNginx(upstream, connections, cleanup);
    if ("endpoint" in nginx) targets.push({ name: NGINX, ...nginx });
    else skipped.push(`nginx: SKIPPED, ${nginx.skipped}`);
  }
  if (options.proxyUrl !== undefined) {
    targets.push({ name: "foreign", endpoint: endpointOf(new URL(options.proxyUrl)) });
  }
  return { targets, skipped };
}
