/**
 * Measures: the same client calls the mock directly, through the proxy, and through nginx where it is
 * installed, in shuffled rounds of one run.
 *
 * @module
 */

import { Cleanup } from "../../bench/cleanup.ts";
import { Watchdog } from "../../bench/http_client.ts";
import type { Target } from "../../bench/mcp_client.ts";
import { type Endpoint, endpointOf } from "../../bench/mcp_messages.ts";
import { startNginx } from "../../bench/nginx.ts";
import { startListener } from "../../bench/processes.ts";
import type { LatencyPlan } from "../../bench/sections.ts";
import { seededRandom } from "../../bench/stats.ts";
import { type LatencySummary, summariseLatency } from "../../bench/summary.ts";
import { DIRECT, NGINX } from "../../bench/targets.ts";
import type { Verdict } from "../suite/mod.ts";
import { LatencyClient } from "./client.ts";
import { judgeLatency, LATENCY_CHECK, SUBJECT } from "./gate.ts";
import { timeCalls } from "./rounds.ts";

/** How long a proxy may take to reach an upstream that was replaced. */
const READY_DEADLINE_MS = 15_000;
const READY_POLL_MS = 250;

/** Connections of nginx, far more than are used. */
const NGINX_CONNECTIONS = 256;

const REPOSITORY = new URL("../../", import.meta.url);
const MOCK_SCRIPT = new URL("bench/mock_upstream.ts", REPOSITORY);

/** What was measured, and what it says. */
export interface LatencyReport {
  readonly summaries: readonly LatencySummary[];
  /** What was left out, and why. */
  readonly notes: readonly string[];
  readonly verdicts: readonly Verdict[];
}

/** The proxy of this phase: it stands before the upstream it is given. */
export interface LatencySubject extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: URL;
}

/** What to measure, and how. */
export interface LatencyOptions {
  readonly plans: readonly LatencyPlan[];
  readonly seed: number;
  /** Where the mock listens; port 0 picks a free one. */
  readonly upstream: { readonly hostname: string; readonly port: number };
  /** Starts the proxy before the upstream, or names the one that runs. */
  readonly start: (upstream: string) => Promise<LatencySubject>;
  /** Undoes what is under way when the run is interrupted; empty at the end. */
  readonly cleanup?: Cleanup;
  /** Told before each table. */
  readonly onProgress?: (what: string) => void;
}

/** Measures and judges; what goes wrong on the way fails the check. */
export async function runLatency(options: LatencyOptions): Promise<LatencyReport> {
  const { cleanup = new Cleanup() } = options;
  try {
    return await measure(options, cleanup);
  } catch (error) {
    const message = `it could not be measured: ${(error as Error).message}`;
    return {
      summaries: [],
      notes: [],
      verdicts: [{ check: LATENCY_CHECK.id, status: "fail", message }],
    };
  } finally {
    await cleanup.run();
  }
}

async function measure(options: LatencyOptions, cleanup: Cleanup): Promise<LatencyReport> {
  const { endpoint } = await startMock(options.upstream, cleanup);
  const subject = await options.start(urlOf(endpoint));
  await cleanup.add(async () => await subject[Symbol.asyncDispose]());
  if (subject.url.protocol !== "http:") {
    return { summaries: [], notes: ["latency: SKIPPED, only http: is measured"], verdicts: [] };
  }
  const targets: Target[] = [
    { name: DIRECT, endpoint },
    { name: SUBJECT, endpoint: endpointOf(subject.url) },
  ];
  const notes: string[] = [];
  const nginx = await startNginx(endpoint, NGINX_CONNECTIONS, cleanup);
  if ("endpoint" in nginx) targets.push({ name: NGINX, endpoint: nginx.endpoint });
  else notes.push(`nginx: SKIPPED, ${nginx.skipped}`);
  const watchdog = new Watchdog();
  await cleanup.add(() => watchdog.close());
  for (const target of targets) await untilReady(target, watchdog);
  const random = seededRandom(options.seed);
  const summaries: LatencySummary[] = [];
  for (const plan of options.plans) {
    options.onProgress?.(`latency, upstream ${plan.serviceMs} ms`);
    const measured = await timeCalls({ targets, watchdog, random }, plan);
    summaries.push(summariseLatency(plan, measured, DIRECT, NGINX, random));
  }
  return { summaries, notes, verdicts: judgeLatency(summaries) };
}

async function startMock(
  { hostname, port }: LatencyOptions["upstream"],
  cleanup: Cleanup,
): Promise<{ endpoint: Endpoint }> {
  const address = hostname.includes(":") ? `[${hostname}]` : hostname;
  const args = ["run", "--no-config", `--allow-net=${address}`, MOCK_SCRIPT.href];
  args.push(String(port), hostname);
  const { endpoint } = await startListener("the mock upstream", args, REPOSITORY, cleanup);
  // An address that means all of this machine's cannot be called everywhere.
  return hostname === "0.0.0.0"
    ? { endpoint: { ...endpoint, hostname: "127.0.0.1" } }
    : { endpoint };
}

function urlOf({ hostname, port, path }: Endpoint): string {
  return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}${path}`;
}

/** Waits until a session can be opened: a proxy may need to see that its upstream is another one. */
async function untilReady(target: Target, watchdog: Watchdog): Promise<void> {
  const deadlineMs = performance.now() + READY_DEADLINE_MS;
  for (;;) {
    try {
      (await LatencyClient.open(target, watchdog))[Symbol.dispose]();
      return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
}
