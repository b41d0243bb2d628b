/**
 * The seam between the fronts and the servers: what every upstream transport can do.
 *
 * @module
 */

import type { ProxyError } from "../errors.ts";
import type { AnswerSource, CancelSignal, FieldReader, Fields } from "../http/mod.ts";

/** Where a call was sent; filled in by who chooses. */
export interface SentTo {
  /** The name of the target that was asked last; undefined where targets have no names. */
  target: string | undefined;
}

/** What a front asks of an upstream, whatever the transport. */
export interface UpstreamCall {
  /**
   * What the client speaks: `modern` for 2026-07-28 and later, `session` for what comes before and where it is
   * left out. Decided once, at the edge.
   */
  readonly era?: "session" | "modern" | undefined;
  /** End-to-end header fields of the client's request. */
  readonly headers: FieldReader;
  /** The upstream's own session id, where there is one. */
  readonly sessionId: string | undefined;
  /** Id of the principal who calls; never sent anywhere. */
  readonly principal: string;
  /** The client's query string with its `?`, or empty. */
  readonly query: string;
  /** The event behind which the upstream is to go on; null for none, left out for what the client named. */
  readonly lastEventId?: string | null | undefined;
  /** Aborted when the client has gone or the proxy stops. */
  readonly signal: CancelSignal;
  /** The method of the one request in the body; left out where it is not known, or there are several. */
  readonly method?: string | undefined;
  /** What calls have in common that had better go to the same target: the client's session, by its key. */
  readonly affinity?: string | undefined;
  /** Told where it is sent; left out where nobody asks. */
  readonly sent?: SentTo | undefined;
  /**
   * Told of each failure of which the client is told in place of a response, where nothing else shows that: behind
   * the head of the answer, or beside other responses. Left out where nobody asks.
   */
  readonly onFailed?: ((error: ProxyError) => void) | undefined;
  /** Whether it goes out on a new connection, because one that was kept had been closed. */
  readonly fresh?: boolean | undefined;
}

/** The body of an answer. Its one reader chooses how: whole and small, or as a stream. */
export interface UpstreamBody extends AnswerSource {
  /** The whole body if it is there already and no longer than `maxBytes`; otherwise undefined. */
  wholeNow(maxBytes: number): Uint8Array<ArrayBuffer> | undefined;
  /**
   * The whole body if it ends within `maxBytes`; otherwise null, and `next` gives everything from
   * the first byte on.
   */
  bytesWithin(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Calls `observe` with each piece before the reader gets it. */
  tap(observe: (bytes: Uint8Array) => void): void;
  /**
   * Says whether a client is there for what is taken of it, or it is only kept for one that may come back; a
   * client is, where nothing is said. Left out where that makes no difference.
   */
  attend?(attended: boolean): void;
  /** Ends the answer here: the reader sees a clean end, the upstream a closed request. */
  end(): void;
  /** The same as if the upstream had broken it off: the reader sees this failure behind what has come. */
  breakOff(failure: ProxyError): void;
  /**
   * Calls back once when the answer is over for whatever reason, at once if it is over already; with what
   * broke it off, where anything did, which is `client_closed` where its reader gave it up.
   */
  whenOver(callback: (failure?: ProxyError) => void): void;
}

/** The head of an answer, with its body still to be read. */
export interface UpstreamAnswer {
  /** The HTTP status, or what amounts to it. */
  readonly status: number;
  /** End-to-end header fields; without the session id. */
  readonly headers: Fields;
  /** The session id that the upstream named in this answer. */
  readonly sessionId: string | undefined;
  /** What the body is, by the content type. */
  readonly kind: "json" | "sse" | "other";
  /** The body, still to be read. */
  readonly body: UpstreamBody;
  /**
   * Whether the session has to go on elsewhere, since its server is not used any more: the request was sent
   * nowhere, and the status is that of a server that does not know the session.
   */
  readonly hasMoved?: true;
  /**
   * Why the proxy has made the answer in the server's place, where a failure kept the server from it; null where
   * the server was not asked. Left out for what the server has answered.
   */
  readonly failure?: ProxyError | null;
}

/**
 * Told an answer that is whole and good, JSON with status 200, as soon as it is read: its client has it sooner for
 * that, and all that is to be noted of it is noted behind. The call resolves with the same answer afterwards, or has
 * been given up by then. Never throws.
 *
 * Handed on by who would hand such an answer on as it is; whoever may do anything else with it keeps it.
 */
export type WholeAnswer = (answer: UpstreamAnswer) => void;

/**
 * A server behind the proxy. Each call reaches it at most once.
 *
 * All methods reject with a `ProxyError` of source `upstream`, or `client_closed` when the call's
 * signal was aborted.
 */
export interface Upstream {
  /** Sends a body that asks for answers: a request, or a batch with one. */
  exchange(
    call: UpstreamCall,
    body: Uint8Array,
    onWhole?: WholeAnswer,
  ): Promise<UpstreamAnswer>;
  /** Sends a body that gets no answer: notifications and responses. */
  notify(call: UpstreamCall, body: Uint8Array): Promise<UpstreamAnswer>;
  /** Opens, or resumes, the stream on which the server speaks first. */
  listen(call: UpstreamCall): Promise<UpstreamAnswer>;
  /** Ends the session. */
  terminate(call: UpstreamCall): Promise<UpstreamAnswer>;
  /** Closes all connections. */
  close(): Promise<void>;
}
