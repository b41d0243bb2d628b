/**
 * What a fixture asks of a replay: its exchanges, and which placeholder first comes from where. Pure.
 *
 * @module
 */

import type {
  DataEntry,
  Entry,
  Fixture,
  RequestEntry,
  ResponseEntry,
} from "../../fixtures/format/mod.ts";
import { type Block, BlockParser } from "../wire/mod.ts";

/** Everything that was recorded of one exchange. */
export interface ExchangePlan {
  readonly number: number;
  readonly request: RequestEntry;
  readonly requestPieces: readonly DataEntry[];
  readonly response: ResponseEntry | undefined;
  readonly responsePieces: readonly DataEntry[];
  /** How the server ended its answer; "open" where it had not when the recording was over. */
  readonly serverEnd: "end" | "abort" | "open";
  /** Whether the client left. */
  readonly clientAborts: boolean;
  /** Whether the answer is an event stream. */
  readonly isStream: boolean;
  /** The number in `{{event:n}}` that Last-Event-ID holds, where the request resumes a stream. */
  readonly resumes: number | undefined;
}

/** A fixture, read for replaying. */
export interface Plan {
  readonly fixture: Fixture;
  readonly exchanges: ReadonlyMap<number, ExchangePlan>;
  readonly isModern: boolean;
  readonly isHttpSse: boolean;
  /** The session numbers that the server gave, and the first exchange that did. */
  readonly sessionsGiven: ReadonlyMap<number, number>;
  /** The event numbers that the server gave, and where: exchange and position in its stream. */
  readonly eventsGiven: ReadonlyMap<number, readonly EventPlace[]>;
}

/** Where an event id stood. */
export interface EventPlace {
  readonly exchange: number;
  /** Its position among the blocks that count. */
  readonly position: number;
}

/** Reads a fixture for replaying. */
export function planOf(fixture: Fixture): Plan {
  const exchanges = new Map<number, ExchangePlan>();
  for (const entry of fixture.entries) {
    if (entry.type !== "request") continue;
    const own = fixture.entries.filter(({ exchange }) => exchange === entry.exchange);
    exchanges.set(entry.exchange, exchangePlan(entry, own));
  }
  return {
    fixture,
    exchanges,
    isModern: fixture.meta.revision >= "2026-07-28",
    isHttpSse: fixture.meta.transport === "http+sse",
    sessionsGiven: sessionsGiven(exchanges),
    eventsGiven: eventsGiven(exchanges),
  };
}

function exchangePlan(request: RequestEntry, own: readonly Entry[]): ExchangePlan {
  const response = own.find((entry) => entry.type === "response");
  const pieces = (side: Entry["from"]) =>
    own.filter((entry): entry is DataEntry =>
      entry.from === side && (entry.type === "data" || entry.type === "bytes")
    );
  const has = (side: Entry["from"], type: Entry["type"]) =>
    own.some((entry) => entry.from === side && entry.type === type);
  const resumed = /^\{\{event:(\d+)\}\}$/.exec(fieldOf(request.fields, "last-event-id") ?? "");
  return {
    number: request.exchange,
    request,
    requestPieces: pieces("client"),
    response,
    responsePieces: pieces("server"),
    serverEnd: has("server", "end") ? "end" : has("server", "abort") ? "abort" : "open",
    clientAborts: has("client", "abort"),
    isStream: isEventStream(response?.fields ?? []),
    resumes: resumed?.[1] === undefined ? undefined : Number(resumed[1]),
  };
}

/** The value of a recorded field; undefined where there is none. */
export function fieldOf(
  fields: readonly (readonly [string, string])[],
  name: string,
): string | undefined {
  return fields.find(([key]) => key.toLowerCase() === name)?.[1];
}

/** The media type in a Content-Type, without its parameters; undefined where there is none. */
export function mediaType(
  fields: readonly (readonly [string, string])[],
): string | undefined {
  return fieldOf(fields, "content-type")?.replace(/;.*/, "").trim().toLowerCase();
}

function isEventStream(fields: readonly (readonly [string, string])[]): boolean {
  return mediaType(fields) === "text/event-stream";
}

/** The text of recorded pieces, placeholders as they are; bytes that are no text are left out. */
export function templateText(pieces: readonly DataEntry[]): string {
  return pieces.map((piece) => piece.type === "data" ? piece.text : "").join("");
}

/** Whether a block counts: it has data (the priming event's is empty) or an id. */
export function counts(block: Block): boolean {
  return block.data !== null || block.id !== null;
}

/** The blocks of a text that count. */
export function blocksOf(text: string): Block[] {
  return new BlockParser().push(text).filter(counts);
}

function sessionsGiven(exchanges: ReadonlyMap<number, ExchangePlan>): Map<number, number> {
  const given = new Map<number, number>();
  for (const { number, response, responsePieces, isStream } of exchanges.values()) {
    const field = fieldOf(response?.fields ?? [], "mcp-session-id") ?? "";
    const first = isStream ? blocksOf(templateText(responsePieces))[0] : undefined;
    const endpoint = first?.event === "endpoint" ? first.data ?? "" : "";
    for (const [, index] of `${field} ${endpoint}`.matchAll(/\{\{session:(\d+)\}\}/g)) {
      if (!given.has(Number(index))) given.set(Number(index), number);
    }
  }
  return given;
}

function eventsGiven(exchanges: ReadonlyMap<number, ExchangePlan>): Map<number, EventPlace[]> {
  const given = new Map<number, EventPlace[]>();
  for (const { number, responsePieces, isStream } of exchanges.values()) {
    if (!isStream) continue;
    blocksOf(templateText(responsePieces)).forEach(({ id }, position) => {
      const index = /^\{\{event:(\d+)\}\}$/.exec(id ?? "")?.[1];
      if (index === undefined) return;
      const places = given.get(Number(index)) ?? [];
      given.set(Number(index), [...places, { exchange: number, position }]);
    });
  }
  return given;
}
