/**
 * One upstream request for each client request, for all of a session: its messages beside calls, its
 * streams, and the calls whose clients leave.
 *
 * @module
 */

import { type MockScript, type Reply, rpcMethod } from "../mock/mod.ts";
import { callRequest, type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { ANSWER_MS, arrivals, ownKey, prepared } from "./arrivals.ts";
import { progress, sessionByKey, sessionCall, soon } from "./upstreams.ts";

const T11 = '2025-11-25 basic/transports "Sending Messages to the Server"';
const IDEMPOTENT = "RFC 9110 9.2.2";

/** How often a client asks for a stream that the server does not offer. */
const CLIENT_GETS = 3;

/** The checks of what a session sends. */
export const IN_SESSIONS: readonly Scenario[] = [
  {
    id: "once.session-messages",
    group: "once",
    title:
      "initialize and a notification reach the server once, a response and DELETE not more often",
    source: T11,
    revisions: ["2025-11-25"],
    run: sessionMessages,
  },
  {
    id: "once.get-refused-once",
    group: "once",
    title: "a GET that the server answers with 405 is not sent again; its client may do that",
    source: '2025-11-25 basic/transports "Listening for Messages from the Server" 3, R89',
    revisions: ["2025-11-25"],
    run: refusedGets,
  },
  {
    id: "once.resumption-refused-once",
    group: "once",
    title: "a server that answers 405 is not asked again for the rest of a stream that broke",
    source: '2025-11-25 basic/transports "Resumability and Redelivery", R89',
    revisions: ["2025-11-25"],
    run: refusedResumption,
  },
  {
    id: "once.client-leaves-before-the-answer",
    group: "once",
    title: "a call whose client leaves before the answer is not sent again",
    source: IDEMPOTENT,
    revisions: ["2025-11-25"],
    run: (context) => clientLeaves(context, async () => {}),
  },
  {
    id: "once.client-leaves-its-stream",
    group: "once",
    title: "a call whose client leaves its stream is not sent again",
    source: `${IDEMPOTENT}, ${T11} 6`,
    revisions: ["2025-11-25"],
    run: (context) =>
      clientLeaves(context, async (reply) => {
        await reply.stream();
        await reply.event({ id: "1", data: progress(1) });
      }),
  },
];

async function refusedGets(context: Context): Promise<void> {
  context.mock.use(sessionByKey({}));
  const session = await context.openSession();
  for (let time = 0; time < CLIENT_GETS; time++) {
    await soon(context.send({ method: "GET", fields: session.fields }), ANSWER_MS);
  }
  await soon(context.send(sessionCall(session, "behind")), ANSWER_MS);
  const count = getsIn(context);
  expect(
    count <= CLIENT_GETS,
    `${CLIENT_GETS} GETs of the client reached the server, which refuses them, ${count} times`,
  );
}

async function refusedResumption(context: Context): Promise<void> {
  const stream: MockScript = async (_, reply) => {
    await reply.stream();
    await reply.event({ id: "1", retry: 1, data: progress(1) });
    reply.close();
  };
  const { call } = await prepared(context, "session", { stream });
  await soon(context.send(call("stream")), ANSWER_MS);
  await soon(context.send(call("behind")), ANSWER_MS);
  const count = getsIn(context);
  expect(count <= 1, `the server, which refuses it, was asked for the rest ${count} times`);
}

function getsIn(context: Context): number {
  return context.mock.requests.filter(({ method }) => method === "GET").length;
}

async function sessionMessages(context: Context): Promise<void> {
  context.mock.use(sessionByKey({}));
  const { fields } = await context.openSession();
  await context.send({ body: { jsonrpc: "2.0", id: "asked", result: {} }, fields });
  await context.send({ body: callRequest(1, { key: "behind" }), fields });
  await context.send({ method: "DELETE", fields });
  const { requests } = context.mock;
  const count = (name: string) => requests.filter((request) => rpcMethod(request) === name).length;
  expectEqual(count("initialize"), 1, "the number of initialize requests at the server");
  expectEqual(count("notifications/initialized"), 1, "the number of notifications at the server");
  // The answer to a question that nobody asked, and DELETE, may end at a proxy.
  const responses = requests.filter(({ text }) => text.includes('"asked"')).length;
  expect(responses <= 1, `the response reached the server ${responses} times`);
  const deletes = requests.filter(({ method }) => method === "DELETE").length;
  expect(deletes <= 1, `DELETE reached the server ${deletes} times`);
}

/** Leaves once the server has got the call and done something with it. */
async function clientLeaves(
  context: Context,
  answer: (reply: Reply) => Promise<void>,
): Promise<void> {
  const begun = Promise.withResolvers<void>();
  const script: MockScript = async (_, reply) => {
    await answer(reply);
    begun.resolve();
    await reply.gone;
  };
  const key = ownKey("left");
  const { call } = await prepared(context, "session", { [key]: script });
  const client = await context.connect();
  await client.write(context.bytes(call(key)));
  await context.within(begun.promise, "the call at the server");
  client.close();
  await soon(context.send(call("behind")), ANSWER_MS);
  expectEqual(arrivals(context, key), 1, "the number of times that the call reached the server");
}
