/**
 * Which instance holds which event stream, and where each stream is, so that another instance, or the
 * next run of this one, can go on with it.
 *
 * @module
 */

/** What is settled about a stream when it begins. */
export interface StreamEntry {
  /** Its random name, which its event ids carry. */
  readonly name: string;
  /** Key of the session that it belongs to. */
  readonly session: string;
  /** The exact texts of the ids of the requests that it answers; none for one the server speaks first on. */
  readonly requestIds: readonly string[];
  /** Whether the client knows priming events and polls a stream that was closed (since 2025-11-25). */
  readonly clientPolls: boolean;
}

/** Where a stream is. Kept behind the events it speaks of, and ahead of any client's seeing them. */
export interface StreamMark {
  /** Number of the newest event; 0 for none. */
  readonly seq: number;
  /** The upstream's own id of the newest event that had one. */
  readonly upstreamId?: string | undefined;
  /** How long the upstream wants to be left alone before it is asked again, in milliseconds. */
  readonly retryMs?: number | undefined;
  /** The exact texts of the ids of the requests that have no answer yet. */
  readonly pending: readonly string[];
  /** The numbers of the events with the answers to the others; left out for none. */
  readonly answered?: readonly (readonly [idText: string, seq: number])[] | undefined;
  /** Whether nothing more will come from upstream. */
  readonly finished: boolean;
}

/** A stream that was found. */
export interface FoundStream {
  /** What was settled when it began. */
  readonly entry: StreamEntry;
  /** Where it is. */
  readonly mark: StreamMark;
  /** The instance that holds it; empty where it was let go. */
  readonly owner: string;
}

/**
 * The streams of all instances. Methods answer at once where they can; they throw or reject where what is
 * behind them fails.
 */
export interface StreamDirectory {
  /** A name for this instance in this run, never used before or after. */
  readonly instance: string;
  /** A stream has begun, and this instance holds it. */
  open(entry: StreamEntry): void | Promise<void>;
  /**
   * It has come further. Nothing happens where this instance does not hold it any more.
   *
   * @returns false where another instance has taken it over
   */
  mark(name: string, mark: StreamMark): boolean | Promise<boolean>;
  /** It is gone for good. */
  close(entry: StreamEntry): void | Promise<void>;
  /** This instance holds it no longer, and anyone may go on with it. */
  release(name: string): void | Promise<void>;
  /** The stream of this session that has this name. */
  find(session: string, name: string): FoundStream | undefined | Promise<FoundStream | undefined>;
  /** The streams of a session on which the server speaks first, in no order. */
  subscriptions(session: string): readonly FoundStream[] | Promise<readonly FoundStream[]>;
  /** Whether the instance with this name runs. */
  isAlive(instance: string): boolean | Promise<boolean>;
  /** Makes a stream this instance's, provided that `owner` still is its owner; whether it worked. */
  takeOver(name: string, owner: string): boolean | Promise<boolean>;
  /** Messages between instances; left out where there is but one at a time. */
  readonly peers?: Peers | undefined;
  /** Lets go of what the process holds, its streams included. */
  shutdown(): void | Promise<void>;
}

/** What instances say to each other about a stream, by its name. */
export type PeerMessage = { readonly stream: string; readonly from: string } & PeerWords;

/**
 * Words about one follower, by a number that the instance where it is never gives to another one: what is
 * said of one that was displaced must not be taken for its successor's.
 */
export type PeerWords = { readonly follower: number } & PeerWord;

/** The words. A follower is who reads, for its client, a stream that another instance, its holder, fills. */
export type PeerWord =
  /** To the holder: from now on I read, behind `seq`; null for behind what the last reader took. */
  | { readonly say: "follow"; readonly seq: number | null }
  /** To the follower: yes, behind `seq`; the newest is `upTo`. */
  | {
    readonly say: "following";
    readonly seq: number;
    readonly upTo: number;
    readonly finished: boolean;
  }
  /** To the follower: I do not hold it, or it is being read. */
  | { readonly say: "refused" }
  /** To the follower: the log has events up to `upTo` now. */
  | { readonly say: "more"; readonly upTo: number }
  /** To the follower: close your client's connection once it has everything up to `upTo`; why, if broken. */
  | { readonly say: "close"; readonly upTo: number; readonly broken: string | null }
  /** To the holder: my client has taken everything up to `seq`, and is still there. */
  | { readonly say: "taken"; readonly seq: number }
  /** To the holder: my client has gone; it has taken everything up to `seq`. */
  | { readonly say: "left"; readonly seq: number };

/** Messages to and from other instances. One that is not there hears nothing; none is kept. */
export interface Peers {
  /** Tells an instance something; never rejects. */
  send(to: string, stream: string, words: PeerWords): void;
  /** Has `listener` called with what others say, in the order each says it. One listener. */
  listen(listener: (message: PeerMessage) => void): void;
}
