/** The memory of a proxy whose client reads nothing of a stream that never ends. */

import type { Watchdog } from "./http_client.ts";
import { McpClient, type Target } from "./mcp_client.ts";
import { readResidentKiB } from "./memory.ts";
import { settledKiB } from "./rss.ts";
import { StalledStream } from "./stalled_stream.ts";

/** Streams read to their end before anything is measured, so that the heap has grown as it will. */
const WARM_UP_STREAMS = 5;
const WARM_UP_EVENTS = 50_000;
const WARM_UP_WRITE_BYTES = 16 * 1024;

/** Events that the client reads when it goes on, which shows that its stream was not given up. */
const EVENTS_READ_ON = 10_000;

const POLL_MS = 50;

/** The memory of one target, in KiB: the most of each time. */
export interface StalledRow {
  readonly target: string;
  readonly beforeKiB: number;
  readonly firstHalfKiB: number;
  readonly secondHalfKiB: number;
  /** After the client has gone, for half as long. */
  readonly goneKiB: number;
}

/** The stalled section. */
export interface StalledSummary {
  readonly stalledMs: number;
  readonly rows: readonly StalledRow[];
}

/** The most resident memory of a process within a time. */
async function mostKiB(pid: number, durationMs: number): Promise<number> {
  const endMs = performance.now() + durationMs;
  let most = await readResidentKiB(pid);
  while (performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    most = Math.max(most, await readResidentKiB(pid));
  }
  return most;
}

/** Measures a target that was just started: `pid` is its process. */
export async function measureStalled(
  target: Target,
  pid: number,
  stalledMs: number,
  watchdog: Watchdog,
): Promise<StalledRow> {
  const client = await McpClient.open(target, watchdog);
  try {
    for (let stream = 0; stream < WARM_UP_STREAMS; stream++) {
      await client.stream(WARM_UP_EVENTS, WARM_UP_WRITE_BYTES);
    }
    const beforeKiB = await settledKiB(pid);
    const stream = await StalledStream.open(target, client.sessionId);
    let firstHalfKiB: number;
    let secondHalfKiB: number;
    try {
      firstHalfKiB = await mostKiB(pid, stalledMs / 2);
      secondHalfKiB = await mostKiB(pid, stalledMs / 2);
      await stream.readOn(EVENTS_READ_ON);
    } finally {
      await stream.close();
    }
    const goneKiB = await mostKiB(pid, stalledMs / 2);
    return { target: target.name, beforeKiB, firstHalfKiB, secondHalfKiB, goneKiB };
  } finally {
    client.close();
  }
}
