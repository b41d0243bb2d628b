/**
 * Proxies that mishandle sessions, secrets, departures and failures.
 *
 * @module
 */

import { Asked } from "../asked.ts";
import { ofGroup } from "../broken_proxy.ts";
import type { AnswerHead, Damage, Passing, Sides } from "../damage.ts";
import { answerWith, bytesOf, fieldOf, requestWith, textOf, withField } from "../message.ts";
import { binary, isStream, unbinary } from "../streams.ts";

const SESSION = "mcp-session-id";

/** A result without anything in it. */
const NOTHING = answerWith(
  200,
  [["content-type", "application/json"]],
  '{"jsonrpc":"2.0","id":1,"result":{}}',
);

/** Whether a request opens a session. */
function isInitialize({ body }: Passing): boolean {
  return textOf(body).includes('"initialize"');
}

const SESSION_LINE = /\r?\nmcp-session-id:[^\r\n]*/i;

/** A request with another session id, or none; nothing else of it changes, also where it is unsound. */
function withSession(request: Passing, id: string | null): { send: Uint8Array } {
  if (request.sound) {
    return { send: requestWith(request, { fields: withField(request.fields, SESSION, id) }) };
  }
  const line = id === null ? "" : `\r\n${SESSION}: ${id}`;
  return { send: unbinary(binary(request.bytes).replace(SESSION_LINE, line)) };
}

/** Knows the server's id of the session that was opened last. */
class ServerIds {
  last: string | undefined;

  /** Listens to the server. */
  readonly back: Damage = {
    answer: ({ fields }) => {
      this.last = fieldOf(fields, SESSION) ?? this.last;
      return undefined;
    },
  };
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

/** The broken proxies that mishandle sessions. */
export const SESSIONS = ofGroup("sessions", [
  {
    name: "passes-session-ids-untranslated",
    describe: "gives the client the server's session ids",
    breaks: ["sessions.id-translated-downstream", "sessions.server-id-is-no-client-id"],
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
    breaks: ["sessions.unknown-id", "sessions.forged-id"],
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
    describe: "sends every request with the server's id of the session opened last",
    breaks: ["sessions.delete-ends-no-other"],
    make() {
      const ids = new ServerIds();
      return {
        back: {
          ...ids.back,
          request: (request) =>
            ids.last === undefined || fieldOf(request.fields, SESSION) === undefined
              ? undefined
              : withSession(request, ids.last),
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

/** Sends a field of the client on to the server, which the sound proxy keeps to itself. */
function forwarding(name: string, as = name): Sides {
  let value: string | undefined;
  return {
    front: {
      request({ fields }) {
        value = fieldOf(fields, name);
        return undefined;
      },
    },
    back: {
      request: (request) =>
        value === undefined
          ? undefined
          : { send: requestWith(request, { fields: withField(request.fields, as, value) }) },
    },
  };
}

/** The codes of errors that the sound proxy makes itself. */
const OWN_ERROR = /"code": ?-31\d{3}/;

/** Says something more in the errors that the sound proxy makes itself. */
function talkative(what: () => string | undefined): Damage {
  return {
    answer: ({ status }) =>
      status < 400 ? undefined : {
        whole(body) {
          const text = textOf(body);
          if (!OWN_ERROR.test(text)) return body;
          return bytesOf(text.replace(/("message": ?")/, `$1(${what() ?? ""}) `));
        },
      },
  };
}

/** The broken proxies that tell one side what is the other's. */
export const PRIVACY = ofGroup("privacy", [
  {
    name: "leaks-session-ids-in-a-header",
    describe: "tells the client the server's session id in a header of its own",
    breaks: ["privacy.server-session-id-stays-upstream"],
    make() {
      const ids = new ServerIds();
      return {
        back: ids.back,
        front: {
          answer: ({ fields }) =>
            ids.last === undefined
              ? undefined
              : { fields: withField(fields, "x-upstream-session", ids.last) },
        },
      };
    },
  },
  {
    name: "leaks-session-ids-in-errors",
    describe: "tells the client the server's session id in the text of errors",
    breaks: ["privacy.server-session-id-stays-upstream"],
    make() {
      const ids = new ServerIds();
      return {
        back: ids.back,
        front: talkative(() => ids.last),
      };
    },
  },
  {
    name: "forwards-authorization",
    describe: "sends the client's Authorization on to the server",
    breaks: ["privacy.authorization-not-passed-through"],
    make: () => forwarding("authorization"),
  },
  {
    name: "forwards-proxy-authorization",
    describe: "sends the client's Proxy-Authorization on to the server",
    breaks: ["privacy.proxy-credentials-not-passed-through"],
    make: () => forwarding("proxy-authorization"),
  },
  {
    name: "tells-the-server-the-clients-session-id",
    describe: "tells the server the client's session id in a field of its own",
    breaks: ["privacy.client-session-id-stays-downstream"],
    make: () => forwarding(SESSION, "x-client-session"),
  },
  {
    name: "forwards-cookies",
    describe: "sends the client's cookies on to the server",
    breaks: ["privacy.cookies-not-passed-through"],
    make: () => forwarding("cookie"),
  },
  {
    name: "names-the-server-in-errors",
    describe: "tells the client in its errors where the server is",
    breaks: ["privacy.closed-connection-names-no-address"],
    make() {
      let host: string | undefined;
      return {
        back: {
          request({ fields }) {
            host = fieldOf(fields, "host");
            return undefined;
          },
        },
        front: talkative(() => host),
      };
    },
  },
  {
    name: "passes-error-pages",
    describe: "gives the client the pages with which the server fails",
    breaks: ["privacy.stack-traces-in-html"],
    make() {
      let page: Uint8Array | undefined;
      return {
        back: {
          request: () => void (page = undefined),
          answer: ({ status, fields }) =>
            status === 500 && fieldOf(fields, "content-type") === "text/html"
              ? { whole: (body) => page = body }
              : undefined,
        },
        front: {
          answer: ({ status }) =>
            status >= 500 && page !== undefined ? { whole: (body) => page ?? body } : undefined,
        },
      };
    },
  },
]);

/** The broken proxies that do not care whether the client is there. */
export const CANCELLATION = ofGroup("cancellation", [
  {
    name: "stays-when-the-client-leaves",
    describe: "goes on with a request whose client has gone",
    breaks: ["cancellation.stream-closed", "cancellation.before-the-answer"],
    make: () => ({ front: { staysWhenClientLeaves: true } }),
  },
]);

/** Never. */
const NEVER = new Promise<never>(() => {});

const FAILED = new Set([502, 503, 504]);

/** Changes the answers that tell of a failure. */
function onFailures(change: NonNullable<Damage["answer"]>): Damage {
  return {
    answer: (head, request) => FAILED.has(head.status) ? change(head, request) : undefined,
  };
}

/** The broken proxies that mishandle failures. */
export const FAULTS = ofGroup("faults", [
  {
    name: "hides-truncation",
    describe: "ends an answer that was cut as if it had been complete",
    breaks: ["faults.truncated-stream", "faults.reset-stream"],
    make: () => ({
      front: {
        answer: (head: AnswerHead) =>
          isStream(head) ? { hideCut: true, stream: { push: (piece) => [piece] } } : undefined,
      },
    }),
  },
  {
    name: "answers-for-a-dead-server",
    describe: "answers 200 where the server closes the connection without an answer",
    breaks: ["faults.closed-before-the-head", "faults.reset-before-the-head"],
    make: () => ({ back: { request: () => undefined, unanswered: NOTHING } }),
  },
  {
    name: "hangs-on-timeouts",
    needsTimeouts: true,
    describe: "does not answer where the server did not",
    breaks: ["faults.no-answer-in-time"],
    make: () => ({
      front: onFailures(({ status }) => status === 504 ? { wait: NEVER } : undefined),
    }),
  },
  {
    name: "answers-timeouts-with-500",
    needsTimeouts: true,
    describe: "answers 500 where the server did not answer in time",
    breaks: ["faults.no-answer-in-time"],
    make: () => ({
      front: onFailures(({ status }) => status === 504 ? { status: 500 } : undefined),
    }),
  },
]);
