/**
 * What a recording tells about itself: revision, transport, who spoke, and which features it shows. Pure.
 *
 * @module
 */

import { createParser } from "eventsource-parser";
import { type FixtureMeta, type Revision, REVISIONS } from "../../fixtures/format/mod.ts";
import { isEventStream } from "../sse/mod.ts";
import { bodiesOf, type Body, valueOf } from "./bodies.ts";
import { fromBinary, readable, utf8Text } from "./bytes.ts";
import type { RawEntry, Recording, Side } from "./recorder.ts";
import type { Field } from "./redact.ts";

/** A program and its version. */
export interface Program {
  readonly name: string;
  readonly version: string;
}

/** What a recording tells about itself. */
export interface Facts {
  readonly revision: Revision;
  readonly transport: FixtureMeta["transport"];
  readonly server: Program;
  readonly client: Program;
  readonly features: string[];
  /** What the traffic does not tell, a sentence each, with what stands there instead. */
  readonly doubts: string[];
}

type Json = Readonly<Record<string, unknown>>;

/** A message with where it stood. */
interface Said {
  readonly from: Side;
  readonly value: Json;
}

/** An event of a stream. */
interface StreamEvent {
  readonly event: string | undefined;
  readonly data: string;
  readonly id: string | undefined;
}

/** A stream of events. */
interface Stream {
  readonly exchange: number;
  readonly events: readonly StreamEvent[];
  readonly saysRetry: boolean;
  readonly whole: boolean;
}

/** All that the features are read from. */
interface Traffic {
  readonly entries: readonly RawEntry[];
  readonly requests: readonly Extract<RawEntry, { type: "request" }>[];
  readonly responses: readonly Extract<RawEntry, { type: "response" }>[];
  readonly bodies: readonly Body[];
  readonly streams: readonly Stream[];
  readonly said: readonly Said[];
  readonly batch: boolean;
}

const UNKNOWN: Program = { name: "unknown", version: "unknown" };

/** Without a version header a server has to assume this revision (2025-06-18 basic/transports). */
const ASSUMED: Revision = "2025-03-26";
const META = "io.modelcontextprotocol/";

/** Reads a recording's facts. */
export function factsOf(recording: Recording): Facts {
  const traffic = read(recording);
  const doubts: string[] = [];
  const transport = traffic.streams.some(({ events }) => events[0]?.event === "endpoint")
    ? "http+sse"
    : "streamable-http";
  return {
    revision: revisionOf(traffic, transport, doubts),
    transport,
    server: programOf(traffic, "server", doubts),
    client: programOf(traffic, "client", doubts),
    features: Object.keys(FEATURES).filter((name) => FEATURES[name]!(traffic, transport)),
    doubts,
  };
}

function read(recording: Recording): Traffic {
  const { entries } = recording;
  const bodies = [...bodiesOf(entries).values()];
  const streams: Stream[] = [];
  const said: Said[] = [];
  let batch = false;
  for (const body of bodies) {
    if (body.contentCoding !== undefined) continue;
    const texts = isEventStream(body.contentType) ? eventsOf(body, streams) : [readable(body.text)];
    for (const text of texts) {
      const value = parse(text);
      batch ||= Array.isArray(value);
      for (const one of [value].flat()) {
        if (isObject(one)) said.push({ from: body.from, value: one });
      }
    }
  }
  return {
    entries,
    requests: entries.filter((entry) => entry.type === "request"),
    responses: entries.filter((entry) => entry.type === "response"),
    bodies,
    streams,
    said,
    batch,
  };
}

function eventsOf({ exchange, text, whole }: Body, streams: Stream[]): string[] {
  const events: StreamEvent[] = [];
  let saysRetry = false;
  const parser = createParser({
    onEvent: ({ event, data, id }) => void events.push({ event, data, id }),
    onRetry: () => saysRetry = true,
  });
  parser.feed(utf8Text(fromBinary(text)) ?? text);
  streams.push({ exchange, events, saysRetry, whole });
  return events.map(({ data }) => data);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What stands under `keys`, one inside the other. */
function dig(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) => isObject(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined,
    value,
  );
}

function revisionOf(
  { said, requests }: Traffic,
  transport: FixtureMeta["transport"],
  doubts: string[],
): Revision {
  const told = [
    ...said.map(({ value }) => dig(value, "result", "protocolVersion")),
    ...said.map(({ value }) => dig(value, "params", "_meta", `${META}protocolVersion`)),
    ...requests.map(({ fields }) => valueOf(fields, "mcp-protocol-version")),
    ...said.map(({ value }) => dig(value, "params", "protocolVersion")),
  ].filter((revision) => typeof revision === "string");
  const known = REVISIONS.find((revision) => revision === told.find(isRevision));
  if (known !== undefined) return known;
  const assumed = transport === "http+sse" ? "2024-11-05" : ASSUMED;
  const why = told.length === 0 ? "names no revision" : "names revisions that the format lacks";
  doubts.push(`the traffic ${why}; meta.json says ${assumed}`);
  return assumed;
}

function isRevision(value: string): value is Revision {
  return (REVISIONS as readonly string[]).includes(value);
}

function programOf({ said }: Traffic, side: Side, doubts: string[]): Program {
  const key = `${side}Info`;
  const inside = side === "server" ? "result" : "params";
  const candidates = said.flatMap(({ value }) => [
    dig(value, inside, key),
    dig(value, inside, "_meta", `${META}${key}`),
  ]);
  const found = candidates.find((candidate) => typeof dig(candidate, "name") === "string");
  if (found === undefined) {
    doubts.push(`the traffic does not name the ${side}; meta.json says "unknown"`);
    return UNKNOWN;
  }
  const text = (value: unknown) => typeof value === "string" && value !== "" ? value : "unknown";
  return { name: text(dig(found, "name")), version: text(dig(found, "version")) };
}

function hasMethod(traffic: Traffic, ...methods: readonly string[]): boolean {
  return traffic.said.some(({ value }) => methods.includes(String(value.method))) ||
    traffic.said.some(({ value }) =>
      Object.values(dig(value, "result", "inputRequests") ?? {}).some((request) =>
        methods.includes(String(dig(request, "method")))
      )
    );
}

function hasField(heads: readonly { readonly fields: readonly Field[] }[], name: string): boolean {
  return heads.some(({ fields }) => valueOf(fields, name) !== undefined);
}

/** A stream of a POST that ended without its answer, after the server said when to come back. */
function isPolled({ streams, requests }: Traffic): boolean {
  return streams.some(({ exchange, events, saysRetry, whole }) =>
    saysRetry && whole &&
    requests.some((request) => request.exchange === exchange && request.method === "POST") &&
    !events.some(({ data }) => /"(result|error)"\s*:/.test(data))
  );
}

/** The features and how each is recognised, in the order of meta.json. */
const FEATURES: Readonly<Record<string, (traffic: Traffic, transport: string) => boolean>> = {
  json: ({ bodies }) =>
    bodies.some(({ from, contentType }) =>
      from === "server" && /^application\/json\b/i.test(contentType ?? "")
    ),
  sse: ({ streams }) => streams.length > 0,
  session: ({ responses }, transport) =>
    hasField(responses, "mcp-session-id") || transport === "http+sse",
  "get-stream": ({ requests, streams }, transport) =>
    transport !== "http+sse" &&
    requests.some(({ method, exchange }) =>
      method === "GET" && streams.some((stream) => stream.exchange === exchange)
    ),
  delete: ({ requests }) => requests.some(({ method }) => method === "DELETE"),
  resume: ({ requests }) => hasField(requests, "last-event-id"),
  polling: isPolled,
  priming: ({ streams }) =>
    streams.some(({ events }) => events.some(({ id, data }) => id !== undefined && data === "")),
  listen: (traffic) => hasMethod(traffic, "subscriptions/listen"),
  notification: ({ said }) =>
    said.some(({ from, value }) =>
      from === "server" && typeof value.method === "string" && value.id === undefined
    ),
  progress: (traffic) => hasMethod(traffic, "notifications/progress"),
  logging: (traffic) => hasMethod(traffic, "notifications/message"),
  elicitation: (traffic) => hasMethod(traffic, "elicitation/create"),
  sampling: (traffic) => hasMethod(traffic, "sampling/createMessage"),
  roots: (traffic) => hasMethod(traffic, "roots/list"),
  "input-required": ({ said }) =>
    said.some(({ value }) => dig(value, "result", "resultType") === "input_required"),
  batch: ({ batch }) => batch,
  cancel: (traffic) => hasMethod(traffic, "notifications/cancelled"),
  error: ({ said, responses }) =>
    said.some(({ value }) => isObject(value.error)) ||
    responses.some(({ status }) => status >= 400),
  abort: ({ entries }) => entries.some(({ type }) => type === "abort"),
};
