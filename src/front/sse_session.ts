/**
 * One client of HTTP+SSE: what it says goes to the upstream, and all that the upstream says comes on its one
 * stream.
 *
 * @module
 */

import type { Principal } from "../auth/mod.ts";
import { errorBody, ProxyError } from "../errors.ts";
import { type FieldReader, NEVER_ABORTED } from "../http/mod.ts";
import type { Message } from "../json/mod.ts";
import type { Session } from "../session/mod.ts";
import type { UpstreamCall } from "../upstream/mod.ts";
import type { Followed } from "./exchanges.ts";
import { RequestInterceptors } from "./interceptors.ts";
import { cancelUpstream } from "./sse_cancel.ts";
import { withRevision } from "./sse_fields.ts";
import { type SseArrival, type SseMessage, SseMessages } from "./sse_messages.ts";
import { type InLine, SseOrder } from "./sse_order.ts";
import { type RelayTarget, Turns } from "./sse_relay.ts";
import { SseRoom } from "./sse_room.ts";
import { SseRoute, type SseRouteOptions } from "./sse_route.ts";
import type { SseStream } from "./sse_stream.ts";
import type { Served } from "./use.ts";

/** One client; `SseExchange` does what is to be done for each message. */
export class SseSession implements Followed {
  readonly #route: SseRoute;
  /** What is kept of it in the table. */
  readonly session: Session;
  /** Who it belongs to. */
  readonly principal: Principal;
  /** The same, until the latest credential runs out that it has shown: there is no way to come back with another. */
  readonly served: { -readonly [Key in keyof Served]: Served[Key] };
  /** The client's query. */
  readonly query: string;
  /** The path of its stream. */
  readonly path: string;
  /** Turns at large answers. */
  readonly turns = new Turns();
  readonly #makeStream: (onOver: () => void) => SseStream;
  #stream: SseStream | undefined;
  readonly #messages = new SseMessages();
  readonly #order = new SseOrder();
  readonly #room = new SseRoom();
  #headers: FieldReader;
  #release: (() => void) | undefined;
  #draining = false;
  #over = false;
  /** Ends the stream on which the upstream speaks first; there once that was asked for. */
  #listening: AbortController | undefined;

  /** A client whose stream has been asked for with `headers`. */
  constructor(
    route: SseRouteOptions,
    client: Pick<SseSession, "session" | "principal" | "query" | "path"> & {
      readonly headers: FieldReader;
      readonly stream: (onOver: () => void) => SseStream;
    },
  ) {
    this.#route = new SseRoute(route);
    this.session = client.session;
    this.principal = client.principal;
    const { id, validUntilMs, authority } = client.principal;
    this.served = { id, validUntilMs, authority };
    this.query = client.query;
    this.path = client.path;
    this.#headers = client.headers;
    this.#makeStream = client.stream;
  }

  /** Begins the stream; `onOver` is told once when the client has gone or was ended. */
  begin(onOver: () => void): SseStream {
    this.#release = this.route.sessions.use(this.session);
    this.#route.hold();
    this.#stream = this.#makeStream(() => {
      onOver();
      this.#leave();
    });
    // The session may be ended by the reaper, by who looks after the proxy, or because the upstream lost it.
    this.session.onEnd = () => this.#sessionEnded();
    return this.#stream;
  }

  /** Its principal has shown a credential with a message. */
  showed({ validUntilMs }: Principal): void {
    const known = this.served.validUntilMs;
    if (known !== undefined && validUntilMs !== undefined) {
      this.served.validUntilMs = Math.max(known, validUntilMs);
    }
  }

  /** What holds for its messages now. */
  get route(): SseRouteOptions {
    return this.#route.current;
  }

  /** See `SseRoute`; for a client that is there. */
  adopt(route: SseRouteOptions): void {
    this.#route.adopt(route);
  }

  /** The client's stream. */
  get stream(): SseStream {
    return this.#stream!;
  }

  /** Where answers go. */
  get target(): RelayTarget {
    const { stream, session, route: { limits } } = this;
    return { stream, session, maxBytes: limits.maxEventBytes };
  }

  /** Whether the client has gone or was ended. */
  get over(): boolean {
    return this.#over;
  }

  /**
   * Takes a message in and has `handle` see to it, which never rejects.
   *
   * @throws {ProxyError} `principal_exhausted` where too much is under way
   */
  take(
    arrival: SseArrival,
    handle: (one: SseMessage, inLine: InLine) => Promise<void>,
  ): void {
    const { message, bytes, headers } = arrival;
    const leave = this.#room.take(message, bytes.length, this.route.limits.maxRequestBytes);
    this.#headers = headers;
    const one = this.#messages.add(arrival);
    const inLine = this.#order.enter(message, this.session.upstreamId !== "");
    const release = this.route.sessions.use(this.session);
    const letGo = this.route.use?.hold();
    void handle(one, inLine).finally(() => {
      arrival.decide?.();
      inLine.ready();
      release();
      letGo?.();
      this.#messages.delete(one);
      leave();
      this.#endIfDone();
    });
  }

  /** What the upstream is told beside the bytes of a message. */
  callOf(headers: FieldReader, signal: UpstreamCall["signal"]): UpstreamCall {
    const { session, principal, query } = this;
    return {
      headers: withRevision(headers, session.revision),
      sessionId: session.upstreamId === "" ? undefined : session.upstreamId,
      principal: principal.id,
      query,
      lastEventId: null,
      signal,
      affinity: session.key,
    };
  }

  /** What looks at a message, or at a stream where it names none; undefined where nothing does. */
  interceptorsOf(
    { method, idText }: {
      readonly method?: string | undefined;
      readonly idText?: string | undefined;
    },
  ): RequestInterceptors | undefined {
    const { route: { interceptors }, principal, session } = this;
    if (interceptors === undefined) return undefined;
    return new RequestInterceptors(interceptors, {
      principal: principal.name,
      era: "session",
      revision: session.revision,
      sessionId: session.id,
      method,
      idText,
    });
  }

  /** The upstream has taken a message with these fields: the credentials in them are the newest. */
  taken(headers: FieldReader): void {
    const { forwardsCredentials, book } = this.route;
    if (forwardsCredentials) book.credentials.note(this.session, headers);
  }

  /** The same call with the newest credentials, for a stream that is asked for again. */
  renewed(call: UpstreamCall): UpstreamCall {
    return { ...call, headers: this.route.book.credentials.renew(this.session, call.headers) };
  }

  /** For the stream on which the upstream speaks first: aborted at the end; undefined for who asks again. */
  listenOnce(): UpstreamCall["signal"] | undefined {
    if (this.#listening !== undefined || this.#over) return undefined;
    this.#listening = new AbortController();
    return this.#listening.signal;
  }

  /** `initialize` was refused: another one may open the session. */
  notOpened(): void {
    this.#order.notOpened();
  }

  /** The answer to a request is with the client. */
  answered(one: SseMessage): void {
    one.answer();
    this.#endIfDone();
  }

  /** The client does not want the answer to a request any more, until what this gives is called. */
  unwanted(cancellation: Uint8Array): () => void {
    return this.#messages.unwanted(cancellation);
  }

  /** The upstream has taken the client's word that it does not want the answer to a request any more. */
  cancelled(cancellation: Uint8Array): void {
    this.#messages.cancelled(cancellation);
  }

  /** See `Followed`: no more is begun, and it ends when the requests under way are answered (R68). */
  end(): void {
    this.#draining = true;
    this.#endIfDone();
  }

  /** See `Followed`. */
  whenOver(callback: () => void): void {
    this.stream.body.whenOver(callback);
  }

  #endIfDone(): void {
    if (this.#draining && this.#messages.pending.length === 0) this.stream.end();
  }

  /** The session is over, but not because the client has gone: it is told of what it waits for. */
  #sessionEnded(): void {
    if (this.#over) return;
    for (const { arrival: { message } } of this.#messages.pending) {
      this.stream.sendNow({ event: "message", data: endedText(message) });
    }
    this.stream.end();
  }

  #leave(): void {
    if (this.#over) return;
    this.#over = true;
    this.#listening?.abort();
    this.#release?.();
    const { sessions } = this.route;
    const wasEnded = this.session.ended;
    sessions.close(this.session);
    const asked = this.#messages.pending;
    this.#messages.giveUpAnswered();
    // An `initialize` must not be cancelled; what it opens is ended when its answer is there.
    const given = asked.filter(({ arrival }) => arrival.message.method !== "initialize");
    void this.#farewell(given, wasEnded).finally(() => this.#route.letGo());
  }

  async #farewell(given: readonly SseMessage[], wasEnded: boolean): Promise<void> {
    const { route } = this;
    const call = this.callOf(this.#headers, NEVER_ABORTED);
    await cancelUpstream(given.map(({ arrival }) => arrival.message.idText!), call, route);
    for (const one of given) one.giveUp();
    // Whoever has ended the session tells the upstream.
    if (wasEnded) return;
    route.abandoned.end(this.session, { headers: call.headers, query: this.query });
  }
}

function endedText({ idText }: Message): string {
  const error = new ProxyError("session_not_found", "The session has ended; start a new one.");
  return errorBody(error.withId(idText));
}
