/**
 * The ids of sessions are the proxy's own, and keep sessions apart.
 *
 * @module
 */

import type { MockScript } from "../mock/mod.ts";
import {
  type Context,
  expect,
  expectEqual,
  initializeRequest,
  type Scenario,
} from "../suite/mod.ts";
import { type Block, EventReader } from "../wire/mod.ts";
import { expectUnknown, HEADER, strictSession, usesOf } from "./strict_session.ts";
import {
  echoed,
  echoResult,
  messageIn,
  progress,
  sessionByKey,
  sessionCall,
  StrictSessions,
  withKey,
} from "./upstreams.ts";

const MANAGEMENT = '2025-11-25 basic/transports "Session Management"';

/** The checks of the ids that clients get. */
export const TRANSLATION: readonly Scenario[] = [
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
