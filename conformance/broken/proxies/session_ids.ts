/**
 * Proxies that give, take or know the ids of sessions as they should not.
 *
 * @module
 */

import { Asked } from "../asked.ts";
import { ofGroup } from "../broken_proxy.ts";
import { isInitialize, NOTHING, SESSION, withSession } from "../choices.ts";
import type { Damage, Passing } from "../damage.ts";
import { fieldOf, withField } from "../message.ts";
import { ServerIds } from "../server_ids.ts";

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

/** The broken proxies that mishandle the ids of sessions. */
export const IDS = ofGroup("sessions", [
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
]);
