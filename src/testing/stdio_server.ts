/**
 * A server on stdio that does what a test asks of it: run as a program, `deno run -A stdio_server.ts`.
 *
 * Arguments: `stubborn` has it go on at the end of its stdin and at SIGTERM; `mute` has it never answer;
 * `nested` has it run what it does in a process of its own, as npx does; `gone` has it end at once;
 * `waits=PORT` has it connect there before it serves anybody, and wait until that connection is closed;
 * `modern` has it speak 2026-07-28 alone.
 *
 * @module
 */

import { TextLineStream } from "@std/streams/text-line-stream";

interface Asked {
  readonly id?: string | number;
  readonly method: string;
  readonly params?: { readonly protocolVersion?: string; readonly bytes?: number };
}

const FLAGS = new Set(Deno.args);
const encoder = new TextEncoder();

function write(bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += Deno.stdout.writeSync(bytes.subarray(at));
}

function say(message: unknown): void {
  write(encoder.encode(`${JSON.stringify(message)}\n`));
}

const RESULTS: Readonly<Record<string, (asked: Asked) => unknown>> = {
  initialize: ({ params }) => ({
    protocolVersion: params?.protocolVersion,
    capabilities: { logging: {}, tools: {} },
    serverInfo: { name: "scripted", version: "1" },
  }),
  about: () => ({ pid: Deno.pid, parent: Deno.ppid, env: Deno.env.toObject(), cwd: Deno.cwd() }),
  noise: () => {
    write(encoder.encode("Listening on stdio\n\n\r\n{ not json }\n"));
    write(new Uint8Array([0x7b, 0xff, 0x7d, 0x0a]));
    Deno.stderr.writeSync(encoder.encode(`${"x".repeat(5_000)}\nshort\n`));
    return {};
  },
  crash: () => Deno.exit(3),
  large: ({ params }) => "x".repeat(params?.bytes ?? 0),
};

const MODERN_RESULTS: typeof RESULTS = {
  "server/discover": () => ({
    resultType: "complete",
    supportedVersions: ["2026-07-28"],
    capabilities: { tools: {} },
    ttlMs: 0,
    cacheScope: "private",
  }),
  "tools/list": () => ({ resultType: "complete", tools: [], ttlMs: 0, cacheScope: "private" }),
};

function answer(asked: Asked): unknown {
  const { id, method } = asked;
  const results = FLAGS.has("modern") ? MODERN_RESULTS : RESULTS;
  const result = results[method]?.(asked);
  if (result !== undefined || !FLAGS.has("modern")) {
    return { jsonrpc: "2.0", id, result: result ?? {} };
  }
  return { jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } };
}

/** Waits as long as the test holds the connection. */
async function started(): Promise<void> {
  const port = Deno.args.find((arg) => arg.startsWith("waits="))?.slice("waits=".length);
  if (port === undefined) return;
  using connection = await Deno.connect({ port: Number(port) });
  await connection.read(new Uint8Array(1));
}

async function serve(): Promise<void> {
  await started();
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const line of lines) {
    const asked = JSON.parse(line) as Asked;
    if (asked.id === undefined || FLAGS.has("mute")) continue;
    say(answer(asked));
  }
}

async function nested(): Promise<number> {
  const args = Deno.args.filter((arg) => arg !== "nested");
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", import.meta.filename!, ...args],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  return (await child.status).code;
}

if (FLAGS.has("gone")) Deno.exit(4);
if (FLAGS.has("stubborn")) Deno.addSignalListener("SIGTERM", () => {});
if (FLAGS.has("nested")) Deno.exit(await nested());
await serve();
if (FLAGS.has("stubborn")) await new Promise(() => setInterval(() => {}, 1_000_000));
