/**
 * The peers: how each is made to stand before an HTTP upstream, and what it does not claim.
 *
 * @module
 */

import type { Cleanup } from "../../bench/cleanup.ts";
import { OWN_SOURCE, type RunningTarget, type TargetSource } from "../runner/mod.ts";
import type { Assumption } from "../suite/mod.ts";
import { findNginx, mcpSettings, nginxVersion, startMcpNginx } from "./nginx.ts";
import { type Installed, installPackages, type PackageName, PACKAGES } from "./packages.ts";
import { startPeer } from "./process.ts";

/** A target of the comparison. */
export interface Peer {
  readonly source: TargetSource;
  readonly version: string;
  /** How it was set up, as Markdown. */
  readonly setup: string;
  /** What it does not claim, and what that means for its row. */
  readonly claims: string;
}

/** A peer that was left out, and why. */
export interface LeftOut {
  readonly name: string;
  readonly why: string;
}

/** The peers that can be had on this machine. */
export async function findPeers(
  names: readonly string[],
  cleanup: Cleanup,
): Promise<{ readonly peers: readonly Peer[]; readonly leftOut: readonly LeftOut[] }> {
  const peers: Peer[] = [];
  const leftOut: LeftOut[] = [];
  let installed: Promise<Installed> | undefined;
  const tools: Tools = { cleanup, packages: () => installed ??= installPackages(cleanup) };
  for (const name of names) {
    try {
      peers.push(await PEERS[name as PeerName](tools));
    } catch (error) {
      leftOut.push({ name, why: (error as Error).message });
    }
  }
  return { peers, leftOut };
}

/** What peers are made with. */
interface Tools {
  readonly cleanup: Cleanup;
  packages(): Promise<Installed>;
}

/** The name of a peer. */
export type PeerName = "switchyard" | "nginx" | "supergateway" | "mcp-proxy";

const PEERS: Readonly<Record<PeerName, (tools: Tools) => Promise<Peer>>> = {
  switchyard,
  nginx,
  supergateway,
  "mcp-proxy": mcpProxy,
};

/** All peers, this repository's proxy first. */
export const PEER_NAMES = Object.keys(PEERS) as readonly PeerName[];

function sourceOf(
  name: string,
  assume: readonly Assumption[],
  start: (upstream: string) => Promise<RunningTarget>,
): TargetSource {
  return { name, assume, start, command: `deno task conformance:peers -- --only ${name}` };
}

async function switchyard(): Promise<Peer> {
  const config = await Deno.readTextFile(new URL("../../deno.json", import.meta.url));
  return {
    source: OWN_SOURCE,
    version: String((JSON.parse(config) as { version: string }).version),
    setup:
      "`conformance/own_proxy.ts`: limits and deadlines as the suite may assume, else defaults.",
    claims: "An MCP reverse proxy; it is held to everything. Known gaps count as failures here.",
  };
}

async function nginx({ cleanup }: Tools): Promise<Peer> {
  const program = await findNginx();
  if (program === undefined) throw new Error("nginx is not installed");
  const settings = mcpSettings("8080", "127.0.0.1:9000").trim();
  const start = (upstream: string) => startMcpNginx(program, upstream, cleanup);
  return {
    source: sourceOf("nginx", ["body-limit-1m"], start),
    version: await nginxVersion(program),
    setup: `In its \`http\` block:\n\n\`\`\`nginx\n${settings}\n\`\`\``,
    claims: "A general HTTP reverse proxy: it knows nothing of JSON-RPC, sessions, revisions or " +
      "Origin, and its deadline cannot tell a silent body from a silent stream, so checks that " +
      "assume short deadlines are skipped. What it fails in `json`, `era`, `sessions` and parts of " +
      "`door` and `privacy` it does not claim.",
  };
}

async function supergateway({ cleanup, packages }: Tools): Promise<Peer> {
  const { program } = await packages();
  const gateway = program("supergateway");
  const preload = new URL("./loopback.mjs", import.meta.url).href;
  const start = (upstream: string) =>
    startPeer(cleanup, (port) => ({
      program: "node",
      args: [
        ...["--import", preload, gateway],
        ...["--stdio", `node "${gateway}" --logLevel none --streamableHttp ${upstream}`],
        ...["--outputTransport", "streamableHttp", "--stateful", "--sessionTimeout", "10000"],
        ...["--logLevel", "none", "--port", String(port)],
      ],
    }));
  return {
    source: sourceOf("supergateway", [], start),
    version: versions("supergateway"),
    setup: "Two of them, since it has stdio on one side always: `supergateway --stdio " +
      '"supergateway --streamableHttp UPSTREAM" --outputTransport streamableHttp --stateful`.',
    claims:
      "A bridge between stdio and HTTP: it ends the protocol on one side and begins it anew " +
      "on the other, with a process for each session, and passes messages, not HTTP. It does not " +
      "claim to keep bytes, fields, statuses or event ids, nor to stop the server's work when a " +
      "client goes away. HTTP+SSE is another mode of it, which was not run.",
  };
}

async function mcpProxy({ cleanup, packages }: Tools): Promise<Peer> {
  const { program, directory } = await packages();
  const start = (upstream: string) =>
    startPeer(cleanup, (port) => ({
      program: "node",
      args: [
        ...[program("mcp-proxy"), "--host", "127.0.0.1", "--port", String(port)],
        ...["--maxBodySize", String(1024 * 1024), "--"],
        ...["node", program("mcp-remote"), upstream, "--transport", "http-only"],
      ],
      env: { MCP_REMOTE_CONFIG_DIR: `${directory}/mcp-remote` },
    }));
  return {
    source: sourceOf("mcp-proxy", ["body-limit-1m"], start),
    version: versions("mcp-proxy", "mcp-remote"),
    setup:
      "It serves stdio servers over HTTP, so mcp-remote, which its authors name for the other " +
      "direction, stands behind it: `mcp-proxy --maxBodySize 1048576 -- mcp-remote UPSTREAM " +
      "--transport http-only`.",
    claims:
      "A gateway before a stdio server: all clients share one upstream session, opened when " +
      "it starts, and it says so. It gives requests ids of its own, so a script of the mock that " +
      "answers with the id the client sent is no answer to it, and what depends on that fails. It " +
      "does not claim to keep bytes, fields, statuses or event ids, nor to pass what a server asks " +
      "of a client.",
  };
}

function versions(...names: readonly PackageName[]): string {
  return names.map((name) => `${name} ${PACKAGES[name]}`).join(", ");
}
