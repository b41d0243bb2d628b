/**
 * What an interceptor is: the types that a user's own TypeScript module is written against.
 *
 * @module
 */

import type { CancelSignal } from "../http/mod.ts";
import type { LogFields } from "../telemetry/mod.ts";

/**
 * A parsed JSON-RPC message. It is frozen, all the way down: writing to it throws, so that no
 * interceptor can change what another one sees. To change a message give back a new one.
 *
 * A number that JavaScript would not write back as it came (`9007199254740993`, `1.0`, `1e400`) is
 * an `ExactNumber`; `Number(value)` makes a plain one of it.
 */
export type JsonRpcMessage = Readonly<Record<string, unknown>>;

/** What is known about the exchange to which a message belongs. */
export interface InterceptContext {
  /** Name of the route. */
  readonly route: string;
  /** `modern` is 2026-07-28 and later, `session` what came before it. */
  readonly era: "modern" | "session";
  /** The revision that is spoken, where it is known. */
  readonly revision: string | undefined;
  /** The client's own session id, or a stand-in for it; undefined where there is no session. */
  readonly sessionId: string | undefined;
  /**
   * The method of the client's request that this message belongs to: for a response that of the
   * request it answers. Undefined where that is not known.
   */
  readonly method: string | undefined;
  /**
   * Name of the caller: that of the API key, or `anonymous` where nobody is told apart. For a token it ends with `#`
   * and a hash, which tells callers apart; what stands ahead is a claim (`auth.oauth.nameClaim`), and may change.
   */
  readonly principal: string;
  /** Aborted when nobody waits for the message any more. */
  readonly signal: CancelSignal;
  /** Writes a log line with these fields. Put no contents of messages into it. */
  log(fields: LogFields): void;
}

/** An answer that the proxy gives in the place of whoever was asked. */
export type Answer =
  | { readonly result: unknown }
  | {
    readonly error: { readonly code: number; readonly message: string; readonly data?: unknown };
  };

/** Sends another message of the same kind and with the same id in this one's place. */
export interface Replace {
  /** The message to send. */
  readonly replace: JsonRpcMessage;
}

/** Sends nothing. Whoever waits for an answer gets an error with this sentence. */
export interface Drop {
  /** Why, in one sentence without contents of the message. */
  readonly drop: string;
}

/** Sends several messages in this one's place. */
export interface Expand {
  /**
   * In the order in which they are sent. A request or response is among them exactly once, with its
   * id; all others are notifications.
   */
  readonly expand: readonly JsonRpcMessage[];
}

/** Answers a request at once; it goes no further. */
export interface AnswerNow {
  /** The result or the error. */
  readonly answer: Answer;
}

/** What becomes of a message of the client; nothing at all lets it pass. */
export type ClientVerdict = void | undefined | Replace | Drop | AnswerNow;

/** What becomes of a message of the server; `answer` is for requests that the server makes. */
export type ServerVerdict = void | undefined | Replace | Drop | Expand | AnswerNow;

/** An event of a stream, before anybody has parsed its data. Only events with data are shown. */
export interface EventView {
  /** Its id, where it has one. */
  readonly id?: string;
  /** Its type, where one is given. */
  readonly event?: string;
  /** Its data, lines joined by `\n`. */
  readonly data: string;
}

/** An event that an interceptor makes. Line breaks in `data` become lines of data. */
export interface EventDraft {
  /** Its type; that of the event it stands for where it is left out. */
  readonly event?: string;
  /** Its data. */
  readonly data: string;
}

/** What becomes of an event; nothing at all lets it pass. */
export type EventVerdict =
  | void
  | undefined
  | { readonly replace: EventDraft }
  | Drop
  | { readonly expand: readonly EventDraft[] };

/**
 * Sees messages and events on their way, and may change them. Every hook is optional, may be async,
 * and has a deadline. A hook that throws touches the one message alone.
 */
export interface Interceptor {
  /** For logs and errors. */
  readonly name: string;
  /** A message of the client, on its way to the server. */
  clientMessage?(
    message: JsonRpcMessage,
    context: InterceptContext,
  ): ClientVerdict | Promise<ClientVerdict>;
  /** A message of the server, from a JSON answer or a stream alike, on its way to the client. */
  serverMessage?(
    message: JsonRpcMessage,
    context: InterceptContext,
  ): ServerVerdict | Promise<ServerVerdict>;
  /** An event of a stream, on its way to the client; before `serverMessage` sees what is in it. */
  event?(event: EventView, context: InterceptContext): EventVerdict | Promise<EventVerdict>;
  /** The proxy stops. */
  close?(): void | Promise<void>;
}
