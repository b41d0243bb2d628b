/**
 * A fixture as an HTTP archive, for the tools of browsers. Pure.
 *
 * Source: HAR 1.2, http://www.softwareishard.com/blog/har-12-spec/. Bodies and fields are those of the
 * fixture, redacted and with placeholders.
 *
 * @module
 */

import type { DataEntry, Entry, Fixture } from "../../fixtures/format/mod.ts";

/** Stands for the server's origin in URLs, which have to be absolute; the name never resolves. */
export const HAR_ORIGIN = "http://recorded.invalid";

/** A name and a value. */
export interface HarPair {
  readonly name: string;
  readonly value: string;
}

/** One exchange. */
export interface HarEntry {
  readonly startedDateTime: string;
  readonly time: number;
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly httpVersion: string;
    readonly cookies: readonly [];
    readonly headers: readonly HarPair[];
    readonly queryString: readonly HarPair[];
    readonly postData?: {
      readonly mimeType: string;
      readonly params: readonly [];
      readonly text: string;
    };
    readonly headersSize: number;
    readonly bodySize: number;
  };
  readonly response: {
    readonly status: number;
    readonly statusText: string;
    readonly httpVersion: string;
    readonly cookies: readonly [];
    readonly headers: readonly HarPair[];
    readonly content: {
      readonly size: number;
      readonly mimeType: string;
      readonly text: string;
      readonly encoding?: "base64";
    };
    readonly redirectURL: string;
    readonly headersSize: number;
    readonly bodySize: number;
  };
  readonly cache: Readonly<Record<string, never>>;
  readonly timings: { readonly send: number; readonly wait: number; readonly receive: number };
  readonly comment?: string;
}

/** An archive. */
export interface Har {
  readonly log: {
    readonly version: "1.2";
    readonly creator: { readonly name: string; readonly version: string };
    readonly comment: string;
    readonly entries: readonly HarEntry[];
  };
}

/** The archive of a fixture whose recording began at `startedAt`. */
export function toHar({ meta, entries }: Fixture, startedAt: Date): Har {
  const [name = "", version = ""] = meta.recorder.split(" ");
  const exchanges = new Map<number, Entry[]>();
  for (const entry of entries) {
    const known = exchanges.get(entry.exchange);
    if (known === undefined) exchanges.set(entry.exchange, [entry]);
    else known.push(entry);
  }
  return {
    log: {
      version: "1.2",
      creator: { name, version },
      comment: `${meta.title}${meta.truncated === true ? " (truncated)" : ""}`,
      entries: [...exchanges.values()].map((exchange) => toEntry(exchange, startedAt)),
    },
  };
}

function toEntry(entries: readonly Entry[], startedAt: Date): HarEntry {
  const request = entries.find((entry) => entry.type === "request")!;
  const response = entries.find((entry) => entry.type === "response");
  const posted = bodyOf(entries, "client");
  const content = bodyOf(entries, "server");
  const headers = pairs(request.fields);
  const sentAt = Math.max(request.at, ...timesOf(entries, "client"));
  const answeredAt = response?.at ?? Math.max(sentAt, request.at);
  const overAt = Math.max(answeredAt, entries.at(-1)!.at);
  const timings = {
    send: Math.min(sentAt, answeredAt) - request.at,
    wait: answeredAt - Math.min(sentAt, answeredAt),
    receive: overAt - answeredAt,
  };
  const url = new URL(HAR_ORIGIN + request.target);
  const aborted = entries.find(({ type }) => type === "abort");
  return {
    startedDateTime: new Date(startedAt.getTime() + request.at).toISOString(),
    time: timings.send + timings.wait + timings.receive,
    request: {
      method: request.method,
      url: HAR_ORIGIN + request.target,
      httpVersion: "HTTP/1.1",
      cookies: [],
      headers,
      queryString: [...url.searchParams].map(([name, value]) => ({ name, value })),
      ...(posted === undefined ? {} : {
        postData: { mimeType: valueOf(headers, "content-type"), params: [], text: posted.text },
      }),
      headersSize: -1,
      bodySize: posted?.size ?? 0,
    },
    response: responseOf(response, content),
    cache: {},
    timings,
    ...(aborted === undefined ? {} : { comment: `broken off by the ${aborted.from}` }),
  };
}

/** Where no answer came, browsers write an answer with the status 0. */
function responseOf(
  response: Extract<Entry, { type: "response" }> | undefined,
  content: BodyText | undefined,
): HarEntry["response"] {
  const headers = pairs(response?.fields ?? []);
  return {
    status: response?.status ?? 0,
    statusText: "",
    httpVersion: "HTTP/1.1",
    cookies: [],
    headers,
    content: {
      size: content?.size ?? 0,
      mimeType: valueOf(headers, "content-type"),
      text: content?.text ?? "",
      ...(content?.isBase64 === true ? { encoding: "base64" as const } : {}),
    },
    redirectURL: valueOf(headers, "location"),
    headersSize: -1,
    bodySize: response === undefined ? -1 : content?.size ?? 0,
  };
}

function timesOf(entries: readonly Entry[], side: "client" | "server"): number[] {
  return entries.filter(({ from, type }) => from === side && type !== "abort").map(({ at }) => at);
}

interface BodyText {
  readonly text: string;
  readonly size: number;
  readonly isBase64: boolean;
}

function bodyOf(entries: readonly Entry[], side: "client" | "server"): BodyText | undefined {
  const pieces = entries.filter((entry): entry is DataEntry =>
    entry.from === side && (entry.type === "data" || entry.type === "bytes")
  );
  if (pieces.length === 0) return undefined;
  const encoder = new TextEncoder();
  const parts = pieces.map((piece) =>
    piece.type === "data" ? encoder.encode(piece.text) : Uint8Array.fromBase64(piece.base64)
  );
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  try {
    // A character that is split over two pieces is whole again here.
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(whole);
    return { text, size: whole.length, isBase64: false };
  } catch {
    return { text: whole.toBase64(), size: whole.length, isBase64: true };
  }
}

function pairs(fields: readonly (readonly [string, string])[]): HarPair[] {
  return fields.map(([name, value]) => ({ name, value }));
}

function valueOf(headers: readonly HarPair[], wanted: string): string {
  return headers.find(({ name }) => name === wanted)?.value ?? "";
}
