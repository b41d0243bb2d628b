/**
 * A broken proxy: a sound one between two relays, either of which may do damage.
 *
 * @module
 */

import { MockUpstream } from "../mock/mod.ts";
import { type OwnProxy, type OwnSettings, startOwnProxy } from "../own_proxy.ts";
import type { Target } from "../suite/mod.ts";
import type { Sides } from "./damage.ts";
import { Relay } from "./relay.ts";

/** Time for a sound proxy to see that its connections were closed, in ms. */
const SETTLE_MS = 30;

/** A sound proxy with a relay on either side, and a mock behind them. */
export class Sandwich implements AsyncDisposable {
  /** What stands behind the proxy; its address is that of the relay before it. */
  readonly mock: MockUpstream;
  /** Where clients reach the proxy. */
  readonly target: Target;
  readonly #parts: AsyncDisposableStack;
  readonly #front: Relay;
  readonly #back: Relay;

  private constructor(
    parts: AsyncDisposableStack,
    { mock, proxy, front, back }: Parts,
  ) {
    this.#parts = parts;
    this.#front = front;
    this.#back = back;
    const { port } = back.address;
    // What a check compares with the mock's address is what the proxy was told.
    this.mock = new Proxy(mock, {
      get(mock, key) {
        if (key === "host") return `127.0.0.1:${port}`;
        if (key === "port") return port;
        const value: unknown = Reflect.get(mock, key, mock);
        return typeof value === "function" ? value.bind(mock) : value;
      },
    });
    this.target = {
      url: through(proxy.target.url, front),
      sseUrl: through(proxy.target.sseUrl, front),
      hastyUrl: through(proxy.target.hastyUrl, front),
    };
  }

  /** Starts a sound proxy, set up like this, and everything around it. */
  static async start(settings: OwnSettings): Promise<Sandwich> {
    await using parts = new AsyncDisposableStack();
    const mock = parts.use(await MockUpstream.listen());
    const past = { hostname: "127.0.0.1", port: mock.port };
    const back = parts.use(await Relay.listen({ to: past, past }));
    const upstream = `http://127.0.0.1:${back.address.port}/mcp`;
    const proxy = parts.use(await startOwnProxy(upstream, settings));
    const to = { hostname: "127.0.0.1", port: Number(proxy.target.url.port) };
    const front = parts.use(await Relay.listen({ to, past }));
    return new Sandwich(parts.move(), { mock, proxy, front, back });
  }

  /** Does this damage from now on, and none that was done before. */
  async use({ front = {}, back = {} }: Sides): Promise<void> {
    this.#front.use(front);
    this.#back.use(back);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  }

  /** What went wrong in doing damage since this was last asked: nothing should. */
  takeProblems(): readonly string[] {
    return [...this.#front.problems.splice(0), ...this.#back.problems.splice(0)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

interface Parts {
  readonly mock: MockUpstream;
  readonly proxy: OwnProxy;
  readonly front: Relay;
  readonly back: Relay;
}

function through(url: URL, relay: Relay): URL {
  const changed = new URL(url);
  changed.port = String(relay.address.port);
  return changed;
}
