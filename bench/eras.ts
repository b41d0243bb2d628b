/** The section eras: calls that are translated between revisions, beside those that are relayed. */

import { Cleanup } from "./cleanup.ts";
import {
  askedBetween,
  type EraSummary,
  MODERN_WITH_KEY,
  SAME_ERA,
  summariseEras,
} from "./era_summary.ts";
import { HttpClient } from "./http_client.ts";
import type { Target } from "./mcp_client.ts";
import { type Endpoint, getBytes } from "./mcp_messages.ts";
import { type Counts, COUNTS_PATH } from "./mock_counts.ts";
import { MODERN_PATH } from "./mock_modern.ts";
import type { OwningBench } from "./memory_sections.ts";
import { type LatencyPlan, measureLatency } from "./sections.ts";
import { DIRECT, startConfigured, startMock, startProxy, urlOf } from "./targets.ts";

/** A client, and the path under which the mock is the server that its calls reach, alone. */
interface Way {
  readonly name: string;
  readonly path: string;
  readonly isModern?: boolean;
  readonly hasKey?: boolean;
}

/** Through the proxy, each with a process of its own. */
const WAYS: readonly Way[] = [
  { name: SAME_ERA, path: "/mcp/same-era" },
  { name: MODERN_WITH_KEY, path: "/mcp/modern-key", isModern: true, hasKey: true },
  { name: "modern, anybody", path: "/mcp/modern-anybody", isModern: true },
  { name: "modern, modern", path: `${MODERN_PATH}/modern`, isModern: true },
  { name: "session, modern", path: `${MODERN_PATH}/session` },
];

const DIRECT_PATH = "/mcp/direct";

/** A target and the path under which the mock counts what comes from it. */
interface CountedTarget extends Target {
  readonly path: string;
}

/** The config of a proxy that lets one caller in. */
export function keyedConfig(upstreamUrl: string, sha256: string): string {
  return JSON.stringify({
    listen: "127.0.0.1:0",
    logLevel: "error",
    auth: { keys: [{ name: "bench", sha256 }] },
    routes: [{ path: "/mcp", upstream: { url: upstreamUrl } }],
  });
}

/** The SHA-256 of a text in lower-case hexadecimal digits. */
export async function sha256Of(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}

async function startWay(way: Way, mock: Endpoint, cleanup: Cleanup): Promise<CountedTarget> {
  const { name, path, isModern = false } = way;
  const upstream = { ...mock, path };
  if (way.hasKey !== true) {
    return { name, path, isModern, ...await startProxy(upstream, cleanup) };
  }
  const key = crypto.randomUUID();
  const config = keyedConfig(urlOf(upstream), await sha256Of(key));
  return { name, path, isModern, key, ...await startConfigured(name, config, cleanup) };
}

type AllCounts = Readonly<Record<string, Counts>>;

/** Looks at counts are so far apart, and so many at most. */
const LOOK_INTERVAL_MS = 50;
const MAX_LOOKS = 100;

const LOOK_DEADLINE_MS = 5_000;

/**
 * The counts once they stand still: a proxy may have to do something behind its last answer.
 *
 * @param read takes one look
 * @param wait passes the time between two looks
 * @throws Error where they never do
 */
export async function settledCounts(
  read: () => Promise<AllCounts>,
  wait: () => Promise<void>,
): Promise<AllCounts> {
  let last = "";
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    const counts = await read();
    const text = JSON.stringify(counts);
    if (text === last) return counts;
    last = text;
    await wait();
  }
  throw new Error("the mock is asked for more and more although nobody calls");
}

async function measure(
  bench: OwningBench,
  plan: LatencyPlan,
  mock: Endpoint,
  targets: readonly CountedTarget[],
): Promise<EraSummary> {
  const request = getBytes({ ...mock, path: COUNTS_PATH }, undefined);
  const http = await HttpClient.connect(mock, bench.watchdog, LOOK_DEADLINE_MS);
  const read = async (): Promise<AllCounts> => {
    await http.exchange(request);
    return JSON.parse(http.body.text()) as AllCounts;
  };
  const wait = () => new Promise<void>((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
  let before: AllCounts = {};
  let after: AllCounts = {};
  const measured = await measureLatency({ ...bench, targets }, plan, {
    before: async () => void (before = await settledCounts(read, wait)),
    after: async () => void (after = await settledCounts(read, wait)),
  }).finally(() => http.close());
  const asked = targets.map(({ name, path }): [string, Counts] => [
    name,
    askedBetween(before[path], after[path]),
  ]);
  return summariseEras(plan, DIRECT, measured, new Map(asked), bench.random);
}

/** Starts a mock and the proxies before it, and times the calls of their clients. */
export async function measureEras(bench: OwningBench, plan: LatencyPlan): Promise<EraSummary> {
  const cleanup = new Cleanup();
  await bench.cleanup.add(() => cleanup.run());
  try {
    const { endpoint: mock } = await startMock(0, cleanup);
    const targets: CountedTarget[] = [
      { name: DIRECT, path: DIRECT_PATH, endpoint: { ...mock, path: DIRECT_PATH } },
    ];
    for (const way of WAYS) targets.push(await startWay(way, mock, cleanup));
    return await measure(bench, plan, mock, targets);
  } finally {
    await cleanup.run();
  }
}
