/**
 * How sessions end, by their client or by the server, and begin anew.
 *
 * @module
 */

import { type MockScript, rpcOf } from "../mock/mod.ts";
import { expect, expectEqual, expectOneOf, type Scenario } from "../suite/mod.ts";
import { expectUnknown, HEADER, strictSession } from "./strict_session.ts";
import { echoed, expectWorks, sessionByKey, sessionCall } from "./upstreams.ts";

const MANAGEMENT = '2025-11-25 basic/transports "Session Management"';

/** The checks of the ends of sessions. */
export const LIFECYCLE: readonly Scenario[] = [
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
