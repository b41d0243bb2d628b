/**
 * What is known of the streams of sessions, whichever front they came through: a session outlives the front of
 * its route where a reload makes that anew.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import { NewestCredentials } from "../http/mod.ts";
import {
  type PassingStream,
  type SessionStreams,
  StreamTally,
  type StreamTraffic,
} from "../relay/mod.ts";
import type { Session } from "../session/mod.ts";
import type { UpstreamBody } from "../upstream/mod.ts";

/** The streams of all sessions by their sessions. */
export class SessionStreamBook {
  readonly #streams = new WeakMap<Session, SessionStreams>();
  readonly #tallies = new WeakMap<Session, StreamTally>();
  /** Answers that pass as bytes. */
  readonly #passing = new WeakMap<Session, Set<PassingStream>>();
  /** With what streams are opened again. */
  readonly credentials = new NewestCredentials<Session>();
  /** What servers speak first on, and the generations of the sessions that it was opened in. */
  readonly #listening = new WeakMap<Session, Map<UpstreamBody, number>>();

  /** The streams of a session that are held here, the oldest first, and what has passed on them. */
  told(session: Session): Iterable<StreamTraffic> {
    return this.#tallies.get(session) ?? [];
  }

  /** Counts what passes on the streams of a session. */
  tally(session: Session, clock: Clock): StreamTally {
    let tally = this.#tallies.get(session);
    if (tally === undefined) {
      tally = new StreamTally(session.traffic, clock);
      this.#tallies.set(session, tally);
    }
    return tally;
  }

  /** The streams of a session, made with its first; they end with it. */
  streams(session: Session, make: () => SessionStreams): SessionStreams {
    const known = this.#streams.get(session);
    if (known !== undefined) return known;
    const made = make();
    this.#streams.set(session, made);
    session.onEnd = () => made.close();
    return made;
  }

  /** A stream of a session passes as bytes, until its body is over. */
  passing(session: Session, stream: PassingStream, body: UpstreamBody): void {
    const streams = this.#passing.get(session) ?? new Set();
    this.#passing.set(session, streams.add(stream));
    body.whenOver(() => void streams.delete(stream));
  }

  /** The client has cancelled a request; see `Streams.cancelled`. */
  cancelled(session: Session, requestId: unknown): () => void {
    const passing = [...this.#passing.get(session) ?? []];
    const undoing = [this.#streams.get(session), ...passing].map((one) => one?.cancel(requestId));
    return () => undoing.forEach((undo) => undo?.());
  }

  /** The server speaks first on this body, in the upstream session of this generation. */
  listening(session: Session, body: UpstreamBody, generation: number): void {
    // It was made anew while this stream was being opened.
    if (generation < session.record.generation) return body.breakOff(lost());
    const bodies = this.#listening.get(session) ?? new Map<UpstreamBody, number>();
    this.#listening.set(session, bodies.set(body, generation));
    body.whenOver(() => void bodies.delete(body));
  }

  /**
   * The upstream session was made anew. The server before, or the same one that has lost the session, may hold
   * its streams open all the same, being drained, hung, or cut from the network: they are taken for broken, and
   * so go on in the new session.
   */
  renewed(session: Session): void {
    const { generation } = session.record;
    for (const [body, from] of [...this.#listening.get(session) ?? []]) {
      if (from < generation) body.breakOff(lost());
    }
  }
}

function lost(): ProxyError {
  const sentence = "The upstream server has lost the session of this stream.";
  return new ProxyError("upstream_closed", sentence);
}
