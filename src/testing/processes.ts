/**
 * Programs on stdio for tests, and whether processes are left.
 *
 * @module
 */

import { PROJECT } from "./program.ts";

/** What a program needs of the tests' own environment to find its packages. */
export function packageEnv(): Record<string, string> {
  const names = Object.keys(Deno.env.toObject())
    .filter((name) => /^(DENO_|NPM_|NODE_EXTRA_CA_CERTS$|https?_proxy$|no_proxy$)/i.test(name));
  return Object.fromEntries(names.map((name) => [name, Deno.env.get(name)!]));
}

/** The server of `stdio_server.ts` with these arguments, as `upstream.stdio` of a config. */
export function stdioServer(...args: readonly string[]) {
  return {
    command: Deno.execPath(),
    args: ["run", "-A", "--quiet", "src/testing/stdio_server.ts", ...args],
    env: packageEnv(),
    cwd: new URL(".", PROJECT).pathname,
  };
}

/** The reference server on stdio, likewise. */
export function stdioReference() {
  const name = "npm:@modelcontextprotocol/server-everything@2026.8.31";
  return {
    command: Deno.execPath(),
    args: ["run", "-A", "--quiet", name, "stdio"],
    env: packageEnv(),
    cwd: new URL(".", PROJECT).pathname,
  };
}

/** The server of 2026-07-28 on stdio, likewise. */
export function stdioModern() {
  return {
    command: Deno.execPath(),
    args: ["run", "-A", "--quiet", "conformance/servers/modern_stdio.ts"],
    env: packageEnv(),
    cwd: new URL(".", PROJECT).pathname,
  };
}

/**
 * Resolves when `left` finds no processes any more. The system tells nobody but its parent that one has
 * ended, and to the last it counts as running though it was killed.
 */
export async function noneLeft(left: () => readonly number[], deadlineMs = 10_000): Promise<void> {
  const untilMs = performance.now() + deadlineMs;
  for (let found = left(); found.length > 0; found = left()) {
    if (performance.now() > untilMs) throw new Error(`processes are left: ${found.join(" ")}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Whether a process runs; one that has ended and was not waited for runs no more. */
export function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

/** The processes that have `marker` in their environment. */
export function marked(marker: string): number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`);
      if (environment.includes(marker) && runs(Number(name))) found.push(Number(name));
    } catch {
      // It has ended, or is not ours.
    }
  }
  return found;
}
