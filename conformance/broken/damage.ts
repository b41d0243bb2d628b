/**
 * What a broken proxy does to the messages that go through it.
 *
 * @module
 */

import type { Fields } from "../wire/mod.ts";
import type { TcpEnd } from "./tcp.ts";

/** A request on its way to the server. */
export interface Passing {
  readonly method: string;
  readonly target: string;
  readonly startLine: string;
  /** As they came; of a head that is no HTTP, the lines that look like fields. */
  readonly fields: Fields;
  /** The whole request as it came, head and framing included. */
  readonly bytes: Uint8Array;
  /** What its framing holds; empty where the framing is unsound. */
  readonly body: Uint8Array;
  /** Whether it was HTTP/1.1 read strictly. */
  readonly sound: boolean;
}

/** The connections that damage may make. */
export interface Surroundings {
  readonly client: TcpEnd;
  /** A new connection to where this side of the proxy is connected. */
  connect(): Promise<TcpEnd>;
  /** A new connection to the server behind everything. */
  connectPast(): Promise<TcpEnd>;
}

/** What becomes of a request. */
export interface RequestChange {
  /** Sent on in its place. */
  readonly send?: Uint8Array;
  /** Sent on in addition, on a connection of its own; the answer is thrown away. */
  readonly also?: Uint8Array;
  /** Answered with this; the server gets nothing. */
  readonly answer?: Uint8Array;
  /** Takes over the connection. */
  take?(surroundings: Surroundings): Promise<void>;
}

/** The head of an answer on its way to the client. */
export interface AnswerHead {
  readonly startLine: string;
  readonly status: number;
  readonly fields: Fields;
}

/** Whether another piece comes within the time that is looked ahead, or the end. */
export type Followed = "soon" | "later" | "end";

/** Changes a body while it passes. */
export interface StreamChange {
  /** What is sent on once this piece has come. */
  push(
    piece: Uint8Array,
    followed: Followed,
  ): readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** What is sent on at the end, also where the body was cut. */
  end?(): readonly Uint8Array[];
}

/** What becomes of an answer. */
export interface AnswerChange {
  readonly status?: number;
  /** All fields; those of the framing are kept right without being asked. */
  readonly fields?: Fields;
  /** Changes the body piece by piece; the head waits for the first piece where `lateHead` is set. */
  readonly stream?: StreamChange;
  readonly lateHead?: boolean;
  /** How long it is waited for what follows a piece; not at all where it is left out. */
  readonly lookAheadMs?: number;
  /** Changes a body that is read whole before; `bytes` are those of the answer as they came. */
  whole?(body: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** Ends a body that was cut as if it had been complete. */
  readonly hideCut?: boolean;
  /** Breaks a changed stream off where it should end. */
  readonly breaksOff?: boolean;
  /** Waited for before anything is sent. */
  readonly wait?: Promise<unknown>;
}

/** What one side of a broken proxy does. */
export interface Damage {
  request?(request: Passing): RequestChange | undefined | Promise<RequestChange | undefined>;
  answer?(head: AnswerHead, request: Passing): AnswerChange | undefined;
  /** Told that the head of a request has come; where there is `request` alone. */
  begins?(): void;
  /** Told that the client has left before the end of an answer; where there is `answer` alone. */
  departed?(request: Passing, surroundings: Surroundings): void;
  /** Sent in place of each interim answer (1xx). */
  readonly interim?: Uint8Array;
  /** What is sent in place of an answer that is no HTTP/1.1 read strictly. */
  unreadable?(bytes: Uint8Array): Uint8Array;
  /** Does not pass on that the client has gone. */
  readonly staysWhenClientLeaves?: boolean;
  /** Takes what comes from the server however slowly the client reads. */
  readonly hoards?: boolean;
  /**
   * What is done where the server closes the connection without an answer to a request: it is sent
   * once more, or answered with this.
   */
  readonly unanswered?: "retry" | Uint8Array;
}

/** The two sides of a broken proxy: towards clients, and towards the server. */
export interface Sides {
  readonly front?: Damage;
  readonly back?: Damage;
}
