/**
 * The stream on which the upstream speaks first, for one client of HTTP+SSE: asked for once, and taken up again
 * for as long as the client is there.
 *
 * Source: 2025-11-25 basic/transports, "Listening for Messages from the Server"; R57, R79, R89.
 *
 * @module
 */

import { toProxyError } from "../errors.ts";
import type { CancelSignal, FieldReader } from "../http/mod.ts";
import type { UpstreamAnswer, UpstreamBody, UpstreamCall } from "../upstream/mod.ts";
import { tellFailure, toldName } from "./failures.ts";
import type { RequestInterceptors } from "./interceptors.ts";
import { missedEvents } from "./missed.ts";
import { Recovery } from "./recovery.ts";
import { fieldOf, followStream } from "./sse_follow.ts";
import type { SseArrival } from "./sse_messages.ts";
import { EventRelay } from "./sse_relay.ts";
import type { SseRouteOptions } from "./sse_route.ts";
import type { SseSession } from "./sse_session.ts";

/**
 * Opens the stream as of a client that has sent `arrival`, its word that it is ready; nothing where that was
 * done before. Never rejects.
 */
export function listen(client: SseSession, arrival: SseArrival): void {
  const signal = client.listenOnce();
  if (signal !== undefined) void new SseListening(client, arrival, signal).run();
}

class SseListening {
  readonly #client: SseSession;
  /** The route as it was when the stream was asked for first. */
  readonly #route: SseRouteOptions;
  readonly #headers: FieldReader;
  readonly #signal: CancelSignal;
  readonly #interceptors: RequestInterceptors | undefined;
  /** How many event ids had come before the upstream session was made anew, which knows nothing of them (R79). */
  #begun: { readonly generation: number; readonly staleIds?: number };
  #isBehindGap = false;
  /** R89: a server that offers no such stream says so once. */
  #hasNone = false;

  constructor(client: SseSession, { headers, message }: SseArrival, signal: CancelSignal) {
    this.#client = client;
    this.#route = client.route;
    this.#headers = headers;
    this.#signal = signal;
    this.#interceptors = client.interceptorsOf({ idText: message.idText });
    this.#begun = client.session.record;
  }

  async run(): Promise<void> {
    try {
      const failure = await this.#follow();
      if (failure !== undefined) throw failure;
    } catch (error) {
      if (this.#client.over || this.#hasNone) return;
      const principal = toldName(this.#client.principal);
      tellFailure(this.#route, toProxyError(error), { route: this.#route.route, principal });
    }
  }

  async #follow(): Promise<unknown> {
    const client = this.#client;
    const signal = this.#signal;
    const call = client.callOf(this.#headers, signal);
    let current: UpstreamBody | undefined;
    signal.addEventListener("abort", () => current?.discard(), { once: true });
    return await followStream(client, undefined, {
      relay: (onDelivered) =>
        new EventRelay(client.target, this.#interceptors?.inspect(call), undefined, onDelivered),
      isDone: () => false,
      keep: (body) => void (current = body),
      mayGoOn: () => true,
      listen: async (lastEventId, ids) => {
        const answer = await this.#ask(lastEventId, ids);
        this.#hasNone = answer.status === 405;
        this.#route.book.listening(client.session, answer.body, this.#begun.generation);
        return answer;
      },
      signal,
      standing: true,
      missed: () => this.#isBehindGap ? missedEvents(client.session) : [],
    });
  }

  /** Asks for it; once more in the session made anew where the upstream has lost the one it was asked in. */
  async #ask(lastEventId: string | undefined, ids: number): Promise<UpstreamAnswer> {
    const { upstream, recovery } = this.#route;
    const { session } = this.#client;
    const { generation } = session.record;
    if (generation > this.#begun.generation) this.#begun = { generation, staleIds: ids };
    const known = ids === this.#begun.staleIds ? undefined : lastEventId;
    const call = {
      ...this.#client.renewed(this.#client.callOf(this.#headers, this.#signal)),
      lastEventId: fieldOf(known),
    };
    this.#isBehindGap = known === undefined;
    const answer = await upstream.listen(call);
    if (call.sessionId === undefined || !Recovery.isSuspect(answer)) return answer;
    const listenAnew = (made: UpstreamCall) => {
      this.#begun = { generation: session.record.generation, staleIds: ids };
      this.#isBehindGap = true;
      return upstream.listen(made);
    };
    const anew = { ...call, lastEventId: null };
    return await recovery.listenAgain(session, generation, answer, anew, listenAnew);
  }
}
