/**
 * A client of the official SDK.
 *
 * @module
 */

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { Call } from "../book.ts";
import { CallFailure, type Connection, type Field, PATIENCE_MS } from "./field.ts";
import { argumentsOf } from "./messages.ts";

/** It comes back for streams as often as it takes. */
const RECONNECTION = {
  initialReconnectionDelay: 100,
  maxReconnectionDelay: 500,
  reconnectionDelayGrowFactor: 1.5,
  maxRetries: 100,
};

/** One client. */
export class SdkClient implements Connection {
  readonly listens: boolean;
  readonly asksOnce = true;
  #client: Client | undefined;
  heard = 0;

  /** @param isModern whether it speaks 2026-07-28 */
  constructor(
    readonly name: string,
    readonly path: string,
    readonly isModern: boolean,
    readonly field: Field,
  ) {
    this.listens = !isModern;
  }

  async open({ token }: Call): Promise<void> {
    await this.#client?.close();
    const url = new URL(this.path, this.field.origin);
    const transport = new StreamableHTTPClientTransport(url, { reconnectionOptions: RECONNECTION });
    const mode = this.isModern ? { pin: "2026-07-28" } as const : "legacy" as const;
    const client = this.#client = new Client({ name: token, version: "1" }, {
      versionNegotiation: { mode },
    });
    client.fallbackNotificationHandler = (notification) => {
      this.#told(notification);
      return Promise.resolve();
    };
    try {
      await client.connect(transport);
    } catch (error) {
      throw new CallFailure(`connect: ${(error as Error).message}`, true);
    }
  }

  async make(call: Call): Promise<void> {
    const client = this.#client!;
    try {
      const tool = { name: call.kind, arguments: argumentsOf(call) };
      const { content } = await client.callTool(tool, {
        timeout: PATIENCE_MS,
        ...(call.kind === "steps" && {
          onprogress: ({ progress }: { progress: number }) => void call.progress.push(progress),
        }),
      });
      const text = content?.[0]?.type === "text" ? content[0].text : undefined;
      if (text !== call.token) throw new CallFailure(`another answer: ${JSON.stringify(content)}`);
    } catch (error) {
      if (error instanceof CallFailure) throw error;
      const { message, code } = error as Error & { code?: unknown };
      throw new CallFailure(`${message} (${code})`, /session|404/i.test(message));
    }
  }

  async close(): Promise<void> {
    await this.#client?.close().catch(() => {});
  }

  #told(notification: { readonly method: string; readonly params?: unknown }): void {
    if (notification.method !== "notifications/message") return;
    const { data } = notification.params as { data: { epoch: string; n: number } };
    this.heard++;
    this.field.book.tick(this.name, data.epoch, data.n);
  }
}
