/**
 * A connection to Redis or Valkey: commands, and messages between the instances of the proxy.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { RedisClientType } from "@redis/client";
import { type Clock, systemClock, type Timer } from "../clock.ts";
import { Deadlines } from "../deadlines.ts";
import { type ErrorMaker, errorMaker, RedisError } from "./error.ts";
import { Link } from "./link.ts";

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
  /** `redis://`, `rediss://` or `unix://`, with user, password and database where there are any. */
  readonly url: string;
  /** What all keys and channels of the proxy begin with. */
  readonly prefix: string;
  /** Longest wait for the connection and for each answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Told, with a sentence without secrets, of what goes wrong with the connection; once for each reason. */
  readonly onTrouble: (error: RedisError) => void;
}

/** Commands that may be without their answer at one time; more are refused at once. */
export const MAX_PENDING_COMMANDS = 10_000;

/** How often the connection for channels is asked whether it is still there, in milliseconds. */
const HEARTBEAT_MS = 10_000;

/**
 * A connection, made again whenever it breaks; commands given meanwhile are refused at once. An answer that
 * does not come in time is taken for a broken connection, so no command may be one that waits (BLPOP).
 */
export interface RedisConnection {
  /** What all keys and channels begin with; whoever names one puts it in front. */
  readonly prefix: string;
  /**
   * Sends one command. Where it fails without an answer of Redis it may have been carried out.
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
   * Has `listener` called with each message of a channel, until the result is called; the subscription is
   * made again whenever the connection is.
   *
   * @throws {RedisError}
   */
  subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>>;
  /**
   * Has `listener` called when the connection for channels is there again, with all its subscriptions:
   * messages may have been missed.
   */
  onReconnect(listener: () => void): void;
  /** Closes it; harmless more than once. What is under way fails. */
  close(): Promise<void>;
}

/**
 * Connects.
 *
 * @throws {RedisError} where the URL is none, or Redis cannot be reached in time or refuses
 */
export async function connectRedis(
  options: RedisOptions,
  clock: Clock = systemClock,
): Promise<RedisConnection> {
  const toError = errorMaker(options.url);
  // Loaded only where it is used: it is larger than the proxy.
  const { createClient, RESP_TYPES } = await import("@redis/client");
  const make = () =>
    createClient({
      url: options.url,
      disableOfflineQueue: true,
      maintNotifications: "disabled",
      // Deadlines are set here: the library's end when a command is written.
      commandOptions: { timeout: 0 },
      socket: { connectTimeout: options.timeoutMs, reconnectStrategy: false },
    }) as unknown as RedisClientType;
  const asBytes = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };
  const connection = new Connection(options, clock, toError, make, asBytes);
  try {
    await connection.open();
  } catch (error) {
    await connection.close();
    throw toError("Redis cannot be reached", error);
  }
  return connection;
}

type CommandOptions = NonNullable<Parameters<RedisClientType["sendCommand"]>[1]>;

interface Subscription {
  readonly channel: string;
  readonly listener: (message: string) => void;
}

class Connection implements RedisConnection {
  readonly prefix: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #toError: ErrorMaker;
  readonly #onTrouble: (error: RedisError) => void;
  readonly #asBytes: CommandOptions;
  readonly #commands: Link;
  readonly #channels: Link;
  readonly #deadlines: Deadlines;
  readonly #subscriptions = new Set<Subscription>();
  readonly #listeners: (() => void)[] = [];
  #heartbeat: Timer | undefined;
  #pending = 0;
  #closed = false;

  constructor(
    options: RedisOptions,
    clock: Clock,
    toError: ErrorMaker,
    make: () => RedisClientType,
    asBytes: CommandOptions,
  ) {
    this.prefix = options.prefix;
    this.#timeoutMs = options.timeoutMs;
    this.#clock = clock;
    this.#toError = toError;
    this.#onTrouble = options.onTrouble;
    this.#asBytes = asBytes;
    this.#deadlines = new Deadlines(clock, options.timeoutMs);
    const link = (
      prepare: (client: RedisClientType) => Promise<void>,
      onAgain: () => void,
    ): Link => {
      const trouble = new Trouble(toError, options.onTrouble);
      return new Link({
        clock,
        timeoutMs: options.timeoutMs,
        make,
        prepare,
        onAgain: () => {
          trouble.over();
          onAgain();
        },
        onTrouble: (error) => trouble.tell(error),
      });
    };
    this.#commands = link(() => Promise.resolve(), () => {});
    this.#channels = link(
      (client) => this.#subscribeAgain(client),
      () => this.#listeners.forEach((listener) => listener()),
    );
  }

  async open(): Promise<void> {
    await Promise.all([this.#commands.connect(), this.#channels.connect()]);
    this.#beat();
  }

  command(...args: readonly (string | Uint8Array)[]): Promise<RedisReply> {
    return this.#send(args, undefined);
  }

  bytesCommand(...args: readonly (string | Uint8Array)[]): Promise<RedisReply> {
    return this.#send(args, this.#asBytes);
  }

  async subscribe(
    channel: string,
    listener: (message: string) => void,
  ): Promise<() => Promise<void>> {
    const subscription: Subscription = {
      channel,
      // What a listener throws would reach the library's reader, which would lose its place in the stream.
      listener: (message) => {
        if (!this.#subscriptions.has(subscription)) return;
        try {
          listener(message);
        } catch (error) {
          this.#onTrouble(this.#toError("A message between instances could not be used", error));
        }
      },
    };
    this.#subscriptions.add(subscription);
    try {
      await this.#ask(this.#channels, (client) => client.subscribe(channel, subscription.listener));
    } catch (error) {
      this.#subscriptions.delete(subscription);
      throw error;
    }
    return async () => {
      if (!this.#subscriptions.delete(subscription)) return;
      // Where this fails the connection breaks, and the next one is without the subscription.
      await this.#ask(
        this.#channels,
        (client) => client.unsubscribe(channel, subscription.listener),
      ).catch(() => {});
    };
  }

  onReconnect(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#heartbeat?.cancel();
    this.#deadlines.close();
    await Promise.all([this.#commands.close(), this.#channels.close()]);
  }

  async #send(
    args: readonly (string | Uint8Array)[],
    options: CommandOptions | undefined,
  ): Promise<RedisReply> {
    const given = args.map((arg) =>
      typeof arg === "string" ? arg : Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength)
    );
    return await this.#ask(
      this.#commands,
      (client) => client.sendCommand<RedisReply>(given, options),
    );
  }

  /** Asks Redis, in time. */
  async #ask<T>(link: Link, act: (client: RedisClientType) => Promise<T>): Promise<T> {
    const { client } = link;
    if (client === undefined) {
      const isClosed = this.#closed ? "is closed" : "is lost, and being made again";
      throw new RedisError(`The connection to Redis ${isClosed}.`);
    }
    if (this.#pending >= MAX_PENDING_COMMANDS) {
      throw new RedisError(`Redis is behind: ${this.#pending} commands wait for their answers.`);
    }
    this.#pending++;
    let late: Error | undefined;
    const deadline = this.#deadlines.start(() => {
      late = new Error(`no answer within ${this.#timeoutMs} ms`);
      link.drop(client, late);
    });
    try {
      return await act(client);
    } catch (error) {
      throw this.#toError("Redis failed", late ?? error);
    } finally {
      deadline.cancel();
      this.#pending--;
    }
  }

  async #subscribeAgain(client: RedisClientType): Promise<void> {
    for (const { channel, listener } of this.#subscriptions) {
      await client.subscribe(channel, listener);
    }
  }

  /** A connection on which messages only come does not notice by itself that nothing can come any more. */
  #beat(): void {
    this.#heartbeat = this.#clock.after(HEARTBEAT_MS, () => {
      this.#ask(this.#channels, (client) => client.sendCommand(["PING"])).catch(() => {});
      this.#beat();
    });
  }
}

/** Tells of trouble once, and again when its reason changes or it comes back. */
class Trouble {
  readonly #toError: ErrorMaker;
  readonly #onTrouble: (error: RedisError) => void;
  #told: string | undefined;

  constructor(toError: ErrorMaker, onTrouble: (error: RedisError) => void) {
    this.#toError = toError;
    this.#onTrouble = onTrouble;
  }

  tell(reason: unknown): void {
    const error = this.#toError("Redis cannot be reached", reason);
    if (error.message === this.#told) return;
    this.#told = error.message;
    this.#onTrouble(error);
  }

  over(): void {
    this.#told = undefined;
  }
}
