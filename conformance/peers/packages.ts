/**
 * Packages from npm for the time of one run: pinned, in a directory of their own, scripts off.
 *
 * @module
 */

import type { Cleanup } from "../../bench/cleanup.ts";

/** The packages, with the versions that were tried. */
export const PACKAGES = {
  supergateway: "4.0.0",
  "mcp-proxy": "6.7.19",
  "mcp-remote": "0.15.1",
} as const;

/** The name of a package. */
export type PackageName = keyof typeof PACKAGES;

/** The programs in them. */
const PROGRAMS: Readonly<Record<PackageName, string>> = {
  supergateway: "dist/index.js",
  "mcp-proxy": "dist/bin/mcp-proxy.mjs",
  "mcp-remote": "dist/proxy.js",
};

const INSTALL_DEADLINE_MS = 180_000;

/** Where packages were installed. */
export interface Installed {
  readonly directory: string;
  /** The path of a package's program. */
  program(name: PackageName): string;
}

/** Installs the packages with npm, from its cache where they are there. */
export async function installPackages(cleanup: Cleanup): Promise<Installed> {
  const directory = await Deno.makeTempDir({ prefix: "switchyard-peers-" });
  await cleanup.add(() => Deno.remove(directory, { recursive: true }));
  const specs = Object.entries(PACKAGES).map(([name, version]) => `${name}@${version}`);
  const { code, stderr } = await new Deno.Command("npm", {
    args: [
      "install",
      "--prefix",
      directory,
      "--no-save",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--prefer-offline",
      ...specs,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal: AbortSignal.timeout(INSTALL_DEADLINE_MS),
  }).output();
  if (code !== 0) {
    throw new Error(`npm could not install them: ${new TextDecoder().decode(stderr).trim()}`);
  }
  const program = (name: PackageName) => `${directory}/node_modules/${name}/${PROGRAMS[name]}`;
  return { directory, program };
}
