/**
 * A TCP relay in front of a target. It hands bytes on as they are, late if told so, notes which calls passed,
 * resets its connections and refuses new ones.
 *
 * @module
 */

import net from "node:net";
import { type Delivery, MAX_TOKEN_CHARS, tokensIn } from "./book.ts";

const HOST = "127.0.0.1";

/** Below the ports that systems hand out, so that nobody gets this one while the relay refuses. */
const PORTS = { from: 20_000, to: 32_000, attempts: 50 };

/** Bytes that one direction of a connection holds back before it reads no more. */
const MAX_HELD_BYTES = 1024 * 1024;

/** What a relay is made with. */
export interface RelayOptions {
  /** The target's name. */
  readonly name: string;
  /** The target's port. */
  readonly port: number;
  /** Numbers from 0 to below 1. */
  readonly random: () => number;
  /** Told of each call on its way to the target. */
  readonly delivered: (token: string, delivery: Delivery) => void;
}

/** The relay of one target. */
export class Relay {
  readonly #options: RelayOptions;
  readonly #pairs = new Set<Pair>();
  #server: net.Server | undefined;
  #port = 0;
  #connections = 0;
  /** How long the next bytes are held back, in milliseconds. */
  delayMs: () => number = () => 0;

  private constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Starts one on a free port. */
  static async open(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options);
    for (let attempt = 1;; attempt++) {
      relay.#port = PORTS.from + Math.floor(options.random() * (PORTS.to - PORTS.from));
      try {
        await relay.accept();
        return relay;
      } catch (error) {
        if (attempt === PORTS.attempts) throw error;
      }
    }
  }

  /** Where it listens. */
  get port(): number {
    return this.#port;
  }

  /** How many connections were made so far. */
  get connections(): number {
    return this.#connections;
  }

  /** Takes connections from now on. */
  async accept(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = net.createServer({ allowHalfOpen: true }, (client) => this.#relay(client));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, HOST, resolve);
    });
    this.#server = server;
  }

  /** Refuses connections from now on; those that are there stay. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** Resets all connections, on both sides. */
  reset(): void {
    for (const pair of [...this.#pairs]) pair.reset();
  }

  /** Ends it. */
  close(): void {
    this.refuse();
    this.reset();
  }

  #relay(client: net.Socket): void {
    const connection = ++this.#connections;
    const { name, port, delivered } = this.#options;
    const server = net.connect({ port, host: HOST, allowHalfOpen: true });
    let tail = "";
    const look = (bytes: Uint8Array) => {
      const text = tail + binary(bytes);
      const tokens = tokensIn(text);
      for (const token of tokens) {
        delivered(token, { target: name, atMs: performance.now(), connection });
      }
      const last = tokens.at(-1);
      const from = last === undefined ? 0 : text.lastIndexOf(last) + last.length;
      tail = text.slice(Math.max(from, text.length - MAX_TOKEN_CHARS));
    };
    const pair = new Pair(client, server, () => this.#pairs.delete(pair));
    this.#pairs.add(pair);
    pair.pass(client, server, () => this.delayMs(), look);
    pair.pass(server, client, () => this.delayMs(), () => {});
  }
}

function binary(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8_192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  }
  return text;
}

/** Two connections that belong together. */
class Pair {
  readonly #sockets: readonly [net.Socket, net.Socket];
  readonly #lines: Line[] = [];
  readonly #over: () => void;
  #isOver = false;

  constructor(client: net.Socket, server: net.Socket, over: () => void) {
    this.#sockets = [client, server];
    this.#over = over;
    for (const socket of this.#sockets) {
      socket.setNoDelay(true);
      socket.on("error", () => this.reset());
      socket.on("close", () => {
        if (this.#sockets.every(({ destroyed }) => destroyed)) this.#end();
      });
    }
  }

  /** Hands on what one side says. */
  pass(
    from: net.Socket,
    to: net.Socket,
    delayMs: () => number,
    look: (bytes: Uint8Array) => void,
  ): void {
    const line = new Line(delayMs);
    this.#lines.push(line);
    const takeMore = () => {
      if (line.heldBytes <= MAX_HELD_BYTES && !to.writableNeedDrain) from.resume();
    };
    to.on("drain", takeMore);
    from.on("data", (data: Uint8Array) => {
      look(data);
      line.push(data.length, () => {
        if (!to.destroyed) to.write(data);
        takeMore();
      });
      if (line.heldBytes > MAX_HELD_BYTES || to.writableNeedDrain) from.pause();
    });
    from.on("end", () => line.push(0, () => void to.end()));
  }

  /** Resets both. */
  reset(): void {
    if (this.#isOver) return;
    this.#end();
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #end(): void {
    this.#isOver = true;
    for (const line of this.#lines) line.clear();
    this.#over();
  }
}

interface Held {
  readonly bytes: number;
  readonly dueMs: number;
  readonly act: () => void;
}

/** What is held back of one direction: what is late holds back what comes behind it. */
class Line {
  readonly #held: Held[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What is held back now. */
  heldBytes = 0;

  constructor(readonly delayMs: () => number) {}

  /** Does something after the delay and behind all before it; at once where nothing is late. */
  push(bytes: number, act: () => void): void {
    const delayMs = this.delayMs();
    if (delayMs === 0 && this.#held.length === 0) return act();
    this.#held.push({ bytes, dueMs: performance.now() + delayMs, act });
    this.heldBytes += bytes;
    this.#wait();
  }

  /** Forgets all of it. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#held.length = 0;
  }

  #wait(): void {
    const first = this.#held[0];
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#held.shift();
      this.heldBytes -= first.bytes;
      first.act();
      this.#wait();
    }, Math.max(0, first.dueMs - performance.now()));
  }
}
