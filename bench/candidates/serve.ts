/**
 * The proxy with another HTTP client in place of its own connections, or with the runtime's server in
 * place of its own, for the bench alone.
 *
 * `deno run -P=test bench/candidates/serve.ts --client undici|fetch|denoserve --upstream URL` prints
 * `listening URL` and serves until SIGTERM or SIGINT. It logs nothing.
 */

import { parseArgs } from "@std/cli/parse-args";
import { configSchema } from "../../src/config/schema.ts";
import { serve } from "../../src/server.ts";
import { http1Client, type HttpClientFactory } from "../../src/upstream/mod.ts";
import { note, print } from "../print.ts";
import { fetchClient } from "./fetch_client.ts";
import { undiciClient } from "./undici_client.ts";

const CLIENTS: Readonly<Record<string, HttpClientFactory>> = {
  undici: undiciClient,
  fetch: fetchClient,
  denoserve: http1Client,
};

/** What is still under way at the end has this long. */
const DRAIN_TIMEOUT_MS = 500;

const PATH = "/mcp";

function untilAsked(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  Deno.addSignalListener("SIGINT", resolve);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", resolve);
  return promise;
}

async function main(args: readonly string[]): Promise<number> {
  const given = parseArgs(args, { string: ["client", "upstream"] });
  const client = String(given["client"]);
  const httpClient = Object.hasOwn(CLIENTS, client) ? CLIENTS[client] : undefined;
  const upstream = given["upstream"];
  if (httpClient === undefined || typeof upstream !== "string") {
    note(`usage: serve.ts --client ${Object.keys(CLIENTS).join("|")} --upstream URL`);
    return 2;
  }
  const config = configSchema.parse({
    listen: "127.0.0.1:0",
    httpServer: client === "denoserve" ? "deno" : "switchyard",
    drainTimeoutMs: DRAIN_TIMEOUT_MS,
    routes: [{ path: PATH, upstream: { url: upstream } }],
  });
  const asked = untilAsked();
  const proxy = await serve({ config, httpClient });
  print(`listening ${proxy.origin}${PATH}`);
  await asked;
  await proxy.stop();
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
