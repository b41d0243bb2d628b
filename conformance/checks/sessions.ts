/**
 * Session ids are the proxy's own, and have a lifecycle: 2025-03-26 to 2025-11-25
 * `basic/transports`, "Session Management".
 *
 * @module
 */

import { type MockRequest, type MockScript, rpcOf } from "../mock/mod.ts";
import {
  type Answer,
  type Call,
  callRequest,
  type Context,
  expect,
  expectEqual,
  expectOneOf,
  initializeRequest,
  type OpenSession,
  type Scenario,
} from "../suite/mod.ts";
import { type Block, EventReader } from "../wire/mod.ts";
import {
  echoed,
  echoKey,
  echoResult,
  expectWorks,
  messageIn,
  modernCall,
  progress,
  sessionByKey,
  sessionCall,
  StrictSessions,
  withKey,
} from "./upstreams.ts";

const MANAGEMENT = '2025-11-25 basic/transports "Session Management"';
const HEADER = "mcp-session-id";

/** Opens a session with a server that gives ids and holds clients to them. */
async function strictSession(
  context: Context,
): Promise<{ server: StrictSessions; session: OpenSession }> {
  const server = new StrictSessions();
  context.mock.use(server.script);
  const session = await context.openSession();
  expect(session.id !== undefined, "the server gave a session id, and the client got none");
  return { server, session };
}

/** What a session id can be used for: a call, a GET stream, the end of the session. */
function usesOf(fields: Readonly<Record<string, string>>): Readonly<Record<string, Call>> {
  return {
    POST: { body: callRequest(1, { key: "x" }), fields },
    GET: { method: "GET", fields },
    DELETE: { method: "DELETE", fields },
  };
}

/** Fails unless the id is refused with 404 wherever it is used. */
async function expectUnknown(
  context: Context,
  id: string,
  what: string,
  methods: readonly string[] = ["POST", "GET", "DELETE"],
): Promise<void> {
  const uses = usesOf({ [HEADER]: id, "mcp-protocol-version": "2025-11-25" });
  for (const method of methods) {
    const { status } = (await context.begin(uses[method]!)).response;
    expectEqual(status, 404, `the status of a ${method} with ${what}`);
  }
}

const TRANSLATION: readonly Scenario[] = [
  {
    id: "sessions.id-translated-downstream",
    group: "sessions",
    title: "the client gets an id of the proxy's own, not the server's",
    source: "R77",
    revisions: ["2025-11-25"],
    async run(context) {
      const { server, session } = await strictSession(context);
      expect(!server.known.has(session.id!), "the client got the server's own session id");
    },
  },
  {
    id: "sessions.id-translated-upstream",
    group: "sessions",
    title: "later requests, POST, GET and DELETE, reach the server with the server's own id",
    source: "R77",
    revisions: ["2025-11-25"],
    async run(context) {
      const { server, session } = await strictSession(context);
      const own = new Set(server.known);
      for (const [method, call] of Object.entries(usesOf(session.fields))) {
        const { status } = (await context.begin(call)).response;
        const arrived = context.mock.requests.findLast((request) => request.method === method);
        const id = arrived?.field(HEADER);
        // A proxy may answer GET and DELETE by itself; the server must know what does arrive.
        const fine = arrived === undefined ? method !== "POST" : own.has(id ?? "");
        expect(
          fine && id !== session.id,
          `a ${method} reached the server with the id ${id}, which it never gave, or the client's`,
        );
        if (method === "POST") expectEqual(status, 200, "the status of the call");
      }
    },
  },
  {
    id: "sessions.server-id-is-no-client-id",
    group: "sessions",
    title: "the server's id of a session opens nothing for a client that knows it",
    source: "R74, R77",
    revisions: ["2025-11-25"],
    async run(context) {
      const { server } = await strictSession(context);
      await expectUnknown(context, [...server.known][0]!, "the server's own id of a session");
    },
  },
  {
    id: "sessions.ids-unguessable",
    group: "sessions",
    title: "100 ids are unique, of visible ASCII and long enough for 128 bits",
    source: `${MANAGEMENT} 1, R75`,
    revisions: ["2025-11-25"],
    run: manyIds,
  },
  {
    id: "sessions.streams-of-two-sessions-apart",
    group: "sessions",
    title: "the GET streams of two sessions get the messages of their own session alone",
    source: "R73",
    revisions: ["2025-11-25"],
    run: twoStreams,
  },
  {
    id: "sessions.equal-request-ids-apart",
    group: "sessions",
    title: "256 calls of two clients with the same ids, answered out of order, find their clients",
    source: "R78",
    revisions: ["2025-11-25"],
    run: equalIds,
  },
];

async function manyIds(context: Context): Promise<void> {
  let sessions = 0;
  context.mock.use(new StrictSessions(() => `s${++sessions}`).script);
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => context.send({ body: initializeRequest("2025-11-25") })),
  );
  const ids = answers.map((answer) => answer.field(HEADER) ?? "");
  expectEqual(new Set(ids).size, 100, "the number of different ids among 100");
  const characters = ids.join("");
  const odd = ids.find((id) => !/^[\x21-\x7e]+$/.test(id));
  expect(odd === undefined, `not of visible ASCII: ${JSON.stringify(odd)}`);
  // Each letter and digit counts for as many bits as the alphabet they come from can hold.
  const bits = /^[\W_0-9a-f]*$/i.test(characters) ? 4 : 5.9;
  const shortest = Math.min(...ids.map((id) => id.replaceAll(/[^0-9a-z]/gi, "").length));
  expect(
    shortest * bits >= 128,
    `${shortest} characters hold at most ${Math.floor(shortest * bits)} bits, expected 128`,
  );
}

/** The next event with data: a proxy may prime its own streams (2025-11-25 basic/transports). */
async function nextMessage(events: EventReader): Promise<Block | null> {
  for (;;) {
    const event = await events.nextEvent();
    if (event === null || event.data !== "") return event;
  }
}

async function twoStreams(context: Context): Promise<void> {
  // Names of their own: a proxy may translate ids inside of messages.
  const ids: (string | undefined)[] = [];
  const nameOf = (id: string | undefined) => {
    if (!ids.includes(id)) ids.push(id);
    return `session ${ids.indexOf(id)}`;
  };
  const server = new StrictSessions(undefined, {
    GET: async (request, reply) => {
      await reply.stream();
      // Several, because whether the last one arrives is for `events`.
      for (const number of [1, 2, 3]) {
        await reply.event({ data: progress(number, nameOf(request.field(HEADER))) });
      }
      await reply.end();
    },
  });
  context.mock.use(server.script);
  const seen: (string | undefined)[] = [];
  const wanted: (string | undefined)[] = [];
  for (const key of ["of the first session", "of the second session"]) {
    const session = await context.openSession();
    await context.send(sessionCall(session, key));
    wanted.push(nameOf(context.mock.requests.find(withKey(key))?.field(HEADER)));
    const { response } = await context.begin({ method: "GET", fields: session.fields });
    const events = new EventReader(response.body);
    const event = await context.within(nextMessage(events), "the event of the session");
    seen.push(messageIn(event?.data)?.params?.["message"] as string | undefined);
  }
  expectEqual(seen, wanted, "the sessions whose messages two clients got");
  expect(seen[0] !== seen[1], "two clients share one session of the server");
}

async function equalIds(context: Context): Promise<void> {
  const late: MockScript = async (request, reply) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
    await reply.json(echoResult(request));
  };
  context.mock.use(sessionByKey({}, { "tools/call": late }));
  const [a, b] = [await context.openSession(), await context.openSession()];
  const wrong: string[] = [];
  await Promise.all(Array.from({ length: 256 }, async (_, at) => {
    const [name, session] = at % 2 === 0 ? ["a", a] as const : ["b", b] as const;
    const id = Math.floor(at / 2);
    const key = `client ${name}, call ${id}`;
    const answer = await context.send(sessionCall(session, key, id));
    const got = (answer.message as { id?: unknown } | undefined)?.id;
    if (echoed(answer) !== key || got !== id) {
      wrong.push(`"${key}" got ${answer.status} ${answer.text.slice(0, 120)}`);
    }
  }));
  expect(wrong.length === 0, `${wrong.length} of 256 calls were answered wrongly: ${wrong[0]}`);
}

const REFUSED: readonly Scenario[] = [
  {
    id: "sessions.unknown-id",
    group: "sessions",
    title: "an id that nobody gave is answered with 404 on POST, GET and DELETE alike",
    source: `${MANAGEMENT} 3, R72, R81`,
    revisions: ["2025-11-25"],
    async run(context) {
      await strictSession(context);
      await expectUnknown(context, crypto.randomUUID(), "an id that nobody gave");
    },
  },
  {
    id: "sessions.undecodable-id",
    group: "sessions",
    title: "ids that cannot be read are answered with 404, not with 400 or 500",
    source: `${MANAGEMENT} 3, R81`,
    revisions: ["2025-11-25"],
    async run(context) {
      await strictSession(context);
      const ids = [
        "x",
        "%00",
        "!",
        "eyJhbGciOiJub25lIn0.e30.",
        "AAAA====",
        "../x",
        "a".repeat(2_000),
      ];
      for (const id of ids) {
        await expectUnknown(context, id, `the id ${id.slice(0, 40)} (${id.length} characters)`);
      }
    },
  },
  {
    id: "sessions.forged-id",
    group: "sessions",
    title: "an id in which one character was changed is answered with 404",
    source: `${MANAGEMENT} 3, R72`,
    revisions: ["2025-11-25"],
    async run(context) {
      const { session } = await strictSession(context);
      const id = session.id!;
      for (const at of [0, Math.floor(id.length / 2)]) {
        const other = id[at] === "A" ? "B" : "A";
        await expectUnknown(context, id.slice(0, at) + other + id.slice(at + 1), "a forged id");
      }
      const answer = await context.send(sessionCall(session, "own"));
      expectEqual(echoed(answer), "own", "what the session itself is answered with");
    },
  },
  {
    id: "sessions.chosen-id-never-adopted",
    group: "sessions",
    title: "an id that a client brings to initialize never becomes the id of a session",
    source: `${MANAGEMENT} 1, R74`,
    revisions: ["2025-11-25"],
    async run(context) {
      const chosen = "chosen-by-the-client-0123456789abcdef";
      context.mock.use(new StrictSessions().script);
      const fields = { [HEADER]: chosen };
      const answer = await context.send({ body: initializeRequest("2025-11-25"), fields });
      const given = answer.field(HEADER);
      expect(
        answer.status !== 200 || given !== chosen,
        "the session got the id that the client had chosen",
      );
      await expectUnknown(context, chosen, "the id that a client chose");
    },
  },
  {
    id: "sessions.missing-id",
    group: "sessions",
    title: "a call without the id of its session is refused with 400",
    source: `${MANAGEMENT} 2, R81`,
    revisions: ["2025-11-25"],
    async run(context) {
      await strictSession(context);
      const fields = { "mcp-protocol-version": "2025-11-25" };
      const { status } = await context.send({ body: callRequest(1, { key: "x" }), fields });
      expectEqual(status, 400, "the status of a call without a session id");
    },
  },
];

const LIFECYCLE: readonly Scenario[] = [
  {
    id: "sessions.ended-by-delete",
    group: "sessions",
    title: "a session that its client has ended is answered with 404 on POST, GET and DELETE",
    source: `${MANAGEMENT} 3 and 5, R81`,
    revisions: ["2025-11-25"],
    async run(context) {
      const { session } = await strictSession(context);
      const { status } = await context.send({ method: "DELETE", fields: session.fields });
      expectOneOf(status, [200, 202, 204], "the status of DELETE");
      await expectUnknown(context, session.id!, "the id of a session that was ended");
    },
  },
  {
    id: "sessions.delete-ends-no-other",
    group: "sessions",
    title: "DELETE ends its own session alone",
    source: `${MANAGEMENT} 5`,
    revisions: ["2025-11-25"],
    async run(context) {
      const { session } = await strictSession(context);
      const other = await context.openSession();
      await context.send({ method: "DELETE", fields: other.fields });
      const answer = await context.send(sessionCall(session, "still there"));
      expectEqual(echoed(answer), "still there", "what the other session is answered with");
    },
  },
  {
    id: "sessions.delete-reaches-the-server",
    group: "sessions",
    title: "a session that its client ends is ended on the server",
    source: `${MANAGEMENT} 5`,
    revisions: ["2025-11-25"],
    async run(context) {
      const { server, session } = await strictSession(context);
      const own = new Set(server.known);
      await context.send({ method: "DELETE", fields: session.fields });
      const arrival = context.mock.arrival(({ method }) => method === "DELETE");
      const arrived = await context.within(arrival, "the DELETE at the server");
      const id = arrived.field(HEADER);
      expect(own.has(id ?? ""), `the server was asked to end ${id}, which it never gave`);
    },
  },
  {
    id: "sessions.delete-not-allowed",
    group: "sessions",
    title: "where the server lets nobody end sessions, a session is not half ended",
    source: `${MANAGEMENT} 5`,
    revisions: ["2025-11-25"],
    async run(context) {
      const DELETE: MockScript = (_, reply) => reply.empty(405, [["allow", "GET, POST"]]);
      context.mock.use(sessionByKey({}, { DELETE }));
      const session = await context.openSession();
      const { status } = await context.send({ method: "DELETE", fields: session.fields });
      const answer = await context.send(sessionCall(session, "after"));
      // A proxy may end its own session all the same, if it says so.
      if (status !== 405) {
        expectOneOf(status, [200, 202, 204], "the status of DELETE");
        return expectEqual(answer.status, 404, "the status of a call after DELETE");
      }
      expectEqual(echoed(answer), "after", "what a call after DELETE and 405 is answered with");
    },
  },
  {
    id: "sessions.ended-by-the-server",
    group: "sessions",
    title: "the client of a session that the server lost gets 404, or a server that knows it anew",
    source: `${MANAGEMENT} 3 and 4, R66, R81`,
    revisions: ["2025-11-25"],
    async run(context) {
      const { server, session } = await strictSession(context);
      server.known.clear();
      const answer = await context.send(sessionCall(session, "after"));
      if (answer.status === 200) return expectEqual(echoed(answer), "after", "the answer");
      expectEqual(answer.status, 404, "the status of a call in a session that the server lost");
    },
  },
  {
    id: "sessions.begun-anew-after-404",
    group: "sessions",
    title: "after the server has lost a session its client can begin a new one",
    source: `${MANAGEMENT} 4`,
    revisions: ["2025-11-25"],
    async run(context) {
      const { server, session } = await strictSession(context);
      server.known.clear();
      await context.send(sessionCall(session, "lost"));
      const anew = await context.openSession();
      expect(
        anew.id !== undefined && anew.id !== session.id,
        "the new session has no id of its own",
      );
      await expectWorks(context, (key) => sessionCall(anew, key), "in the new session");
    },
  },
  {
    id: "sessions.server-without-sessions",
    group: "sessions",
    title: "a server that gives no session ids can be used",
    source: `${MANAGEMENT} 1`,
    revisions: ["2025-11-25"],
    async run(context) {
      const none = sessionByKey({});
      context.mock.use(async (request, reply) => {
        if (rpcOf(request)?.method !== "initialize") return await none(request, reply);
        const result = { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: SERVER };
        await reply.json({ jsonrpc: "2.0", id: rpcOf(request)?.id, result });
      });
      const session = await context.openSession();
      await expectWorks(context, (key) => sessionCall(session, key), "without a session");
    },
  },
];

const SERVER = { name: "conformance-mock", version: "1.0.0" };

const IN_MODERN: readonly Scenario[] = [
  {
    id: "sessions.modern-has-none",
    group: "sessions",
    title: "an answer of 2026-07-28 carries no session id, whatever the server says",
    source: '2026-07-28 basic/transports/streamable-http "Earlier Streamable HTTP Revisions"',
    revisions: ["2026-07-28"],
    async run(context) {
      const call: MockScript = (request, reply) =>
        reply.json(echoResult(request), 200, [[HEADER, "id-out-of-turn"]]);
      const answer = await modernAnswer(context, call);
      expectEqual(echoed(answer), "modern", "what the call was answered with");
      expectEqual(answer.field(HEADER), undefined, "the session id of the answer");
    },
  },
  {
    id: "sessions.modern-ignores-ids",
    group: "sessions",
    title: "a session id on a request of 2026-07-28 is ignored or refused, and never echoed",
    source: '2026-07-28 basic/transports/streamable-http "Earlier Streamable HTTP Revisions"',
    revisions: ["2026-07-28"],
    async run(context) {
      const id = crypto.randomUUID();
      const answer = await modernAnswer(context, echoKey, { [HEADER]: id });
      if (answer.status === 200) expectEqual(echoed(answer), "modern", "the answer");
      else expect(answer.status >= 400 && answer.status < 500, `status ${answer.status}`);
      expectEqual(answer.field(HEADER), undefined, "the session id of the answer");
    },
  },
];

async function modernAnswer(
  context: Context,
  script: (request: MockRequest, reply: Parameters<MockScript>[1]) => Promise<void> | void,
  fields: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  context.mock.use(script);
  const call = modernCall(context, "modern");
  return await context.send({ ...call, fields: { ...call.fields, ...fields } });
}

/** The checks of sessions. */
export const SESSIONS: readonly Scenario[] = [
  ...TRANSLATION,
  ...REFUSED,
  ...LIFECYCLE,
  ...IN_MODERN,
];
