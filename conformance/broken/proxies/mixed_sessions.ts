/**
 * Proxies that give one session what is another's.
 *
 * @module
 */

import { ofGroup } from "../broken_proxy.ts";
import { isInitialize, said, SESSION, withSession } from "../choices.ts";
import type { Passing, Sides } from "../damage.ts";
import { fieldOf, textOf } from "../message.ts";
import { isStream, lines } from "../streams.ts";

/** A call in a session that is under way, or has just been answered. */
interface Call {
  readonly session: string;
  readonly id: string;
  /** Those of other sessions with the same id that were under way at the same time. */
  readonly peers: Call[];
  answered?: Uint8Array;
}

/** Gives calls of two sessions with the same id the answer of whichever comes first. */
function mixingAnswers(): Sides {
  const calls = new Map<Passing, Call>();
  return {
    front: {
      request(request) {
        const session = said(request, SESSION);
        const [id] = /"id":"?\w+/.exec(textOf(request.body)) ?? [];
        if (session === undefined || id === undefined) return undefined;
        const call: Call = { session, id, peers: [] };
        for (const other of calls.values()) {
          if (other.id !== id || other.session === session) continue;
          other.peers.push(call);
          call.peers.push(other);
        }
        calls.set(request, call);
        return undefined;
      },
      answer({ status }, request) {
        const call = calls.get(request);
        calls.delete(request);
        if (call === undefined || call.peers.length === 0 || status !== 200) return undefined;
        return {
          whole: (body) =>
            call.peers.find(({ answered }) => answered !== undefined)?.answered ??
              (call.answered = body),
        };
      },
    },
  };
}

/** Knows in which session each event came, and has whoever names one ask in that session. */
function findingByEventId(): Sides {
  const owners = new Map<string, string>();
  return {
    front: {
      request(request) {
        const owner = owners.get(said(request, "last-event-id") ?? "");
        return request.method === "GET" && owner !== undefined
          ? withSession(request, owner)
          : undefined;
      },
      answer(head, request) {
        const session = said(request, SESSION);
        if (!isStream(head) || session === undefined) return undefined;
        const note = (line: string) => {
          const [, id] = /^id: ?(.+)/.exec(line) ?? [];
          if (id !== undefined) owners.set(id, session);
          return line;
        };
        return { stream: lines(note) };
      },
    },
  };
}

/** The broken proxies that mix sessions up. */
export const MIXED = ofGroup("sessions", [
  {
    name: "mixes-get-streams-up",
    describe: "opens GET streams in the session that was opened before the last one",
    breaks: ["sessions.streams-of-two-sessions-apart"],
    make() {
      const given: string[] = [];
      return {
        back: {
          answer({ fields }, request) {
            const id = fieldOf(fields, SESSION);
            if (id !== undefined && isInitialize(request)) given.push(id);
            return undefined;
          },
          request(request) {
            const before = given.at(-2);
            return request.method === "GET" && before !== undefined
              ? withSession(request, before)
              : undefined;
          },
        },
      };
    },
  },
  {
    name: "finds-streams-by-event-id-alone",
    describe: "takes a client that names an event for one of the session that the event came in",
    breaks: ["sessions.event-id-of-another-session"],
    make: findingByEventId,
  },
  {
    name: "mixes-equal-ids-up",
    describe: "answers two calls of two sessions that have the same id and are made at once alike",
    breaks: ["sessions.equal-request-ids-apart"],
    make: mixingAnswers,
  },
]);
