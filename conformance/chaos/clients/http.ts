/**
 * HTTP as the raw clients of the chaos test speak it: one connection for calls, and streams of their own.
 *
 * @module
 */

import { EventReader, requestBytes, WireClient, type WireResponse } from "../../wire/mod.ts";
import type { Book, Call } from "../book.ts";
import { CallFailure, PATIENCE_MS } from "./field.ts";
import { type Message, take } from "./messages.ts";

/** Header fields. */
export type HeaderFields = Readonly<Record<string, string>>;

/** A request. */
export interface Asked {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly fields: HeaderFields;
  readonly body?: string;
}

/** What every POST of MCP says it is. */
export const POST_FIELDS = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};

/** A connection that is kept for the next request. */
export class Wire {
  readonly #origin: string;
  #client: WireClient | undefined;
  #late = false;

  /** @param origin of the proxy */
  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Sends a request and gives the head of its answer to `read`, all within `deadlineMs`. */
  async exchange<T>(
    asked: Asked,
    read: (response: WireResponse) => Promise<T>,
    deadlineMs = PATIENCE_MS,
  ): Promise<T> {
    this.#late = false;
    const timer = setTimeout(() => {
      this.#late = true;
      this.close();
    }, deadlineMs);
    try {
      const response = await this.begin(asked);
      const result = await read(response);
      if (!response.body.complete || response.field("connection") === "close") this.close();
      return result;
    } catch (error) {
      this.close();
      if (this.#late) throw new CallFailure(`silence for ${deadlineMs} ms`);
      if (error instanceof CallFailure) throw error;
      throw new CallFailure(`the connection failed: ${(error as Error).message}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends a request; the answer's body may be read for ever. */
  async begin({ method, path, fields, body }: Asked): Promise<WireResponse> {
    const url = new URL(path, this.#origin);
    this.#client ??= await WireClient.connect(url);
    const client = this.#client;
    await client.write(requestBytes({
      url,
      method,
      fields: Object.entries(fields),
      ...(body !== undefined && { body }),
    }));
    return await client.response(method);
  }

  /** Closes the connection; the next request makes a new one. */
  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}

/** What an error answer says, short enough for a line. */
export async function refusal(response: WireResponse): Promise<string> {
  const text = await response.body.text();
  return `status ${response.status}: ${text.slice(0, 200)}`;
}

/** Reads messages from a stream; `onId` is told of each event id. */
export async function* messages(
  response: WireResponse,
  onId: (id: string, retry: string | null) => void,
): AsyncGenerator<Message> {
  const reader = new EventReader(response.body);
  for (let block = await reader.next(); block !== null; block = await reader.next()) {
    if (block.id !== null) onId(block.id, block.retry);
    if (block.data) yield JSON.parse(block.data);
  }
}

/** How long a client waits for the end of a stream behind the answer, in milliseconds. */
const END_MS = 2_000;

/**
 * Reads the answer to a call from its stream, to the end of the stream.
 *
 * @returns whether the answer was there
 */
export async function readStream(
  call: Call,
  id: number,
  { response, book, onId = () => {} }: {
    readonly response: WireResponse;
    readonly book: Book;
    readonly onId?: (id: string) => void;
  },
  close: () => void,
): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    for await (const message of messages(response, onId)) {
      if (timer !== undefined) {
        throw new CallFailure(`behind its answer: ${JSON.stringify(message)}`);
      }
      if (!take(call, id, message)) continue;
      book.answered(call);
      timer = setTimeout(close, END_MS);
    }
    if (timer !== undefined) book.streamEnded(call);
    return timer !== undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a response is a stream. */
export function isStream(response: WireResponse): boolean {
  return response.field("content-type")?.startsWith("text/event-stream") ?? false;
}
