/**
 * What is left of sessions that have ended: run by its test as a process of its own, with `--expose-gc`.
 * Prints the bytes of the heap with no session left, before and after 100,000 of them.
 *
 * @module
 */

import { createApp } from "../app.ts";
import { configSchema } from "../config/schema.ts";
import { type Bytes, Fields, NEVER_ABORTED } from "../http/mod.ts";
import { type IdSealer, MemorySessionStore, Session, SessionTable } from "../session/mod.ts";
import { heldBody, type HttpClientFactory } from "../upstream/mod.ts";
import { ManualClock } from "./manual_clock.ts";
import { initialize, initializeResult } from "./messages.ts";

const WARM_UP = 2_000;
const SESSIONS = 100_000;
const IDLE_MS = 3_600_000;
const MAX_STEPS = 500;

const encode = (text: string): Bytes => new TextEncoder().encode(text);
const RESULT = encode(initializeResult());
const BODY = encode(initialize());
const FIELDS = new Fields([
  ["host", "localhost"],
  ["content-type", "application/json"],
  ["accept", "application/json, text/event-stream"],
].flat());

const upstream = { opened: 0, ended: 0 };

/** An upstream in this process. */
const httpClient: HttpClientFactory = () => ({
  send({ method }) {
    if (method === "DELETE") upstream.ended++;
    else upstream.opened++;
    const named = ["content-type", "application/json", "mcp-session-id", `u${upstream.opened}`];
    const isEnd = method === "DELETE";
    const body = heldBody(isEnd ? new Uint8Array() : RESULT);
    return Promise.resolve({ status: 200, fields: new Fields(isEnd ? [] : named), body });
  },
  close: () => Promise.resolve(),
});

const clock = new ManualClock();
const cap = 2 * SESSIONS;
const config = configSchema.parse({
  listen: "127.0.0.1:0",
  limits: { maxSessions: cap, maxSessionsPerPrincipal: cap, sessionIdleTimeoutMs: IDLE_MS },
  routes: [{ path: "/mcp", upstream: { url: "http://localhost:1/mcp" } }],
});
const app = createApp({ clock, httpClient, config });

async function openOne(): Promise<void> {
  const answer = await app.handler({
    method: "POST",
    target: "/mcp",
    headers: FIELDS,
    signal: NEVER_ABORTED,
    body: () => BODY,
  });
  const { status, fields, body } = answer;
  if (status !== 200 || fields.get("mcp-session-id") === null) throw new Error(`${status}`);
  if (body === null || body instanceof Uint8Array) return;
  while (await body.next() !== null);
}

/** Opens sessions, lets them be reaped, and gives the bytes of the heap then. */
async function openAndLeave(count: number): Promise<number> {
  for (let opened = 0; opened < count; opened++) {
    await openOne();
    clock.advance(1);
  }
  // So that no more are reaped at a time than may wait to be ended upstream.
  clock.advance(IDLE_MS - 2 * count);
  for (let step = 0; step < MAX_STEPS && upstream.ended < upstream.opened; step++) {
    clock.advance(1_000);
    for (let turn = 0; turn < 2_000; turn++) await undefined;
  }
  // Whatever was kept for a while only.
  clock.advance(IDLE_MS);
  return heapBytes();
}

/** The bytes of the heap that are in use. */
function heapBytes(): number {
  const { gc } = globalThis as { gc?: () => void };
  // Twice: what the first has finalized the second can take.
  gc!();
  gc!();
  return Deno.memoryUsage().heapUsed;
}

/** The same for sessions of as many principals, without the proxy around them. */
function openAndClose(table: SessionTable, count: number): number {
  for (let opened = 0; opened < count; opened++) {
    const session = table.open({ route: "r", principal: `p${opened}`, upstreamId: "u" });
    if (session instanceof Session) table.close(session);
  }
  return heapBytes();
}

function tableOfPrincipals(): SessionTable {
  let minted = 0;
  const ids: IdSealer = {
    mint: () => ({ id: `id-${++minted}`, key: `key-${minted}` }),
    open: () => undefined,
  };
  const kept = { idleTimeoutMs: IDLE_MS, lifetimeMs: IDLE_MS };
  const store = new MemorySessionStore(clock, kept);
  return new SessionTable({ clock, ids, store, limits: config.limits });
}

const left = [await openAndLeave(WARM_UP), await openAndLeave(SESSIONS)];
const table = tableOfPrincipals();
const closed = [openAndClose(table, WARM_UP), openAndClose(table, SESSIONS)];
// deno-lint-ignore no-console -- this is its answer
console.log(JSON.stringify({ left, closed, timers: clock.timers, ...upstream }));
await app.close();
