/**
 * What is known of the streams of sessions, whichever front they came through: a session outlives the front of
 * its route where a reload makes that anew.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type SessionStreams, StreamTally, type StreamTraffic } from "../relay/mod.ts";
import type { Session } from "../session/mod.ts";
import type { Upstream, UpstreamBody } from "../upstream/mod.ts";

/** The streams of all sessions by their sessions. */
export class SessionStreamBook {
  readonly #streams = new WeakMap<Session, SessionStreams>();
  readonly #tallies = new WeakMap<Session, StreamTally>();
  /** What servers speak first on, and which. */
  readonly #listening = new WeakMap<Session, Map<UpstreamBody, Upstream>>();

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

  /** The server `at` speaks first on this body. */
  listening(session: Session, body: UpstreamBody, at: Upstream): void {
    const bodies = this.#listening.get(session) ?? new Map<UpstreamBody, Upstream>();
    this.#listening.set(session, bodies.set(body, at));
    body.whenOver(() => void bodies.delete(body));
  }

  /**
   * The upstream session was made anew at the server `at`. Where that is another one than before, which may
   * still run, nothing that concerns the session comes from there any more: its streams are taken for broken,
   * and so go on at the new one.
   */
  renewed(session: Session, at: Upstream): void {
    for (const [body, from] of [...this.#listening.get(session) ?? []]) {
      if (from !== at) body.discard();
    }
  }
}
