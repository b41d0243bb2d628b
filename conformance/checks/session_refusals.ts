/**
 * Ids that belong to no session are refused, wherever they are used.
 *
 * @module
 */

import {
  callRequest,
  expect,
  expectEqual,
  initializeRequest,
  type Scenario,
} from "../suite/mod.ts";
import { expectUnknown, HEADER, strictSession } from "./strict_session.ts";
import { echoed, sessionCall, StrictSessions } from "./upstreams.ts";

const MANAGEMENT = '2025-11-25 basic/transports "Session Management"';

/** The checks of ids that are to be refused. */
export const REFUSED: readonly Scenario[] = [
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
