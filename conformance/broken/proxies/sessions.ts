/**
 * Proxies that mishandle sessions.
 *
 * @module
 */

import { binary } from "../../wire/mod.ts";
import { Asked } from "../asked.ts";
import { ofGroup } from "../broken_proxy.ts";
import { answering, bare, isInitialize, isModern, NOTHING, said, SESSION } from "../choices.ts";
import type { Damage, Passing, Sides } from "../damage.ts";
import { fieldOf, requestWith, textOf, unbinary, withField } from "../message.ts";
import { ServerIds } from "../server_ids.ts";
import { isStream, lines } from "../streams.ts";

const SESSION_LINE = /\r?\nmcp-session-id:[^\r\n]*/i;

/** A request with another session id, or none; nothing else of it changes, also where it is unsound. */
function withSession(request: Passing, id: string | null): { send: Uint8Array } {
  if (request.sound) {
    return { send: requestWith(request, { fields: withField(request.fields, SESSION, id) }) };
  }
  const line = id === null ? "" : `\r\n${SESSION}: ${id}`;
  return { send: unbinary(binary(request.bytes).replace(SESSION_LINE, line)) };
}

/** Gives clients ids that are chosen otherwise than by the sound proxy, and takes them back. */
function renamingSessions(
  choose: (own: string, request: Passing) => string | undefined,
  prepare: (request: Passing) => { send: Uint8Array } | undefined = () => undefined,
): Damage {
  const own = new Map<string, string>();
  return {
    request(request) {
      const id = own.get(fieldOf(request.fields, SESSION) ?? "");
      return id === undefined ? prepare(request) : withSession(request, id);
    },
    answer({ fields }, request) {
      const id = fieldOf(fields, SESSION);
      if (id === undefined) return undefined;
      const known = [...own].find(([, value]) => value === id)?.[0];
      const other = known ?? (isInitialize(request) ? choose(id, request) : undefined);
      if (other === undefined) return undefined;
      own.set(other, id);
      return { fields: withField(fields, SESSION, other) };
    },
  };
}

/** Knows that the server has lost a session: it answered 404 to a call in one. */
class LostSessions {
  #lost = false;

  /** Listens to the server. */
  readonly back: Damage = {
    answer: ({ status }, request) => {
      if (status === 404 && said(request, SESSION) !== undefined) this.#lost = true;
      return undefined;
    },
  };

  /** Whether it has since this was last asked. */
  take(): boolean {
    const lost = this.#lost;
    this.#lost = false;
    return lost;
  }
}

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

/** The broken proxies that mishandle sessions. */
export const SESSIONS = ofGroup("sessions", [
  {
    name: "passes-session-ids-untranslated",
    describe: "gives the client the server's session ids",
    breaks: [
      "sessions.id-translated-downstream",
      "sessions.id-translated-upstream",
      "sessions.server-id-is-no-client-id",
    ],
    make() {
      const ids = new ServerIds();
      return { back: ids.back, front: renamingSessions(() => ids.last) };
    },
  },
  {
    name: "adopts-chosen-ids",
    describe: "gives a session the id that its client has chosen",
    breaks: ["sessions.chosen-id-never-adopted"],
    make: () => ({
      front: renamingSessions(
        (_, { fields }) => fieldOf(fields, SESSION),
        (request) =>
          isInitialize(request) && fieldOf(request.fields, SESSION) !== undefined
            ? withSession(request, null)
            : undefined,
      ),
    }),
  },
  {
    name: "counts-sessions",
    describe: "numbers sessions",
    breaks: ["sessions.ids-unguessable"],
    make() {
      let sessions = 1_000;
      return { front: renamingSessions(() => String(++sessions)) };
    },
  },
  {
    name: "answers-400-for-unknown-sessions",
    describe: "answers 400 where a session is not known",
    breaks: ["sessions.unknown-id", "sessions.ended-by-delete"],
    make() {
      const asked = new Asked();
      return {
        back: asked.back,
        front: asked.whereNot(({ status }, { fields }) =>
          status === 404 && fieldOf(fields, SESSION) !== undefined ? { status: 400 } : undefined
        ),
      };
    },
  },
  {
    name: "serves-ended-sessions",
    describe: "answers calls in sessions that their clients have ended",
    breaks: ["sessions.ended-by-delete"],
    make() {
      const ended = new Set<string>();
      return {
        front: {
          request: ({ fields }) =>
            ended.has(fieldOf(fields, SESSION) ?? "") ? { answer: NOTHING } : undefined,
          answer({ status }, { method, fields }) {
            if (method === "DELETE" && status < 300) ended.add(fieldOf(fields, SESSION) ?? "none");
            return undefined;
          },
        },
      };
    },
  },
  {
    name: "takes-any-id-for-the-last-session",
    describe: "takes an id that nobody gave for that of the last session",
    breaks: ["sessions.unknown-id", "sessions.forged-id", "sessions.undecodable-id"],
    make() {
      const given = new Set<string>();
      let last: string | undefined;
      return {
        front: {
          request(request) {
            const id = fieldOf(request.fields, SESSION);
            if (id === undefined || given.has(id) || last === undefined) return undefined;
            return isInitialize(request) ? undefined : withSession(request, last);
          },
          answer({ fields }, request) {
            if (!isInitialize(request)) return undefined;
            last = fieldOf(fields, SESSION) ?? last;
            if (last !== undefined) given.add(last);
            return undefined;
          },
        },
      };
    },
  },
  {
    name: "mixes-sessions-up",
    describe: "takes every request for one of the session opened last",
    breaks: ["sessions.delete-ends-no-other"],
    make() {
      // In front: behind, where a session is lost, the proxy would make it anew.
      let last: string | undefined;
      return {
        front: {
          answer: ({ fields }, request) => {
            if (isInitialize(request)) last = fieldOf(fields, SESSION) ?? last;
            return undefined;
          },
          request: (request) =>
            last === undefined || fieldOf(request.fields, SESSION) === undefined
              ? undefined
              : withSession(request, last),
        },
      };
    },
  },
  {
    name: "guesses-missing-ids",
    describe: "takes a call without a session id for one of the last session",
    breaks: ["sessions.missing-id"],
    make() {
      const ids = new ServerIds();
      return {
        back: {
          ...ids.back,
          request: (request) =>
            ids.last === undefined || fieldOf(request.fields, SESSION) !== undefined ||
              fieldOf(request.fields, "mcp-protocol-version") !== "2025-11-25"
              ? undefined
              : withSession(request, ids.last),
        },
      };
    },
  },
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
  {
    name: "keeps-delete-to-itself",
    describe: "ends sessions without telling the server",
    breaks: ["sessions.delete-reaches-the-server"],
    make: () => ({
      back: answering(
        (request) => request.method === "DELETE" && said(request, SESSION) !== undefined,
        bare(200),
      ),
    }),
  },
  {
    name: "half-ends-sessions",
    describe: "forgets a session that the server does not let its client end",
    breaks: ["sessions.delete-not-allowed"],
    make() {
      const forgotten = new Set<string>();
      return {
        front: {
          request: (request) =>
            forgotten.has(said(request, SESSION) ?? "") ? { answer: bare(404) } : undefined,
          answer({ status }, request) {
            const id = said(request, SESSION);
            if (request.method === "DELETE" && status === 405 && id !== undefined) {
              forgotten.add(id);
            }
            return undefined;
          },
        },
      };
    },
  },
  {
    name: "fails-in-lost-sessions",
    describe: "answers 500 where the server has lost a session",
    breaks: ["sessions.ended-by-the-server"],
    make() {
      const lost = new LostSessions();
      return {
        back: lost.back,
        front: {
          // Whatever the proxy behind makes of it: it may have begun a new one.
          answer: () => lost.take() ? { status: 500 } : undefined,
        },
      };
    },
  },
  {
    name: "never-begins-anew",
    describe: "opens no new session once the server has lost one",
    breaks: ["sessions.begun-anew-after-404"],
    make() {
      const lost = new LostSessions();
      return {
        back: lost.back,
        front: {
          request: (request) =>
            isInitialize(request) && lost.take() ? { answer: bare(503) } : undefined,
        },
      };
    },
  },
  {
    name: "demands-sessions",
    describe: "fails where a server gives no session id",
    breaks: ["sessions.server-without-sessions"],
    make: () => ({
      back: {
        answer: ({ status, fields }, request) =>
          isInitialize(request) && status === 200 && fieldOf(fields, SESSION) === undefined
            ? { status: 500 }
            : undefined,
      },
    }),
  },
  {
    name: "opens-sessions-in-any-revision",
    describe: "gives answers of 2026-07-28 a session id",
    breaks: ["sessions.modern-has-none", "sessions.modern-ignores-ids"],
    make: () => ({
      front: {
        answer: ({ status, fields }, request) =>
          status === 200 && isModern(request)
            ? { fields: withField(fields, SESSION, crypto.randomUUID()) }
            : undefined,
      },
    }),
  },
]);
