/** The memory that an idle stream costs a proxy: every target in a process of its own, just started. */

import { IdleStreams } from "./idle_streams.ts";
import type { Watchdog } from "./http_client.ts";
import { McpClient, type Target } from "./mcp_client.ts";
import { readResidentKiB } from "./memory.ts";

/** Streams opened and closed before anything is measured. */
const WARM_UP_STREAMS = 200;

/** The memory is read this often after the last event or the last close, and the last reading counts. */
const POLLS = 10;
const POLL_MS = 200;

/** Files a proxy has open for each stream, and beside them. */
const FILES_PER_STREAM = 2;
const SPARE_FILES = 256;

/** The memory of one target, in KiB. */
export interface RssRow {
  readonly target: string;
  readonly beforeKiB: number;
  readonly openKiB: number;
  readonly closedKiB: number;
  readonly perStreamKiB: number;
}

/** The rss section. */
export interface RssSummary {
  readonly streams: number;
  readonly rows: readonly RssRow[];
}

/** As many streams as were asked for, or as many as the limit on open files lets a proxy carry. */
export function fittingStreams(asked: number, openFiles: number): number {
  return Math.max(0, Math.min(asked, Math.floor((openFiles - SPARE_FILES) / FILES_PER_STREAM)));
}

/** The resident memory once the process has had the time to settle. */
export async function settledKiB(pid: number): Promise<number> {
  for (let poll = 1; poll < POLLS; poll++) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    await readResidentKiB(pid);
  }
  return await readResidentKiB(pid);
}

/** Opens and closes streams, in a session that is ended: none is kept for a client that comes back. */
async function warmUp(target: Target, streams: number, watchdog: Watchdog): Promise<void> {
  const client = await McpClient.open(target, watchdog);
  try {
    const idle = await IdleStreams.open(target, client.sessionId, streams);
    await idle.close();
    await client.endSession();
  } finally {
    client.close();
  }
}

/** Measures a target that was just started: `pid` is its process. */
export async function measureRss(
  target: Target,
  pid: number,
  streams: number,
  watchdog: Watchdog,
): Promise<RssRow> {
  await warmUp(target, Math.min(streams, WARM_UP_STREAMS), watchdog);
  const client = await McpClient.open(target, watchdog);
  try {
    const beforeKiB = await settledKiB(pid);
    const idle = await IdleStreams.open(target, client.sessionId, streams);
    let openKiB: number;
    try {
      openKiB = await settledKiB(pid);
      idle.checkAllOpen();
    } finally {
      await idle.close();
    }
    const closedKiB = await settledKiB(pid);
    const perStreamKiB = (openKiB - beforeKiB) / streams;
    return { target: target.name, beforeKiB, openKiB, closedKiB, perStreamKiB };
  } finally {
    client.close();
  }
}
