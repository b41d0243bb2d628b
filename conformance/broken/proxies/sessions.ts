/**
 * Proxies that mishandle sessions.
 *
 * @module
 */

import { type BrokenProxy, ofGroup } from "../broken_proxy.ts";
import { answering, bare, isInitialize, isModern, said, SESSION } from "../choices.ts";
import type { Damage } from "../damage.ts";
import { fieldOf, withField } from "../message.ts";
import { MIXED } from "./mixed_sessions.ts";
import { IDS } from "./session_ids.ts";

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

const LIFECYCLE = ofGroup("sessions", [
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

/** The broken proxies that mishandle sessions. */
export const SESSIONS: readonly BrokenProxy[] = [...IDS, ...MIXED, ...LIFECYCLE];
