/**
 * This repository's proxy as its users start it, set up as the suite assumes.
 *
 * @module
 */

import { v8FlagsOf } from "../bench/v8_flags.ts";
import { Processes } from "./official_processes.ts";
import type { Assumption, Target } from "./suite/mod.ts";

/** What this proxy is set up with: everything the suite may assume. */
export const OWN_ASSUMPTIONS: readonly Assumption[] = [
  "short-timeouts",
  "body-limit-1m",
  "resumes-streams",
  "short-keep-alive",
];

/** Long enough for a first start, which downloads packages. */
const START_DEADLINE_MS = 120_000;

const ROOT = new URL("..", import.meta.url);

/** The route whose server speaks HTTP+SSE. */
const HTTP_SSE_ROUTE = "/http-sse";

/** The route with the short timeouts that the suite may assume. */
const HASTY_ROUTE = "/hasty";

/** A proxy that runs. */
export interface OwnProxy extends AsyncDisposable {
  readonly target: Required<Target>;
  /** What it has written to its log. */
  log(): string;
}

/** Settings beside those that the suite assumes. */
export type OwnSettings = Readonly<Record<string, unknown>>;

/** The same proxy, passing event streams as bytes: between relays that break them it repairs nothing. */
export const PASSING_BYTES: OwnSettings = { eventLog: { store: "off" } };

/** Starts the proxy in front of `upstream`. */
export async function startOwnProxy(
  upstream: string,
  settings: OwnSettings = {},
): Promise<OwnProxy> {
  const processes = new Processes();
  const config = await Deno.makeTempFile({ prefix: "switchyard-conformance-", suffix: ".json" });
  const end = async () => {
    await processes.close();
    await Deno.remove(config);
  };
  try {
    await Deno.writeTextFile(config, JSON.stringify({ ...configFor(upstream), ...settings }));
    const process = processes.start({
      args: [
        "run",
        "-P",
        ...await v8FlagsOf(ROOT),
        "main.ts",
        "serve",
        "--config",
        config,
      ],
      cwd: ROOT,
    });
    const url = await processes.ready(
      process,
      START_DEADLINE_MS,
      () => /^listening (http:\/\/127\.0\.0\.1:\d+\/mcp)$/m.exec(process.stdout())?.[1],
    );
    const target = {
      url: new URL(url),
      sseUrl: new URL(`${HTTP_SSE_ROUTE}/sse`, url),
      hastyUrl: new URL(HASTY_ROUTE, url),
    };
    return { target, log: process.stderr, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

function configFor(url: string): OwnSettings {
  const timeouts = { headersTimeoutMs: 1_000, bodyIdleTimeoutMs: 1_000, totalTimeoutMs: 10_000 };
  const httpSse = { url: new URL("/sse", url).href, transport: "http+sse" };
  return {
    listen: "127.0.0.1:0",
    logLevel: "warn",
    limits: { maxRequestBytes: 1024 * 1024, keepAliveMs: 4_000 },
    routes: [
      { path: "/mcp", upstream: { url } },
      { path: HTTP_SSE_ROUTE, upstream: httpSse },
      { path: HASTY_ROUTE, upstream: { url, ...timeouts } },
    ],
  };
}
