/**
 * One end of a TCP connection, read and written piece by piece. It stands on node:net, because a
 * reset must pass as a reset and half a close as half a close.
 *
 * @module
 */

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Where something listens. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
}

/** Pieces that wait for a reader before the other side is held back. */
const MAX_WAITING_PIECES = 2;

/** One end of a connection. */
export class TcpEnd {
  readonly #socket: Socket;
  readonly #waiting: Uint8Array[] = [];
  #ended = false;
  #broken = false;
  #wake: (() => void) | undefined;
  /** Resolves once both directions are over. */
  readonly gone: Promise<void>;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.gone = new Promise((resolve) => socket.on("close", () => resolve()));
    socket.setNoDelay(true);
    // Each write that waits listens, and damage may write without waiting.
    socket.setMaxListeners(0);
    socket.on("data", (piece: Uint8Array) => {
      this.#waiting.push(piece);
      if (this.#waiting.length >= MAX_WAITING_PIECES) socket.pause();
      this.#note();
    });
    socket.on("end", () => this.#over(false));
    socket.on("error", () => this.#over(true));
    socket.on("close", () => this.#over(!this.#ended));
  }

  /** Connects. */
  static async to({ hostname, port }: Address): Promise<TcpEnd> {
    const socket = connect({ host: hostname, port, allowHalfOpen: true });
    const end = new TcpEnd(socket);
    await once(socket, "connect");
    return end;
  }

  /** Whether the other side ended it with a reset. */
  get broken(): boolean {
    return this.#broken;
  }

  /** The next piece; null once the other side has ended or reset the connection. */
  async read(): Promise<Uint8Array | null> {
    while (this.#waiting.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const piece = this.#waiting.shift() ?? null;
    if (this.#waiting.length < MAX_WAITING_PIECES) this.#socket.resume();
    return piece;
  }

  /** Writes, and waits for as long as the other side takes nothing more. */
  async write(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket;
    if (bytes.length === 0 || socket.destroyed || socket.writableEnded) return;
    if (socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const go = () => {
        socket.off("drain", go);
        socket.off("close", go);
        resolve();
      };
      socket.on("drain", go);
      socket.on("close", go);
    });
  }

  /** Says that nothing more will be written. */
  end(): void {
    if (!this.#socket.destroyed) this.#socket.end();
  }

  /** Resets the connection. */
  reset(): void {
    if (!this.#socket.destroyed) this.#socket.resetAndDestroy();
  }

  /** Closes the connection. */
  close(): void {
    this.#socket.destroy();
  }

  #over(broken: boolean): void {
    if (!this.#ended) this.#broken = broken;
    else if (broken) this.#broken = true;
    this.#ended = true;
    this.#note();
  }

  #note(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** Passes on everything from one end to the other, and how it ends. */
export async function pipe(from: TcpEnd, to: TcpEnd): Promise<void> {
  for (let piece = await from.read(); piece !== null; piece = await from.read()) {
    await to.write(piece);
  }
  passEnd(from, to);
}

/** Ends one end as the other was ended. */
export function passEnd(from: TcpEnd, to: TcpEnd): void {
  if (from.broken) to.reset();
  else to.end();
}

/** Passes on everything both ways until both ends are done. */
export async function join(one: TcpEnd, other: TcpEnd): Promise<void> {
  await Promise.all([pipe(one, other), pipe(other, one)]);
}

/** A listener that hands out the connections it accepts. */
export class TcpListener implements AsyncDisposable {
  readonly #server: Server;
  readonly #ends = new Set<TcpEnd>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on a free port of 127.0.0.1. */
  static async listen(serve: (end: TcpEnd) => Promise<void>): Promise<TcpListener> {
    const server = createServer({ allowHalfOpen: true });
    const listener = new TcpListener(server);
    server.on("connection", (socket: Socket) => {
      const end = new TcpEnd(socket);
      listener.#ends.add(end);
      socket.on("close", () => listener.#ends.delete(end));
      // Where there is nothing to connect it to.
      serve(end).catch(() => end.reset());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return listener;
  }

  /** Where it listens. */
  get address(): Address {
    const { port } = this.#server.address() as { port: number };
    return { hostname: "127.0.0.1", port };
  }

  /** Closes the connections that it has accepted. */
  dropAll(): void {
    for (const end of this.#ends) end.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.dropAll();
    await closed;
  }
}
