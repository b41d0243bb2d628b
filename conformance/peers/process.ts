/**
 * Peers as child processes, ended by their id.
 *
 * @module
 */

import { Cleanup } from "../../bench/cleanup.ts";
import { freePort } from "../free_port.ts";
import { portOpen } from "../official_processes.ts";
import type { RunningTarget } from "../runner/mod.ts";

/** Gateways start other programs before they listen. */
const START_DEADLINE_MS = 30_000;
const POLL_MS = 50;

/** Gateways close the sessions of their servers before they end. */
const END_DEADLINE_MS = 8_000;

/** A program and its arguments. */
export interface PeerCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a peer that listens on a port of this machine, and waits until it does. */
export async function startPeer(
  cleanup: Cleanup,
  command: (port: number) => PeerCommand | Promise<PeerCommand>,
): Promise<RunningTarget> {
  const own = new Cleanup();
  await cleanup.add(() => own.run());
  const port = freePort();
  const { program, args, env = {} } = await command(port);
  const child = new Deno.Command(program, {
    args: [...args],
    env: { ...env },
    // A gateway may take the end of its input for the end of its work.
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await own.add(() => end(child));
  try {
    await listening(child, port);
  } catch (error) {
    await own.run();
    throw error;
  }
  const url = new URL(`http://127.0.0.1:${port}/mcp`);
  return {
    target: { url, sseUrl: new URL("/sse", url) },
    [Symbol.asyncDispose]: () => own.run(),
  };
}

async function listening(child: Deno.ChildProcess, port: number): Promise<void> {
  let ended = false;
  child.status.then(() => ended = true);
  const deadlineMs = performance.now() + START_DEADLINE_MS;
  while (await portOpen(port) === undefined) {
    if (ended) throw new Error("it ended at once");
    if (performance.now() > deadlineMs) {
      throw new Error(`it does not listen after ${START_DEADLINE_MS} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function end(child: Deno.ChildProcess): Promise<void> {
  kill(child, "SIGTERM");
  const force = setTimeout(() => kill(child, "SIGKILL"), END_DEADLINE_MS);
  await child.status;
  clearTimeout(force);
  await child.stdin.close().catch(() => {});
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended already.
  }
}
