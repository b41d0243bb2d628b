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
import type { FoundStream, PeerMessage, PeerWords, StreamDirectory } from "./stream_directory.ts";
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

/** The place of this instance among the others. */
export class Instances {
  readonly #options: InstancesOptions;
  /** Streams held here, by their names. */
  readonly #held = new Map<string, EventStream>();
  readonly #handed = new Map<string, { readonly to: string; readonly reader: RemoteReader }>();
  readonly #followed = new Map<string, FollowedStream>();
  readonly #asked = new Map<string, (words: PeerWords | undefined) => void>();

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
   * @throws {ProxyError} `store_unavailable` where its holder does not answer
   */
  async resume(
    session: string,
    name: string,
    seq: number | null,
    how: Resumption,
  ): Promise<Attachment | undefined> {
    const { directory } = this.#options;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const found = await directory.find(session, name);
      if (found === undefined || (seq ?? 0) > found.mark.seq) return undefined;
      // One that is said to be held here, and is not, was given to this instance without its hearing of it.
      const isHeld = found.owner !== "" && found.owner !== directory.instance;
      if (isHeld && await directory.isAlive(found.owner)) {
        const words = await this.#ask(found, seq);
        if (words?.say === "refused") return undefined;
        if (words?.say === "following") return this.#follow(found, words, how);
      } else if (await directory.takeOver(name, found.owner)) {
        return await this.#takeOver(session, name, seq, how);
      }
    }
    throw new ProxyError(
      "store_unavailable",
      "The instance of the proxy that holds this stream does not answer; try again.",
      { headers: { "retry-after": "1" } },
    );
  }

  /** A stream on which the server speaks first and that nobody reads, for a client without an event id. */
  async comeBack(session: string, how: Resumption): Promise<Attachment | undefined> {
    for (const { entry } of await this.#options.directory.subscriptions(session)) {
      if (this.#held.has(entry.name)) continue;
      const attachment = await this.resume(session, entry.name, null, how);
      if (attachment !== undefined) return attachment;
    }
    return undefined;
  }

  async #takeOver(
    session: string,
    name: string,
    seq: number | null,
    how: Resumption,
  ): Promise<Attachment | undefined> {
    const { directory, log } = this.#options;
    // Its holder may have come further while it was being judged.
    const found = await directory.find(session, name);
    if (found === undefined) return undefined;
    // Events behind the mark were seen by nobody, and come again from upstream.
    await log.rewind?.(name, found.mark.seq);
    return how.restore(found).restore(seq ?? found.mark.seq);
  }

  /** Asks a holder to let its stream be followed; undefined where it does not answer. */
  async #ask(found: FoundStream, seq: number | null): Promise<PeerWords | undefined> {
    const { directory: { peers }, clock } = this.#options;
    const { name } = found.entry;
    if (peers === undefined || this.#asked.size >= MAX_ASKED) return undefined;
    // One client reads a stream at a time: whoever asked before is out.
    this.#asked.get(name)?.({ say: "refused" });
    const { promise, resolve } = Promise.withResolvers<PeerWords | undefined>();
    this.#asked.set(name, resolve);
    const timer = clock.after(ANSWER_MS, () => resolve(undefined));
    peers.send(found.owner, name, { say: "follow", seq });
    const words = await promise;
    timer.cancel();
    if (this.#asked.get(name) === resolve) this.#asked.delete(name);
    return words;
  }

  #follow(
    { entry: { name, session }, owner }: FoundStream,
    words: PeerWords & { readonly say: "following" },
    how: Resumption,
  ): Attachment {
    const { directory, log, limits, live } = this.#options;
    this.#followed.get(name)?.end();
    const followed = new FollowedStream(
      {
        name,
        log,
        limits,
        traffic: how.tally.begin("followed"),
        say: (said) => directory.peers?.send(owner, name, said),
        goOn: async (seq) => {
          if (await directory.isAlive(owner)) return "running";
          return await this.resume(session, name, seq, how);
        },
        onOver: (over) => {
          live.remove(over);
          if (this.#followed.get(name) === over) this.#followed.delete(name);
        },
      },
      words.seq,
      words.upTo,
    );
    this.#followed.set(name, followed);
    live.add(followed);
    if (words.finished) followed.hear({ say: "close", upTo: words.upTo, broken: null });
    return followed.attachment;
  }

  #hear({ stream, from, ...words }: PeerMessage): void {
    switch (words.say) {
      case "follow":
        return this.#hand(stream, from, words.seq);
      case "taken":
        return this.#reader(stream, from)?.took(words.seq);
      case "left":
        return this.#reader(stream, from)?.leave(words.seq);
      case "following":
      case "refused":
        return this.#asked.get(stream)?.(words);
      case "more":
      case "close":
        return this.#followed.get(stream)?.hear(words);
    }
  }

  #reader(stream: string, from: string): RemoteReader | undefined {
    const handed = this.#handed.get(stream);
    return handed?.to === from ? handed.reader : undefined;
  }

  /** Hands a stream to a follower. */
  #hand(name: string, to: string, seq: number | null): void {
    const { directory: { peers }, limits } = this.#options;
    const say = (words: PeerWords) => peers?.send(to, name, words);
    const stream = this.#held.get(name);
    const from = stream?.hand(seq, (events, behind) => {
      const reader = new RemoteReader({ events, limits, seq: behind, say });
      this.#handed.set(name, { to, reader });
      return reader;
    });
    if (stream === undefined || from === undefined) return say({ say: "refused" });
    const { newest: upTo, finished } = stream;
    say({ say: "following", seq: from, upTo, finished });
    if (upTo > from) this.#reader(name, to)?.announce(upTo);
  }
}
