/**
 * What a target is asked at intervals, and which answers are good.
 *
 * Sources: 2025-11-25 basic/utilities/ping; 2026-07-28 server/discover, and basic/transports/streamable-http
 * "Request Metadata"; 2024-11-05 basic/transports "HTTP with SSE".
 *
 * @module
 */

import { FIRST_MODERN_REVISION, PROTOCOL_VERSION_KEY } from "../era/mod.ts";
import { type CancelSignal, Fields } from "../http/mod.ts";
import { at, CLIENT_INFO, encode, keyOf, readReply, readWithin } from "../rpc/mod.ts";
import type { HttpClient, HttpTimeouts, Upstream, UpstreamCall } from "../upstream/mod.ts";

/** A probe: what is sent is a matter of its kind. */
export type ProbeKind = "off" | "ping" | "discover" | "stream" | "path";

/** The probe that `health.probe` asks for where an upstream has `targets` of them: `auto` is resolved. */
export function chosenProbe(probe: string, targets: number): string {
  if (probe !== "auto") return probe;
  return targets > 1 ? "ping" : "off";
}

/** Which kind of probe a choice is on a transport: HTTP+SSE has no POST that a server answers by itself. */
export function kindOfProbe(probe: string, transport: "streamable-http" | "http+sse"): ProbeKind {
  if (probe === "off") return "off";
  if (probe.startsWith("/")) return "path";
  if (transport === "http+sse") return "stream";
  return probe === "discover" ? "discover" : "ping";
}

/** What a probe is sent with. */
export interface Asking {
  /** The connection. */
  readonly client: HttpClient;
  /** The endpoint on it. */
  readonly upstream: Upstream;
  /** What `probe.kind` of `path` is to be asked for. */
  readonly path: string;
  /** Names and values, in turn, of the fields that the proxy's own requests have. */
  readonly fields: readonly string[];
  /** Deadlines. */
  readonly timeouts: HttpTimeouts;
  /** Aborted when the probe's time is over. */
  readonly signal: CancelSignal;
}

/**
 * Asks once.
 *
 * @returns what is wrong, in a few words; undefined where all is well
 * @throws {ProxyError} where there is no answer
 */
export type Ask = (asking: Asking) => Promise<string | undefined>;

/** How each kind of probe asks. */
export const ASK: Readonly<Record<Exclude<ProbeKind, "off">, Ask>> = {
  ping,
  discover,
  stream,
  path,
};

/** Answers are read to the end up to so many bytes, so that servers see no request broken off. */
const MAX_ANSWER_BYTES = 65_536;

const ID = "switchyard-probe";

const ID_KEY = keyOf(JSON.stringify(ID))!;

const PING = encode(JSON.stringify({ jsonrpc: "2.0", id: ID, method: "ping" }));

const DISCOVER = encode(JSON.stringify({
  jsonrpc: "2.0",
  id: ID,
  method: "server/discover",
  params: {
    _meta: {
      [PROTOCOL_VERSION_KEY]: FIRST_MODERN_REVISION,
      "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
      "io.modelcontextprotocol/clientCapabilities": {},
    },
  },
}));

const JSON_FIELDS = ["content-type", "application/json"];

const DISCOVER_FIELDS = [
  ...JSON_FIELDS,
  "mcp-protocol-version",
  FIRST_MODERN_REVISION,
  "mcp-method",
  "server/discover",
];

/** Servers with sessions answer 400 to a request without one, and are well all the same. */
async function ping(asking: Asking): Promise<string | undefined> {
  const answer = await asking.upstream.exchange(callOf(asking, "session", JSON_FIELDS), PING);
  const { status, kind, body } = answer;
  if (kind === "sse") body.discard();
  else await readOver(body, asking.signal);
  return status < 500 ? undefined : answered(status);
}

async function discover(asking: Asking): Promise<string | undefined> {
  const call = callOf(asking, "modern", DISCOVER_FIELDS);
  const answer = await asking.upstream.exchange(call, DISCOVER);
  if (answer.status !== 200) {
    await readOver(answer.body, asking.signal);
    return answered(answer.status);
  }
  const giveUp = () => answer.body.discard();
  if (asking.signal.aborted) giveUp();
  asking.signal.addEventListener("abort", giveUp, { once: true });
  try {
    const options = { maxBytes: MAX_ANSWER_BYTES, onOther: () => {} };
    const { value } = await readReply(answer, ID_KEY, options);
    return at(value, "result") === undefined ? "answered with an error" : undefined;
  } finally {
    asking.signal.removeEventListener("abort", giveUp);
  }
}

async function stream(asking: Asking): Promise<string | undefined> {
  const { status, kind, body } = await asking.upstream.listen(callOf(asking, "session", []));
  body.discard();
  if (status !== 200) return answered(status);
  return kind === "sse" ? undefined : "answered without a stream";
}

async function path({ client, path, fields, timeouts, signal }: Asking) {
  const { status, body } = await client.send({
    method: "GET",
    path,
    fields: ["accept", "*/*", "accept-encoding", "identity", ...fields],
    body: null,
    signal,
    timeouts,
  });
  await readOver(body, signal);
  return status >= 200 && status < 300 ? undefined : answered(status);
}

function callOf(
  { fields, signal }: Asking,
  era: "session" | "modern",
  more: readonly string[],
): UpstreamCall {
  return {
    era,
    headers: new Fields([...fields, ...more]),
    sessionId: undefined,
    principal: "",
    query: "",
    signal,
  };
}

function answered(status: number): string {
  return `answered ${status}`;
}

/** What the status has told is not taken back by what comes of the body. Never rejects. */
async function readOver(body: Parameters<typeof readWithin>[0], signal: CancelSignal) {
  await readWithin(body, MAX_ANSWER_BYTES, signal).catch(() => null);
  body.discard();
}
