/**
 * R60 to R64, R70 at every front and on every HTTP transport: a server that fails one request is told to whoever
 * made it, and the request was sent once, whatever it was.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as askers from "../testing/askers.ts";
import * as faulty from "../testing/faulty_server.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as messages from "../testing/messages.ts";
import * as peerClients from "../testing/peer_clients.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost, type RawResponse } from "../testing/raw_client.ts";
import {
  jsonAnswer,
  type ScriptedConnection,
  type ScriptedUpstream,
  scriptedUpstream,
} from "../testing/scripted_upstream.ts";
import { sseCaller } from "../testing/sse_caller.ts";

const { ASKERS } = askers;
const { CHUNKED_STREAM, FAULTY_SERVERS } = faulty;

type ClientKind = askers.AskerKind;
type ServerKind = faulty.FaultyServerKind;

/** Requests that both eras have, with parameters. */
const METHODS: Readonly<Record<string, Record<string, unknown>>> = {
  "tools/list": {},
  "tools/call": { name: "t", arguments: {} },
  "prompts/list": {},
  "prompts/get": { name: "p" },
  "resources/list": {},
  "resources/templates/list": {},
  "resources/read": { uri: "demo://a" },
  "completion/complete": {
    ref: { type: "ref/prompt", name: "p" },
    argument: { name: "a", value: "" },
  },
};

const SERVERS: readonly (readonly [ServerKind, "dedicated" | "shared"])[] = [
  ["session", "dedicated"],
  ["session", "shared"],
  ["modern", "dedicated"],
  ["HTTP+SSE", "dedicated"],
  ["HTTP+SSE", "shared"],
];

interface Cell {
  readonly proxy: TestProxy;
  readonly server: faulty.FaultyServer;
  readonly client: askers.Asker;
  /** Where redirects point to. */
  readonly elsewhere: ScriptedUpstream;
}

/** Runs `test` with one client before one server. */
async function withCell(
  clientKind: ClientKind,
  [serverKind, sessions]: (typeof SERVERS)[number],
  test: (cell: Cell) => Promise<void>,
  more: Record<string, unknown> & { clock?: ManualClock } = {},
): Promise<void> {
  await using server = FAULTY_SERVERS[serverKind]();
  await using elsewhere = scriptedUpstream((_, to) => to.write(jsonAnswer("{}")));
  const { clock, ...settings } = more;
  const upstreamConfig = { ...server.upstream, sessions, ...settings };
  const options = { upstreamConfig, ...(clock !== undefined && { clock }) };
  await withProxy(options, async (proxy) => {
    using client = await ASKERS[clientKind](proxy.origin);
    await test({ proxy, server, client, elsewhere });
  });
  assertEquals(elsewhere.requests.length, 0, "a redirect was followed");
}

const HTML = "<p>at upstream.internal:8080</p>";
const closing = (text: string): faulty.Fault => async (to) => {
  await to.write(text);
  to.close();
};
const page = (status: string, fields: Record<string, string> = {}) =>
  jsonAnswer(HTML, { "content-type": "text/html", ...fields }, status);
const ACCEPTED = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
const HALF = jsonAnswer('{"jsonrpc":"2.0"}').slice(0, -3);

/** Says a little of an answer every now and then. */
async function drip(to: ScriptedConnection): Promise<void> {
  let isOver = false;
  to.closed.then(() => isOver = true);
  await to.write(
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999999\r\n\r\n",
  );
  while (!isOver) {
    await to.write(" ");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Lets time pass until something has come. */
async function passing<T>(clock: ManualClock, coming: Promise<T>): Promise<T> {
  let isThere = false;
  coming.then(() => isThere = true, () => isThere = true);
  while (!isThere) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    clock.advance(LIMIT_MS / 4);
  }
  return await coming;
}

const LATER = { "retry-after": "7" };

/** What a server does instead of answering, and the status that a client of Streamable HTTP gets. */
type Case = readonly [name: string, fault: faulty.Fault, status: number];

/** Failures ahead of an answer, on any transport. */
const failures = ({ url }: ScriptedUpstream): readonly Case[] => [
  ["R60 closes without a word", (to) => to.close(), 502],
  ["R60 closes within the head", closing("HTTP/1.1 200 OK\r\ncontent-ty"), 502],
  ["R63 what is no HTTP", closing("220 mail.example ESMTP\r\n\r\n"), 502],
  ["R70 302", page("302 Found", { location: url }), 502],
  ["R70 307", page("307 Temporary Redirect", { location: url }), 502],
  ["R70 307 to itself", page("307 Temporary Redirect", { location: "/mcp" }), 502],
  ["R70 308", page("308 Permanent Redirect", { location: url }), 502],
];

/** Error statuses with Retry-After: they pass. */
const LATER_CASES: readonly Case[] = [
  ["R64 429", page("429 Too Many Requests", LATER), 429],
  ["R64 500", page("500 Internal Server Error", LATER), 500],
  ["R64 502", page("502 Bad Gateway", LATER), 502],
  ["R64 503", page("503 Service Unavailable", LATER), 503],
  ["R64 504", page("504 Gateway Timeout", LATER), 504],
];

/** Answers of Streamable HTTP that are none; over HTTP+SSE the answer to a POST says nothing but its status. */
const NO_ANSWERS: readonly Case[] = [
  ["R59 JSON cut short", closing(HALF), 502],
  ["R63 200 with HTML", page("200 OK"), 502],
  ["R63 200 without a type", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", 502],
  ["R63 200 with an empty body", jsonAnswer(""), 502],
  ["R63 202", ACCEPTED, 502],
  ["R63 204", "HTTP/1.1 204 No Content\r\n\r\n", 502],
];

/** What may run twice: it only reads, or opens what nobody uses yet. GET opens the stream of HTTP+SSE. */
const SAFE = [
  ...["tools/list", "prompts/list", "resources/list", "resources/templates/list"],
  ...["prompts/get", "resources/read", "server/discover", "initialize", "GET"],
];

/** How often a request is sent: once more where it is safe and nothing at all came of it. */
function timesSent(method: string, name: string, serverKind: ServerKind): number {
  if (!SAFE.includes(method) || !name.includes("without a word")) return 1;
  // A message on a channel may have been taken, whatever becomes of the answer to its POST.
  return serverKind === "HTTP+SSE" && method !== "GET" ? 1 : 2;
}

/** Asserts that a request has failed as its client expects it to, and was sent once. */
function assertFailed(
  clientKind: ClientKind,
  { status, response, text }: askers.Asked,
  expected: number,
  about: string,
): void {
  assert(response.error !== undefined, `${about}: ${text}`);
  assert(!/upstream\.internal|127\.0\.0\.1/.test(text), `${about}: ${text}`);
  if (clientKind !== "HTTP+SSE") assertEquals(status, expected, `${about}: ${text}`);
}

for (const clientKind of Object.keys(ASKERS) as ClientKind[]) {
  for (const serverCase of SERVERS) {
    const [serverKind, sessions] = serverCase;
    const cell = `${clientKind} client, ${sessions} ${serverKind} server`;

    Deno.test(`R60 R63 R64 R70 ${cell}: each failure is told, and what may have run is not sent again`, () =>
      withCell(clientKind, serverCase, async ({ server, client, elsewhere }) => {
        const isStreamable = serverKind !== "HTTP+SSE";
        const cases = [...failures(elsewhere), ...LATER_CASES, ...(isStreamable ? NO_ANSWERS : [])];
        for (const [method, params] of Object.entries(METHODS)) {
          for (const [name, fault, status] of cases) {
            const about = `${name}, ${method}`;
            const before = server.count(method);
            server.faults.set(method, fault);
            const asked = await client.ask(method, params);
            server.faults.delete(method);
            const times = timesSent(method, name, serverKind);
            assertEquals(server.count(method) - before, times, about);
            const isLater = name.startsWith("R64");
            assertFailed(clientKind, asked, status, about);
            if (isLater && clientKind !== "HTTP+SSE") assertEquals(asked.retryAfter, "7", about);
          }
          assert((await client.ask(method, params)).response.result !== undefined, method);
        }
      }));
  }
}

/** Time enough for nothing to happen. */
const NEVER_MS = 2_000_000_000;
const LIMIT_MS = 5_000;

type Deadline = "headersTimeoutMs" | "bodyIdleTimeoutMs" | "totalTimeoutMs" | "streamIdleTimeoutMs";

/** Ways to be silent: what, the server's doing, the deadline that ends it, on which transports. */
const SILENCES: readonly (readonly [string, faulty.Fault, Deadline, readonly ServerKind[]])[] = [
  ["R61 no head", () => {}, "headersTimeoutMs", ["session", "modern", "HTTP+SSE"]],
  ["R61 no message", ACCEPTED, "headersTimeoutMs", ["HTTP+SSE"]],
  ["R62 half of JSON", HALF, "bodyIdleTimeoutMs", ["session", "modern"]],
  ["R62 JSON that drips", drip, "totalTimeoutMs", ["session", "modern"]],
  ["R62 a stream without an event", CHUNKED_STREAM, "streamIdleTimeoutMs", ["session", "modern"]],
];

for (const clientKind of Object.keys(ASKERS) as ClientKind[]) {
  for (const serverCase of SERVERS) {
    for (const [name, fault, deadline, kinds] of SILENCES) {
      const [serverKind, sessions] = serverCase;
      if (!kinds.includes(serverKind)) continue;
      const cell = `${clientKind} client, ${sessions} ${serverKind} server`;
      Deno.test(`${name}: ${cell}: an error in time, whatever was asked`, () => {
        const clock = new ManualClock();
        const timeouts = {
          headersTimeoutMs: NEVER_MS,
          bodyIdleTimeoutMs: NEVER_MS,
          totalTimeoutMs: NEVER_MS,
          streamIdleTimeoutMs: NEVER_MS,
          [deadline]: LIMIT_MS,
        };
        return withCell(clientKind, serverCase, async ({ server, client }) => {
          // The bridge to modern servers asks for the tools ahead of the first call.
          await client.ask("tools/call", METHODS["tools/call"]);
          for (const method of Object.keys(METHODS)) server.faults.set(method, fault);
          const before = server.told.length;
          const asking = Object.entries(METHODS).map(([method, params]) =>
            client.ask(method, params)
          );
          await server.came(Object.keys(METHODS), before);
          const answers = await passing(clock, Promise.all(asking));
          for (const { response, status, text } of answers) {
            assert(response.error !== undefined, text);
            if (clientKind === "HTTP+SSE" || deadline === "streamIdleTimeoutMs") continue;
            assertEquals([status, response.error.code], [504, -31504], text);
          }
          const told = server.told.slice(before);
          for (const method of Object.keys(METHODS)) {
            assertEquals(told.filter((one) => one === method).length, 1, method);
          }
          server.faults.clear();
          for (const [method, params] of Object.entries(METHODS)) {
            assert((await client.ask(method, params)).response.result !== undefined, method);
          }
        }, { clock, ...timeouts });
      });
    }
  }
}

/** Asks for what begins a conversation with a server, of which nothing is known yet. */
const BEGINNINGS: Readonly<Record<ClientKind, (origin: string) => Promise<askers.Asked>>> = {
  "session": async (origin) => toldBy(await exchange(origin, jsonPost(messages.initialize()))),
  "modern": async (origin) =>
    toldBy(await exchange(origin, peerClients.modernPost("tools/call", METHODS["tools/call"]))),
  "HTTP+SSE": async (origin) => {
    using caller = await sseCaller(origin);
    await caller.post(messages.initialize());
    const text = await caller.next();
    return { status: undefined, retryAfter: undefined, response: JSON.parse(text), text };
  },
};

function toldBy({ status, headers, text }: RawResponse): askers.Asked {
  return { status, retryAfter: headers.get("retry-after"), response: JSON.parse(text), text };
}

/** What the proxy asks a server first; GET opens the stream of HTTP+SSE. */
function firstMethods(clientKind: ClientKind, serverKind: ServerKind): readonly string[] {
  if (serverKind === "modern") return clientKind === "modern" ? [] : ["server/discover"];
  return serverKind === "session" ? ["initialize"] : ["GET", "initialize"];
}

/** A server of HTTP+SSE that has no stream is none. */
const NO_GET: readonly Case[] = [
  ["R89 405", page("405 Method Not Allowed", { allow: "POST" }), 502],
  ["R63 HTML", page("200 OK"), 502],
];

for (const clientKind of Object.keys(ASKERS) as ClientKind[]) {
  for (const [serverKind, sessions] of SERVERS) {
    for (const method of firstMethods(clientKind, serverKind)) {
      const cell = `${clientKind} client, ${sessions} ${serverKind} server`;
      Deno.test(`R63 R64 R70 R89 ${cell}: ${method} that fails is told, with Retry-After, and the next one succeeds`, async () => {
        await using elsewhere = scriptedUpstream((_, to) => to.write(jsonAnswer("{}")));
        const cases = [...failures(elsewhere), ...LATER_CASES, ...(method === "GET" ? NO_GET : [])];
        for (const [name, fault, status] of cases) {
          await using server = FAULTY_SERVERS[serverKind]();
          const upstreamConfig = { ...server.upstream, sessions };
          await withProxy({ upstreamConfig }, async ({ origin }) => {
            server.faults.set(method, fault);
            const begin = BEGINNINGS[clientKind];
            const asked = await begin(origin);
            assertFailed(clientKind, asked, status, name);
            if (name.startsWith("R64") && clientKind !== "HTTP+SSE") {
              assertEquals(asked.retryAfter, "7", name);
            }
            const times = timesSent(method, name, serverKind);
            assertEquals([server.count(method), server.count("tools/call")], [times, 0], name);
            server.faults.clear();
            assert((await begin(origin)).response.result !== undefined, name);
          });
        }
        assertEquals(elsewhere.requests.length, 0);
      });
    }
  }
}
