/**
 * Clients that leave, and servers that tell when their client is gone.
 *
 * Where a stream has to be open before its client leaves, the head is waited for, but not for long:
 * a proxy that holds it back is found by `streaming`.
 *
 * @module
 */

import type { MockScript, Reply } from "../mock/mod.ts";
import type { Call, Context } from "../suite/mod.ts";
import type { WireClient } from "../wire/mod.ts";
import { echoResult, progress, soon } from "./upstreams.ts";

/** Plays a server that begins an answer, and tells when it has, and when its client is gone. */
export class Watched {
  readonly #begun = Promise.withResolvers<Reply>();
  readonly #answer: (reply: Reply) => Promise<void> | void;

  constructor(answer: (reply: Reply) => Promise<void> | void = () => {}) {
    this.#answer = answer;
  }

  /** Does what the server does, then waits for the client to go. */
  readonly script: MockScript = async (_, reply) => {
    await this.#answer(reply);
    this.#begun.resolve(reply);
    await reply.gone;
  };

  /** Resolves once the server has done what it does. */
  get begun(): Promise<Reply> {
    return this.#begun.promise;
  }
}

/** Plays a server of which one client leaves its call and another stays: its call is answered once that is allowed. */
export function leftAndStayed() {
  const { promise, resolve: answer } = Promise.withResolvers<void>();
  const left = new Watched(beginStream);
  const stayed: MockScript = async (request, reply) => {
    await promise;
    await reply.json(echoResult(request));
  };
  return { left, scripts: { left: left.script, stayed }, answer };
}

/** Begins a stream with one event and leaves it open. */
export async function beginStream(reply: Reply): Promise<void> {
  await reply.stream();
  await reply.event({ data: progress(1) });
}

/** Sends a call, and waits for its answer to begin for as long as a good proxy may need. */
export async function callAndHead(context: Context, call: Call): Promise<WireClient> {
  const client = await context.connect();
  await client.write(context.bytes(call));
  await soon(client.response());
  return client;
}
