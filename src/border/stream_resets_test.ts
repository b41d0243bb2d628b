/**
 * R57, R58, R59: upstreams that break off at random bytes, some thousand times, over real sockets.
 *
 * `SWITCHYARD_SEED` sets the seed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as eventClient from "../testing/event_client.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { jsonPost } from "../testing/raw_client.ts";
import { resetServer } from "../testing/reset_server.ts";
import * as streams from "../testing/streams.ts";

const SEED = Number(Deno.env.get("SWITCHYARD_SEED") ?? 20_261_121);
const EVENTS = 40;
const RESETS = 1_000;
/** Clients at one time. */
const CLIENTS = 4;

/** What a client has read of one stream, over all connections. */
interface Seen {
  /** The data of the events, in order. */
  readonly data: readonly string[];
  /** Whether it was told that no more comes: by an error, or by a truncation. */
  readonly told: boolean;
}

/** A way in which streams pass through the proxy. */
interface Mode {
  readonly name: string;
  /** Settings beside routes. */
  readonly config?: (folder: string) => Readonly<Record<string, unknown>>;
  /** Whether the upstream's events have ids. */
  readonly ids: boolean;
  /** Whether the client gets everything although connections break. */
  readonly whole: boolean;
  /** Reads a stream to its end; `number` is one that no other stream has. */
  readonly read: (proxy: TestProxy, number: number) => Promise<[string, Seen]>;
}

/** Looks into every event and has all of them pass. */
const INSPECTS = { use: "access", options: { tools: { deny: ["none"] } } };

const MODES: readonly Mode[] = [
  { name: "session, POST, log in memory", ids: true, whole: true, read: readCall },
  { name: "session, GET, log in memory", ids: true, whole: true, read: readListen },
  {
    name: "session, POST, log in SQLite",
    config: (folder) => ({ eventLog: { store: "sqlite", path: `${folder}/events.db` } }),
    ids: true,
    whole: true,
    read: readCall,
  },
  {
    name: "session, POST, no log, the client resumes",
    config: () => ({ eventLog: { store: "off" } }),
    ids: true,
    whole: true,
    read: readAndResume,
  },
  {
    name: "session, POST, inspected",
    config: () => ({ interceptors: [INSPECTS] }),
    ids: true,
    whole: true,
    read: readCall,
  },
  { name: "2026-07-28, as bytes", ids: false, whole: false, read: readModern },
  {
    name: "2026-07-28, inspected",
    config: () => ({ interceptors: [INSPECTS] }),
    ids: false,
    whole: false,
    read: readModern,
  },
];

/** Reads events until the stream ends or the data is all there. */
async function take(
  stream: eventClient.ClientStream,
  data: string[],
  wanted: number,
): Promise<{ ending: null | "cut" | "enough"; lastId: string | undefined }> {
  let lastId: string | undefined;
  while (data.length < wanted) {
    const event = await stream.next();
    if (event === null || event === "cut") return { ending: event, lastId };
    lastId = event.id ?? lastId;
    // The proxy's priming event, and comments.
    if (event.data !== undefined && event.data !== "") data.push(event.data);
  }
  return { ending: "enough", lastId };
}

async function readCall(
  { origin }: TestProxy,
  number: number,
): Promise<[string, Seen]> {
  const session = await eventClient.openSession(origin);
  using stream = await eventClient.call(origin, session, number);
  const data: string[] = [];
  const { ending } = await take(stream, data, Infinity);
  return [String(number), { data, told: ending === "cut" }];
}

async function readListen({ origin }: TestProxy): Promise<[string, Seen]> {
  const session = await eventClient.openSession(origin);
  using stream = await eventClient.listen(origin, session);
  const data: string[] = [];
  const { ending } = await take(stream, data, EVENTS);
  // Which of the server's sessions it was stands in the events alone.
  const [key] = /s\d+/.exec(data[0] ?? "") ?? ["none"];
  return [key, { data, told: ending === "cut" }];
}

async function readAndResume(
  { origin }: TestProxy,
  number: number,
): Promise<[string, Seen]> {
  const session = await eventClient.openSession(origin);
  const data: string[] = [];
  let lastId: string | undefined;
  for (;;) {
    using stream = lastId === undefined
      ? await eventClient.call(origin, session, number)
      : await eventClient.listen(origin, session, bytesOf(lastId));
    const taken = await take(stream, data, Infinity);
    lastId = taken.lastId ?? lastId;
    if (taken.ending === null) return [String(number), { data, told: isError(data.at(-1)) }];
    if (lastId === undefined) return [String(number), { data, told: true }];
  }
}

async function readModern(
  { origin }: TestProxy,
  number: number,
): Promise<[string, Seen]> {
  const body = messages.modern("tools/call", { name: "t", arguments: {} })
    .replace('"id":1', `"id":${number}`);
  using stream = await eventClient.begin(
    origin,
    jsonPost(body, {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "t",
    }),
  );
  const data: string[] = [];
  const { ending } = await take(stream, data, Infinity);
  const told = isError(data.at(-1));
  if (told) data.pop();
  return [String(number), { data, told: told || ending === "cut" }];
}

function isError(data: string | undefined): boolean {
  return data?.includes('"error":{"code":-31502') ?? false;
}

/** Text as a header field carries it: a character for each byte of its UTF-8. */
function bytesOf(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** What went wrong, in numbers. */
interface Figures {
  readonly mode: string;
  streams: number;
  resets: number;
  delivered: number;
  lost: number;
  duplicated: number;
  ms: number;
}

/** Compares what a client has seen with what there was. */
function judge(mode: Mode, wanted: readonly string[], { data, told }: Seen, to: Figures): void {
  const unique = new Set(data);
  to.streams++;
  to.delivered += data.length;
  to.duplicated += data.length - unique.size;
  const known = mode.whole ? wanted : wanted.slice(0, data.length);
  to.lost += known.filter((text) => !unique.has(text)).length;
  assertEquals(data, known);
  if (data.length < wanted.length) assert(told, `${data.length} events pass for all`);
}

async function run(mode: Mode, folder: string): Promise<Figures> {
  const figures: Figures = {
    mode: mode.name,
    streams: 0,
    resets: 0,
    delivered: 0,
    lost: 0,
    duplicated: 0,
    ms: 0,
  };
  const began = performance.now();
  const events = mode.whole ? EVENTS : 5;
  await using upstream = resetServer({ seed: SEED, events, ids: mode.ids, resetWithin: 600 });
  const reconnect = { attempts: 100, initialDelayMs: 1, maxDelayMs: 1 };
  const upstreamConfig = { reconnect, era: "both" };
  const config = mode.config?.(folder) ?? {};
  const options = { upstreamConfig, config };
  await withProxy(streams.reconnecting(upstream.url, options), async (proxy) => {
    let number = 0;
    await Promise.all(Array.from({ length: CLIENTS }, async () => {
      while (upstream.resets < RESETS) {
        const [key, seen] = await mode.read(proxy, ++number);
        judge(mode, upstream.dataOf(key), seen, figures);
      }
    }));
  });
  figures.resets = upstream.resets;
  figures.ms = Math.round(performance.now() - began);
  return figures;
}

Deno.test("R57 R58 R59 upstreams reset at random bytes: nothing is lost, nothing comes twice", async () => {
  const folder = await Deno.makeTempDir();
  const all: Figures[] = [];
  try {
    for (const mode of MODES) all.push(await run(mode, folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
    // deno-lint-ignore no-console -- the figures are what the test is run for
    console.log(`seed ${SEED}\n${all.map((figures) => JSON.stringify(figures)).join("\n")}`);
  }
  for (const { resets, lost, duplicated } of all) {
    assert(resets >= RESETS);
    assertEquals([lost, duplicated], [0, 0]);
  }
});
