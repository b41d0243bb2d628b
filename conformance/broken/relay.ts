/**
 * One side of a broken proxy: it listens, connects each connection to one address, and does the
 * damage it is told to do.
 *
 * @module
 */

import type { Damage } from "./damage.ts";
import { Link } from "./link.ts";
import { type Address, TcpEnd, TcpListener } from "./tcp.ts";

/** What a relay stands between. */
export interface RelayOptions {
  /** Where each connection goes on to. */
  readonly to: Address;
  /** The server behind everything. */
  readonly past: Address;
}

/** A relay that listens. */
export class Relay implements AsyncDisposable {
  readonly #options: RelayOptions;
  readonly #onward = new Set<TcpEnd>();
  #listener: TcpListener | undefined;
  #damage: Damage = {};
  /** What went wrong in doing damage: nothing should. */
  readonly problems: string[] = [];

  private constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Listens on a free port of 127.0.0.1. */
  static async listen(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options);
    relay.#listener = await TcpListener.listen((client) => relay.#serve(client));
    return relay;
  }

  /** Where it listens. */
  get address(): Address {
    return this.#listener!.address;
  }

  /** Does this damage from now on; connections made before are closed. */
  use(damage: Damage): void {
    this.#damage = damage;
    this.#listener!.dropAll();
    for (const end of this.#onward) end.close();
    this.#onward.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.use({});
    await this.#listener?.[Symbol.asyncDispose]();
  }

  async #serve(client: TcpEnd): Promise<void> {
    const connect = () => this.#connect(this.#options.to);
    const connectPast = () => this.#connect(this.#options.past);
    const server = await connect();
    try {
      await new Link(server, this.#damage, { client, connect, connectPast }).run();
    } catch (error) {
      this.problems.push(error instanceof Error ? `${error.stack}` : String(error));
      server.close();
      client.close();
    }
  }

  async #connect(address: Address): Promise<TcpEnd> {
    const end = await TcpEnd.to(address);
    this.#onward.add(end);
    void end.gone.then(() => this.#onward.delete(end));
    return end;
  }
}
