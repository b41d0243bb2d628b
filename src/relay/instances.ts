/**
 * Streams across instances: those that another one holds are followed, those whose holder has gone are
 * taken over, and those held here are handed to who follows them.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import type { EventLog } from "../event_log/mod.ts";
import type { Attachment } from "./attachment.ts";
import type { EventStream } from "./event_stream.ts";
import { FollowedStream } from "./followed_stream.ts";
import type { RelayLimits } from "./limits.ts";
import type { LiveStreams } from "./live_streams.ts";
import { RemoteReader } from "./remote_reader.ts";
import type { FoundStream, PeerMessage, PeerWord, StreamDirectory } from "./stream_directory.ts";
import type { StreamTally } from "./traffic.ts";

/** How long a holder may take to answer before it is looked whether it runs, in milliseconds. */
const ANSWER_MS = 1_000;

/** How often a stream is asked for: a holder that was killed counts as running for some seconds. */
const MAX_TRIES = 12;

/** Requests to follow that wait for an answer, at one time. */
const MAX_ASKED = 10_000;

/** What it takes. */
export interface InstancesOptions {
  /** Which instance holds which stream. */
  readonly directory: StreamDirectory;
  /** Where events are. */
  readonly log: EventLog;
  /** Bounds, and time. */
  readonly limits: RelayLimits;
  /** Time for waits of any length. */
  readonly clock: Clock;
  /** The streams here. */
  readonly live: LiveStreams;
}

/** How a stream of a session comes here from elsewhere. */
export interface Resumption {
  /** Goes on with a stream here, behind an event. */
  restore(found: FoundStream): EventStream;
  /** The streams of the session here. */
  readonly tally: StreamTally;
}

/** A stream that a follower reads. */
interface Handed {
  readonly to: string;
  readonly follower: number;
  readonly reader: RemoteReader;
}

/** A stream that a holder was asked for. */
interface Asked {
  readonly follower: number;
  readonly resolve: (word: PeerWord | "displaced" | undefined) => void;
}

/** The place of this instance among the others. */
export class Instances {
  readonly #options: InstancesOptions;
  /** Streams held here, by their names. */
  readonly #held = new Map<string, EventStream>();
  readonly #handed = new Map<string, Handed>();
  readonly #followed = new Map<
    string,
    { readonly follower: number; readonly by: FollowedStream }
  >();
  readonly #asked = new Map<string, Asked>();
  /** Streams that are being taken over; each settles when it is held here, or is not to be. */
  readonly #taking = new Map<string, Promise<void>>();
  #lastFollower = 0;

  /** An instance that holds nothing. */
  constructor(options: InstancesOptions) {
    this.#options = options;
    options.directory.peers?.listen((message) => this.#hear(message));
  }

  /** The directory. */
  get directory(): StreamDirectory {
    return this.#options.directory;
  }

  /** A stream is held here from now on. */
  hold(stream: EventStream): void {
    this.#held.set(stream.name, stream);
  }

  /** It is not any more. */
  drop(stream: EventStream): void {
    this.#held.delete(stream.name);
    this.#handed.delete(stream.name);
  }

  /**
   * What a client gets that comes back to a stream which is not held here; undefined where there is none.
   *
   * @param seq behind which event; null for a stream that nobody reads, behind what was taken
   * @throws {ProxyError} `store_unavailable` where its holder does not answer, or where streams cannot be
   * looked up
   */
  async resume(
    session: string,
    name: string,
    seq: number | null,
    how: Resumption,
  ): Promise<Attachment | undefined> {
    try {
      return await this.#resume(session, name, seq, how);
    } catch (error) {
      throw unavailable(error);
    }
  }

  async #resume(
    session: string,
    name: string,
    seq: number | null,
    how: Resumption,
  ): Promise<Attachment | undefined> {
    const { directory } = this.#options;
    let refusedBy: string | undefined;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      await this.#taking.get(name);
      const here = this.#held.get(name);
      if (here !== undefined) return again(here, session, seq);
      const found = await directory.find(session, name);
      if (found === undefined || (seq ?? 0) > found.mark.seq) return undefined;
      const { owner } = found;
      // One that is said to be held here, and is not, was given to this instance without its hearing of it;
      // likewise one that its holder refuses twice.
      const isHeld = owner !== "" && owner !== directory.instance && owner !== refusedBy;
      if (isHeld && await directory.isAlive(owner)) {
        const follower = ++this.#lastFollower;
        const word = await this.#ask(found, follower, seq);
        if (word === "displaced") return undefined;
        if (word?.say === "following") return this.#follow(found, word, follower, how);
        if (word?.say === "refused" && seq === null) return undefined;
        if (word?.say === "refused") refusedBy = owner;
      } else if (!this.#taking.has(name) && !this.#held.has(name)) {
        const taken = await this.#takeOver(found, seq, how);
        if (taken !== undefined) return taken;
      }
    }
    throw later("The instance of the proxy that holds this stream does not answer; try again.");
  }

  /**
   * A stream on which the server speaks first and that nobody reads, for a client without an event id.
   *
   * @throws {ProxyError} as `resume` does
   */
  async comeBack(session: string, how: Resumption): Promise<Attachment | undefined> {
    let found: readonly FoundStream[];
    try {
      found = await this.#options.directory.subscriptions(session);
    } catch (error) {
      throw unavailable(error);
    }
    for (const { entry } of found) {
      if (this.#held.has(entry.name)) continue;
      const attachment = await this.resume(session, entry.name, null, how);
      if (attachment !== undefined) return attachment;
    }
    return undefined;
  }

  /** Undefined where another one was faster, or nothing is left of it. */
  async #takeOver(
    { entry: { session, name }, owner }: FoundStream,
    seq: number | null,
    how: Resumption,
  ): Promise<Attachment | undefined> {
    const { directory, log } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#taking.set(name, promise);
    try {
      if (!await directory.takeOver(name, owner)) return undefined;
      // Its holder may have come further while it was being judged.
      const found = await directory.find(session, name);
      if (found === undefined) return undefined;
      // Events behind the mark were seen by nobody, and come again from upstream.
      await log.rewind?.(name, found.mark.seq);
      return how.restore(found).restore(seq ?? found.mark.seq);
    } finally {
      this.#taking.delete(name);
      resolve();
    }
  }

  /** Asks a holder to let its stream be followed; undefined where it does not answer. */
  async #ask(
    { entry: { name }, owner }: FoundStream,
    follower: number,
    seq: number | null,
  ): Promise<PeerWord | "displaced" | undefined> {
    const { directory: { peers }, clock } = this.#options;
    if (peers === undefined || this.#asked.size >= MAX_ASKED) return undefined;
    // One client reads a stream at a time: whoever asked before is out.
    this.#asked.get(name)?.resolve("displaced");
    const { promise, resolve } = Promise.withResolvers<PeerWord | "displaced" | undefined>();
    const asked = { follower, resolve };
    this.#asked.set(name, asked);
    const timer = clock.after(ANSWER_MS, () => resolve(undefined));
    peers.send(owner, name, { follower, say: "follow", seq });
    const word = await promise;
    timer.cancel();
    if (this.#asked.get(name) === asked) this.#asked.delete(name);
    return word;
  }

  #follow(
    { entry: { name, session }, owner }: FoundStream,
    word: PeerWord & { readonly say: "following" },
    follower: number,
    how: Resumption,
  ): Attachment {
    const { directory, log, limits, live } = this.#options;
    this.#followed.get(name)?.by.end();
    const forget = (by: FollowedStream) => {
      if (this.#followed.get(name)?.by === by) this.#followed.delete(name);
    };
    const by: FollowedStream = new FollowedStream(
      {
        name,
        log,
        limits,
        traffic: how.tally.begin("followed"),
        answered: async () => (await directory.find(session, name))?.mark.answered,
        say: (said) => directory.peers?.send(owner, name, { follower, ...said }),
        goOn: async (seq) => {
          if (await directory.isAlive(owner)) return "running";
          // What it goes on with is not to displace it.
          forget(by);
          return await this.resume(session, name, seq, how);
        },
        onOver: (over) => {
          live.remove(over);
          forget(over);
        },
      },
      word.seq,
      word.upTo,
    );
    this.#followed.set(name, { follower, by });
    live.add(by);
    if (word.finished) by.hear({ say: "close", upTo: word.upTo, broken: null });
    return by.attachment;
  }

  #hear({ stream, from, follower, ...word }: PeerMessage): void {
    switch (word.say) {
      case "follow":
        return this.#hand(stream, from, follower, word.seq);
      case "taken":
        return this.#took(stream, from, follower, word.seq);
      case "left":
        return this.#reader(stream, from, follower)?.leave(word.seq);
      case "following":
      case "refused": {
        const asked = this.#asked.get(stream);
        return asked?.follower === follower ? asked.resolve(word) : undefined;
      }
      case "more":
      case "close": {
        const followed = this.#followed.get(stream);
        return followed?.follower === follower ? followed.by.hear(word) : undefined;
      }
    }
  }

  #reader(stream: string, from: string, follower: number): RemoteReader | undefined {
    const handed = this.#handed.get(stream);
    return handed?.to === from && handed.follower === follower ? handed.reader : undefined;
  }

  #took(stream: string, from: string, follower: number, seq: number): void {
    const reader = this.#reader(stream, from, follower);
    if (reader !== undefined) return reader.took(seq);
    // It waits for what nobody will tell it: the end that it was told has not reached it.
    const broken = "This stream goes on elsewhere; come back for the rest of it.";
    this.#options.directory.peers?.send(from, stream, { follower, say: "close", upTo: 0, broken });
  }

  /** Hands a stream to a follower. */
  #hand(name: string, to: string, follower: number, seq: number | null): void {
    const taking = this.#taking.get(name);
    if (taking !== undefined) return void taking.then(() => this.#hand(name, to, follower, seq));
    const { directory: { peers }, limits } = this.#options;
    const say = (word: PeerWord) => peers?.send(to, name, { follower, ...word });
    const stream = this.#held.get(name);
    let reader: RemoteReader | undefined;
    const from = stream?.hand(seq, (events, behind) => {
      return reader = new RemoteReader({ events, limits, seq: behind, say });
    });
    if (stream === undefined || from === undefined || reader === undefined) {
      return say({ say: "refused" });
    }
    this.#handed.set(name, { to, follower, reader });
    const { newest: upTo, finished } = stream;
    say({ say: "following", seq: from, upTo, finished });
    if (upTo > from) reader.announce(upTo);
  }
}

/** What a client gets of a stream that is held here after all. */
function again(stream: EventStream, session: string, seq: number | null): Attachment | undefined {
  if (stream.entry.session !== session) return undefined;
  if (seq !== null) return stream.resume(seq);
  return stream.attended || !stream.isSubscription ? undefined : stream.resume(stream.taken);
}

/** What a client is told when streams cannot be looked up; it has lost nothing yet. */
function unavailable(error: unknown): ProxyError {
  if (error instanceof ProxyError) return error;
  return later("The proxy cannot look up where this stream is; try again.", error);
}

function later(sentence: string, cause?: unknown): ProxyError {
  return new ProxyError("store_unavailable", sentence, { headers: { "retry-after": "1" }, cause });
}
