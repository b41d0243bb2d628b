/**
 * What stands for the placeholders: on the server's side, and on the client's.
 *
 * The server's session and event ids are made anew for each replay, so that nothing remembered from
 * an earlier one can fit. The client's are what the proxy gives it. All else is the same on both sides
 * and in every replay.
 *
 * @module
 */

import {
  type DataEntry,
  fillPlaceholders,
  HOST,
  LENGTH,
  type PlaceholderKind,
} from "../../fixtures/format/mod.ts";
import { binary } from "../wire/mod.ts";

const encoder = new TextEncoder();

/** Gives a value to a numbered placeholder. */
export type ValueOf = (kind: PlaceholderKind, index: number) => string;

/** Kinds that are the same on both sides, and what they are. */
const CONSTANT: Partial<Record<PlaceholderKind, (index: number) => string>> = {
  uuid: (index) => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`,
  time: (index) => new Date(Date.UTC(2026, 0, 1) + index * 1_000).toISOString(),
  state: (index) => `recorded-state-${index}`,
};

/** The values of one replay. */
export class Values {
  readonly #server = new Map<string, string>();
  readonly #client = new Map<string, string>();

  /** @param serverHost the mock's address, @param clientHost the proxy's */
  constructor(readonly serverHost: string, readonly clientHost: string) {}

  /** The values on the server's side. */
  readonly server: ValueOf = (kind, index) => {
    const key = `${kind}:${index}`;
    const value = CONSTANT[kind]?.(index) ?? this.#server.get(key) ??
      `${kind}-${index}-${crypto.randomUUID()}`;
    this.#server.set(key, value);
    return value;
  };

  /** The values on the client's side; what the server never gave is made up there. */
  readonly client: ValueOf = (kind, index) => {
    const key = `${kind}:${index}`;
    const value = CONSTANT[kind]?.(index) ?? this.#client.get(key) ??
      `unknown-${kind}-${index}-${crypto.randomUUID()}`;
    this.#client.set(key, value);
    return value;
  };

  /** Keeps what the proxy gave the client for a placeholder. */
  learn(kind: PlaceholderKind, index: number, value: string): void {
    this.#client.set(`${kind}:${index}`, value);
  }

  /** A text as the server says it. */
  fillServer(text: string): string {
    return fillPlaceholders(text, this.server).replaceAll(HOST, this.serverHost);
  }

  /** A text as the client says it. */
  fillClient(text: string): string {
    return fillPlaceholders(text, this.client).replaceAll(HOST, this.clientHost);
  }
}

/** A recorded piece as bytes. */
export function pieceBytes(piece: DataEntry, fill: (text: string) => string): Uint8Array {
  return piece.type === "data"
    ? encoder.encode(fill(piece.text))
    : Uint8Array.fromBase64(piece.base64);
}

/** Recorded fields as they are sent: `{{length}}` is the length of what is sent after them. */
export function filledFields(
  fields: readonly (readonly [string, string])[],
  fill: (text: string) => string,
  length: number,
): [string, string][] {
  return fields.map(([name, value]) => [
    name,
    value === LENGTH ? String(length) : fill(value),
  ]);
}

/** What names the same thing on the two sides. */
export interface Alias {
  /** What stands for both. */
  readonly name: string;
  readonly server: string;
  /** Undefined where the client was told none. */
  readonly client: string | undefined;
}

/**
 * Bytes with what the two sides name differently replaced by one name, to be compared: a proxy may
 * translate an id inside a message or leave it.
 */
export function canonical(data: Uint8Array | string, aliases: readonly Alias[]): string {
  let text = typeof data === "string" ? data : binary(data);
  for (const { name, server, client } of aliases) {
    text = text.replaceAll(server, name);
    if (client !== undefined && client !== "") text = text.replaceAll(client, name);
  }
  return text;
}
