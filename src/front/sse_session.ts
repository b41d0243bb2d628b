/**
 * One client of HTTP+SSE: what it says goes to the upstream, and all that the upstream says comes on its one
 * stream.
 *
 * @module
 */

import type { Principal } from "../auth/mod.ts";
import type { Clock } from "../clock.ts";
import type { LimitsConfig } from "../config/mod.ts";
import { errorBody, ProxyError } from "../errors.ts";
import type { ClientAnswer, FieldReader } from "../http/mod.ts";
import type { JsonLimits, Message } from "../json/mod.ts";
import type { BackOff } from "../relay/mod.ts";
import type { Session, SessionTable } from "../session/mod.ts";
import type { Upstream, UpstreamBody, UpstreamCall } from "../upstream/mod.ts";
import type { AbandonedSessions } from "./abandoned.ts";
import type { Followed } from "./exchanges.ts";
import type { FailureSinks } from "./failures.ts";
import type { InterceptorsOptions } from "./interceptors.ts";
import type { Recovery } from "./recovery.ts";
import { Turns } from "./sse_relay.ts";
import { SseRoom } from "./sse_room.ts";
import type { SessionStreamBook } from "./stream_book.ts";
import type { SseStream } from "./sse_stream.ts";
import { withRevision } from "./sse_fields.ts";
import type { FrontUse, Served } from "./use.ts";

/** What all clients of one route have in common. */
export interface SseRouteOptions extends FailureSinks {
  /** The route's name, for the log. */
  readonly route: string;
  /** The server behind the route. */
  readonly upstream: Upstream;
  /** The sessions of all routes. */
  readonly sessions: SessionTable;
  /** Makes sessions anew that the upstream has lost. */
  readonly recovery: Recovery;
  /** What is known of the streams of all sessions. */
  readonly book: SessionStreamBook;
  /** Tells the upstream of sessions that are over. */
  readonly abandoned: AbandonedSessions;
  /** What looks at messages; left out where nothing does. */
  readonly interceptors?: InterceptorsOptions | undefined;
  /** How streams of the upstream that broke off are taken up again. */
  readonly backOff: BackOff;
  /** Time; one whose timers are shared. */
  readonly clock: Clock;
  /** What clients may use. */
  readonly limits: LimitsConfig & JsonLimits;
  /** Whether clients' credentials go upstream, which may want others. */
  readonly forwardsCredentials?: boolean | undefined;
  /** Keeps open what clients work with; left out where that is never replaced. */
  readonly use?: FrontUse | undefined;
}

/** A message on its way to the upstream, until its answer is with the client. */
export interface UnderWay {
  /** The message as the client sent it. */
  readonly message: Message;
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /** The header fields of its POST. */
  readonly headers: FieldReader;
  /** Aborted when nobody waits for the answer any more. */
  readonly control: AbortController;
  /** The answer that is being read. */
  body: UpstreamBody | undefined;
  /** Whether the client has taken it back. */
  cancelled: boolean;
  /** Whether its client has cancelled it, and the upstream is being told. */
  unwanted: boolean;
  /** Answers its POST: with a refusal, or as taken; false where it was answered before. Left out where that is done. */
  readonly decide?: ((refused?: ClientAnswer) => boolean) | undefined;
  /** Whether its answer is with the client, although the upstream's stream goes on. */
  answered: boolean;
}

/** How long cancellations may take before the session is ended upstream, in milliseconds. */
const FAREWELL_MS = 2_000;

/** Cancellations of one client that are sent at one time. */
const CANCELLED_AT_ONCE = 4;

/** One client; `SseExchange` does what is to be done for each message. */
export class SseSession implements Followed {
  #route: SseRouteOptions;
  /** The route with the upstream that is spoken to. */
  #home: SseRouteOptions;
  /** Lets go of that upstream. */
  #leaveHome: (() => void) | undefined;
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
  readonly #underWay = new Set<UnderWay>();
  readonly #room = new SseRoom();
  /** What a message has to wait for: the upstream has to know the session, and that its client is ready. */
  #gate: Promise<void> | undefined;
  /** Whether `initialize` is under way or was answered. */
  #opening = false;
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
    this.#route = this.#home = route;
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
    this.#leaveHome = this.#home.use?.hold();
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
    return this.#route;
  }

  /**
   * The route is another one from the next message on, but for its upstream: the one that knows the session
   * stays as long as it is there.
   */
  adopt(route: SseRouteOptions): void {
    if (this.#home.use?.isOver && !this.#over) {
      this.#leaveHome?.();
      this.#home = route;
      this.#leaveHome = route.use?.hold();
    }
    const { upstream, recovery } = this.#home;
    if (upstream === route.upstream) {
      this.#route = route;
      return;
    }
    const interceptors = route.interceptors && { ...route.interceptors, upstream };
    this.#route = { ...route, upstream, recovery, interceptors };
  }

  /** The client's stream. */
  get stream(): SseStream {
    return this.#stream!;
  }

  /** Whether the client has gone or was ended. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether this `initialize` opens the upstream session. */
  get mayOpen(): boolean {
    return this.session.upstreamId === "" && !this.#opening;
  }

  /** How many requests have no answer yet. */
  get pending(): number {
    return [...this.#underWay].filter((one) => isPending(one)).length;
  }

  /**
   * Takes a message in and has `handle` see to it, which never rejects.
   *
   * @throws {ProxyError} `principal_exhausted` where too much is under way
   */
  take(
    taken: Pick<UnderWay, "message" | "bytes" | "headers" | "decide">,
    handle: (one: UnderWay, before: Promise<void> | undefined, ready: () => void) => Promise<void>,
  ): void {
    const { maxRequestBytes } = this.route.limits;
    const leave = this.#room.take(taken.message, taken.bytes.length, maxRequestBytes);
    this.#headers = taken.headers;
    const one: UnderWay = {
      ...taken,
      control: new AbortController(),
      body: undefined,
      cancelled: false,
      unwanted: false,
      answered: false,
    };
    this.#underWay.add(one);
    const before = this.#gate;
    const ready = this.#gateFor(one);
    const release = this.route.sessions.use(this.session);
    const letGo = this.route.use?.hold();
    void handle(one, before, ready).finally(() => {
      one.decide?.();
      ready();
      release();
      letGo?.();
      this.#underWay.delete(one);
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
    this.#opening = false;
  }

  /** The answer to a request is with the client. */
  answered(one: UnderWay): void {
    one.answered = true;
    this.#endIfDone();
  }

  /** The client does not want the answer to a request any more, until what this gives is called. */
  unwanted(requestId: unknown): () => void {
    const idText = JSON.stringify(requestId);
    const found = [...this.#underWay].filter((one) =>
      one.message.idText === idText && isPending(one)
    );
    for (const one of found) one.unwanted = true;
    return () => found.forEach((one) => one.unwanted = false);
  }

  /** The upstream has taken the client's word that it does not want the answer to a request any more. */
  cancelled(requestId: unknown): void {
    const idText = JSON.stringify(requestId);
    for (const one of this.#underWay) {
      if (one.message.idText === idText && isPending(one)) giveUp(one);
    }
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
    if (this.#draining && this.pending === 0) this.stream.end();
  }

  /**
   * Messages behind `initialize` need the session that it opens, and those behind `notifications/initialized`
   * must not come before it: on their way to the upstream nothing else would keep them in order.
   */
  #gateFor({ message }: UnderWay): () => void {
    const opens = message.kind === "request" && message.method === "initialize" && this.mayOpen;
    if (!opens && message.method !== "notifications/initialized") return () => {};
    if (opens) this.#opening = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return () => {
      if (this.#gate === promise) this.#gate = undefined;
      resolve();
    };
  }

  /** The session is over, but not because the client has gone: it is told of what it waits for. */
  #sessionEnded(): void {
    if (this.#over) return;
    for (const one of this.#underWay) {
      if (isPending(one)) this.stream.sendNow({ event: "message", data: endedText(one) });
    }
    this.stream.end();
  }

  /** R54: HTTP+SSE knows no way to come back, so what a client that has gone had begun is cancelled. */
  #leave(): void {
    if (this.#over) return;
    this.#over = true;
    this.#listening?.abort();
    this.#release?.();
    const { sessions } = this.route;
    const wasEnded = this.session.ended;
    sessions.close(this.session);
    const asked = [...this.#underWay].filter((one) => isPending(one));
    for (const one of this.#underWay) if (one.answered) giveUp(one);
    // An `initialize` must not be cancelled; what it opens is ended when its answer is there.
    const given = asked.filter(({ message }) => message.method !== "initialize");
    void this.#farewell(given, wasEnded).finally(() => this.#leaveHome?.());
  }

  async #farewell(given: readonly UnderWay[], wasEnded: boolean): Promise<void> {
    const { upstream, clock, abandoned, logger, route } = this.route;
    const control = new AbortController();
    const call = this.callOf(this.#headers, control.signal);
    const timer = clock.after(FAREWELL_MS, () => control.abort());
    const left = [...given];
    const tell = async () => {
      for (let one = left.shift(); one && !control.signal.aborted; one = left.shift()) {
        try {
          (await upstream.notify(call, cancellation(one.message.idText!))).body.discard();
        } catch (error) {
          logger.debug("a cancellation was lost", { route, error });
        }
      }
    };
    await Promise.all(Array.from({ length: CANCELLED_AT_ONCE }, tell));
    timer.cancel();
    for (const one of given) giveUp(one);
    // Whoever has ended the session tells the upstream.
    if (!wasEnded) abandoned.end(this.session, { headers: call.headers, query: this.query });
  }
}

function isPending({ message, cancelled, answered }: UnderWay): boolean {
  return message.kind === "request" && !cancelled && !answered;
}

function giveUp(one: UnderWay): void {
  one.cancelled = true;
  one.control.abort();
  one.body?.discard();
}

function cancellation(idText: string): Uint8Array {
  return new TextEncoder().encode(
    `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${idText},` +
      `"reason":"The client has gone."}}`,
  );
}

function endedText({ message: { idText } }: UnderWay): string {
  const error = new ProxyError("session_not_found", "The session has ended; start a new one.");
  return errorBody(error.withId(idText));
}
