/**
 * A connection to Redis or Valkey: commands, and messages between the instances of the proxy.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { RedisClientType } from "@redis/client";

/** What a command answers, with strings as text, or as bytes where asked for. */
export type RedisReply =
  | string
  | number
  | null
  | boolean
  | Uint8Array
  | readonly RedisReply[];

/** Where Redis is, and what of it is the proxy's. */
export interface RedisOptions {
  /** `redis://` or `rediss://`, with user, password and database where there are any. */
  readonly url: string;
  /** What all keys and channels of the proxy begin with. */
  readonly prefix: string;
  /** Longest wait for the connection and for each command, in milliseconds. */
  readonly timeoutMs: number;
  /** Told, with a sentence, of what goes wrong with the connection. */
  readonly onTrouble: (error: unknown) => void;
}

/** Redis could not be reached or refused a command. */
export class RedisError extends Error {
  /** For the reason in `message`, because of `cause`. */
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "RedisError";
  }
}

/** Commands that may wait for the connection to take them; more are refused at once. */
const MAX_WAITING_COMMANDS = 10_000;

/** Longest wait before connecting again. */
const MAX_RECONNECT_MS = 1_000;

/** A connection, made again whenever it breaks; commands given meanwhile are refused at once. */
export interface RedisConnection {
  /** What all keys and channels begin with; whoever names one puts it in front. */
  readonly prefix: string;
  /**
   * Sends one command.
   *
   * @throws {RedisError}
   */
  command(...args: readonly (string | Uint8Array)[]): Promise<RedisReply>;
  /**
   * The same with bulk strings of the answer as bytes.
   *
   * @throws {RedisError}
   */
  bytesCommand(...args: readonly (string | Uint8Array)[]): Promise<RedisReply>;
  /**
   * Has `listener` called with each message of a channel, until the result is called.
   *
   * @throws {RedisError}
   */
  subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>>;
  /** Has `listener` called when the connection for channels is there again: messages may have been missed. */
  onReconnect(listener: () => void): void;
  /** Closes it; harmless more than once. */
  close(): Promise<void>;
}

/**
 * Connects.
 *
 * @throws {RedisError} where Redis cannot be reached in time or refuses
 */
export async function connectRedis(options: RedisOptions): Promise<RedisConnection> {
  // Loaded only where it is used: it is larger than the proxy.
  const { createClient, RESP_TYPES } = await import("@redis/client");
  const asBytes = { [RESP_TYPES.BLOB_STRING]: Buffer };
  const state = { connected: false };
  const make = () => {
    const client = createClient({
      url: options.url,
      disableOfflineQueue: true,
      commandsQueueMaxLength: MAX_WAITING_COMMANDS,
      commandOptions: { timeout: options.timeoutMs },
      socket: {
        connectTimeout: options.timeoutMs,
        // One that was never there is an error at once.
        reconnectStrategy: (attempts) =>
          state.connected && Math.min(50 * 2 ** Math.min(attempts, 10), MAX_RECONNECT_MS),
      },
    }) as unknown as RedisClientType;
    client.on("error", options.onTrouble);
    return client;
  };
  const commands = make();
  const channels = make();
  const listeners: (() => void)[] = [];
  await connectAll([commands, channels], options);
  state.connected = true;
  channels.on("ready", () => listeners.forEach((listener) => listener()));
  const send = (args: readonly (string | Uint8Array)[], bytes: boolean) =>
    guarded(() =>
      commands.sendCommand(
        args.map((arg) =>
          typeof arg === "string" ? arg : Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength)
        ),
        bytes ? { typeMapping: asBytes } : undefined,
      )
    ) as Promise<RedisReply>;
  let closed = false;
  return {
    prefix: options.prefix,
    command: (...args) => send(args, false),
    bytesCommand: (...args) => send(args, true),
    async subscribe(channel, listener) {
      await guarded(() => channels.subscribe(channel, listener));
      return async () => {
        if (!closed) await guarded(() => channels.unsubscribe(channel, listener)).catch(() => {});
      };
    },
    onReconnect: (listener) => void listeners.push(listener),
    close() {
      if (closed) return Promise.resolve();
      closed = true;
      commands.destroy();
      channels.destroy();
      return Promise.resolve();
    },
  };
}

async function connectAll(
  clients: readonly RedisClientType[],
  { timeoutMs }: RedisOptions,
): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  const connecting = Promise.all(clients.map((client) => client.connect()));
  connecting.catch(() => {});
  try {
    await Promise.race([connecting, late]);
  } catch (error) {
    for (const client of clients) client.destroy();
    const reason = error instanceof Error ? error.message : String(error);
    throw new RedisError(`Redis cannot be reached (${reason})`, error);
  } finally {
    clearTimeout(timer);
  }
}

async function guarded<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RedisError(`Redis failed: ${reason}`, error);
  }
}
