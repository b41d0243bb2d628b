/**
 * A client of the session era that tests about lost sessions speak through, and what it is told.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { initialize, initialized } from "./messages.ts";
import type { TestProxy } from "./proxy.ts";
import { exchange, postText, type RawResponse } from "./raw_client.ts";

const REVISION = { "mcp-protocol-version": "2025-11-25" };

/** One client, in a session once `open` was called. */
export class SessionCaller {
  readonly #origin: string;
  /** All answers. */
  readonly seen: RawResponse[] = [];
  /** The id of its session. */
  id = "";

  constructor({ origin }: TestProxy) {
    this.#origin = origin;
  }

  async open(body = initialize()): Promise<this> {
    const { status, headers } = await this.#keep(postText(this.#origin, body));
    assertEquals(status, 200);
    this.id = headers.get("mcp-session-id")!;
    return this;
  }

  /** Opens a session and says that it is ready. */
  async ready(): Promise<this> {
    await this.open();
    assertEquals((await this.post(initialized)).status, 202);
    return this;
  }

  post(body: string, fields: Record<string, string> = {}): Promise<RawResponse> {
    const all = { ...REVISION, "mcp-session-id": this.id, ...fields };
    return this.#keep(postText(this.#origin, body, all));
  }

  ask(method: string, params: Record<string, unknown> = {}, id: unknown = 7): Promise<RawResponse> {
    return this.post(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  }

  end(): Promise<RawResponse> {
    const head = `DELETE /mcp HTTP/1.1\r\nhost: localhost\r\nmcp-session-id: ${this.id}\r\n\r\n`;
    return this.#keep(exchange(this.#origin, head));
  }

  async #keep(response: Promise<RawResponse>): Promise<RawResponse> {
    const got = await response;
    this.seen.push(got);
    return got;
  }
}

/** Asserts that a request with this id was answered with: start over. */
export function assertGone({ status, text }: RawResponse, id: unknown = 7): void {
  const { error, id: told } = JSON.parse(text);
  assertEquals([status, error.code, told], [404, -31404, id ?? undefined]);
}

/** A JSON-RPC error that answers request 7. */
export function rpcError(code: number, message: string): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 7, error: { code, message } });
}
