/**
 * A client that goes away in a session, where that cancels nothing: a notification does.
 *
 * @module
 */

import { rpcOf } from "../mock/mod.ts";
import { type Context, expect, expectEqual, expectOneOf, type Scenario } from "../suite/mod.ts";
import { beginStream, callAndHead, leftAndStayed, Watched } from "./departures.ts";
import { echoed, expectWorks, sessionByKey, sessionCall, withKey } from "./upstreams.ts";

const T11 = '2025-11-25 basic/transports "Sending Messages to the Server" 6';

/** The checks of departures and cancellation in sessions. */
export const SESSION: readonly Scenario[] = [
  {
    id: "cancellation.notification-reaches-the-server",
    group: "cancellation",
    title: "notifications/cancelled reaches the server and names the call as the server knows it",
    source: "2025-11-25 basic/utilities/cancellation",
    revisions: ["2025-11-25"],
    run: cancelledNotification,
  },
  {
    id: "cancellation.departure-is-none-in-a-session",
    group: "cancellation",
    title: "in a session a client that leaves its stream has cancelled nothing",
    source: T11,
    revisions: ["2025-11-25"],
    async run(context) {
      const watched = new Watched(beginStream);
      context.mock.use(sessionByKey({ stream: watched.script }));
      const session = await context.openSession();
      const client = await callAndHead(context, sessionCall(session, "stream"));
      await context.within(watched.begun, "the call at the server");
      client.close();
      await expectWorks(context, (key) => sessionCall(session, key), "after the departure");
      const cancelled = context.mock.requests.find((request) =>
        rpcOf(request)?.method === "notifications/cancelled"
      );
      expect(!cancelled, `the server was told that the call is cancelled: ${cancelled?.text}`);
    },
  },
  {
    id: "cancellation.departure-leaves-the-session",
    group: "cancellation",
    title: "in a session a client that leaves one stream does not end its other calls",
    source: `${T11}, "Multiple Connections"`,
    revisions: ["2025-11-25"],
    async run(context) {
      const { scripts, answer } = leftAndStayed();
      context.mock.use(sessionByKey(scripts));
      const session = await context.openSession();
      const staying = context.send(sessionCall(session, "stayed", 1));
      await context.within(context.mock.arrival(withKey("stayed")), "the call at the server");
      const client = await callAndHead(context, sessionCall(session, "left", 2));
      client.close();
      await expectWorks(context, (key) => sessionCall(session, key, 3), "after the departure");
      answer();
      expectEqual(echoed(await staying), "stayed", "what the other call was answered with");
    },
  },
];

async function cancelledNotification(context: Context): Promise<void> {
  const watched = new Watched(beginStream);
  context.mock.use(sessionByKey({ stream: watched.script }));
  const session = await context.openSession();
  const client = await callAndHead(context, sessionCall(session, "stream", "call-7"));
  await context.within(watched.begun, "the call at the server");
  const params = { requestId: "call-7", reason: "enough" };
  const { status } = await context.send({
    body: { jsonrpc: "2.0", method: "notifications/cancelled", params },
    fields: session.fields,
  });
  expectOneOf(status, [202], "the status of the notification");
  const { mock } = context;
  const arrived = await context.within(
    mock.arrival((request) => rpcOf(request)?.method === "notifications/cancelled"),
    "the notification at the server",
  );
  const named = rpcOf(arrived)?.params?.["requestId"];
  const known = mock.requests.filter(withKey("stream")).map((request) => rpcOf(request)?.id);
  expect(
    known.some((id) => id === named),
    `the server was told to cancel ${named}, and knows the call as ${known}`,
  );
  client.close();
}
