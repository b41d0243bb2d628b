/**
 * What is known of the streams of sessions, whichever front they came through: a session outlives the front of
 * its route where a reload makes that anew.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { targetOfId } from "../http/mod.ts";
import { type SessionStreams, StreamTally, type StreamTraffic } from "../relay/mod.ts";
import type { Session } from "../session/mod.ts";
import type { Upstream, UpstreamBody } from "../upstream/mod.ts";

/** Where a server speaks first. */
export interface ListenedTo {
  /** The server, or all of a route that are the same to clients. */
  readonly at: Upstream;
  /** The generation of the session there. */
  readonly generation: number;
}

/** The streams of all sessions by their sessions. */
export class SessionStreamBook {
  readonly #streams = new WeakMap<Session, SessionStreams>();
  readonly #tallies = new WeakMap<Session, StreamTally>();
  /** What servers speak first on, and where that is. */
  readonly #listening = new WeakMap<Session, Map<UpstreamBody, { at: Upstream; target: string }>>();

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

  /** The server `at` speaks first on this body, in the upstream session of this generation. */
  listening(session: Session, body: UpstreamBody, { at, generation }: ListenedTo): void {
    // It was made anew while this stream was being opened.
    if (generation < session.record.generation) return body.discard();
    const bodies = this.#listening.get(session) ??
      new Map<UpstreamBody, { at: Upstream; target: string }>();
    this.#listening.set(session, bodies.set(body, { at, target: targetOf(session) }));
    body.whenOver(() => void bodies.delete(body));
  }

  /**
   * The upstream session was made anew at the server `at`. Where that is another one than before, or another
   * target, the one before may hold its streams open all the same, being drained or hung: they are taken for
   * broken, and so go on at the new one.
   */
  renewed(session: Session, at: Upstream): void {
    const target = targetOf(session);
    for (const [body, from] of [...this.#listening.get(session) ?? []]) {
      if (from.at !== at || from.target !== target) body.discard();
    }
  }
}

/** The target that a session is at. */
function targetOf({ record }: Session): string {
  return targetOfId(record.upstreamId);
}
