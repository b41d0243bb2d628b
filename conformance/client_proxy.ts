/**
 * A proxy of this repository in front of a server that the official suite plays, for the clients that the suite runs.
 *
 * @module
 */

import { Processes } from "./official_processes.ts";

const START_DEADLINE_MS = 20_000;
const ROOT = new URL("..", import.meta.url);

/** Runs `use` with the address of a proxy in front of `url`, whose upstream has these settings. */
export async function throughProxy(
  url: string,
  upstream: Readonly<Record<string, unknown>>,
  use: (endpoint: string) => Promise<void>,
): Promise<void> {
  const processes = new Processes();
  const config = await Deno.makeTempFile({ suffix: ".json" });
  try {
    const { pathname } = new URL(url);
    const path = pathname === "/" ? "/mcp" : pathname;
    const routes = [{ path, upstream: { url, ...upstream } }];
    const settings = { listen: "127.0.0.1:0", logLevel: "error", watchConfig: false, routes };
    await Deno.writeTextFile(config, JSON.stringify(settings));
    const args = ["run", "-P", "--no-check", "main.ts", "serve", "--config", config];
    const process = processes.start({ args, cwd: ROOT });
    const endpoint = await processes.ready(
      process,
      START_DEADLINE_MS,
      () => /^listening (http:\S+)$/m.exec(process.stdout())?.[1],
    );
    await use(endpoint);
  } finally {
    await processes.close();
    await Deno.remove(config);
  }
}
