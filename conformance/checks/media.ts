/**
 * Content negotiation: what a client says it sends, and what it says it takes.
 *
 * @module
 */

import { callRequest, type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { inSession, MARK, reached } from "./probe.ts";

const CALL = callRequest(1, { mark: MARK });
const SECTION = "2025-11-25 basic/transports, Sending Messages to the Server";

function refusing(field: string, values: readonly string[], statuses: readonly number[]) {
  return async (context: Context): Promise<void> => {
    const session = await inSession(context);
    for (const value of values) {
      const fields = { ...session.fields, [field]: value };
      const { status } = await context.send({ body: CALL, fields });
      const wanted = statuses.join(" or ");
      expect(statuses.includes(status), `${field}: ${value} got ${status}, expected ${wanted}`);
      expectEqual(reached(context).length, 0, "the number of refused requests at the server");
    }
  };
}

function serving(field: string, values: readonly string[]) {
  return async (context: Context): Promise<void> => {
    const session = await inSession(context);
    for (const value of values) {
      const fields = { ...session.fields, [field]: value };
      const { status } = await context.send({ body: CALL, fields });
      expect(status === 200, `${field}: ${value} got ${status}, expected 200`);
    }
  };
}

async function getWithoutStream(context: Context): Promise<void> {
  const session = await inSession(context);
  for (const accept of ["application/json", "text/html"]) {
    const fields = { ...session.fields, accept };
    const { status } = await context.send({ method: "GET", fields });
    // 405 says that there are no streams at all, for whatever Accept.
    expect([400, 405, 406].includes(status), `GET with Accept: ${accept} got ${status}`);
  }
}

const RULES: readonly Omit<Scenario, "group">[] = [
  {
    id: "transport.content-type-refused",
    title: "What says that it is no JSON is refused: a web page may send it without being asked",
    source: `${SECTION}; RFC 9110 section 15.5.16; R30`,
    run: refusing("content-type", [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/jsonx",
      "text/plain; application/json",
    ], [400, 415]),
  },
  {
    id: "transport.content-type-served",
    title: "application/json is taken in every spelling",
    source: "RFC 9110 section 8.3.1; R30",
    run: serving("content-type", [
      "application/json",
      "Application/JSON",
      "application/json; charset=utf-8",
      'application/json;charset="UTF-8"',
    ]),
  },
  {
    id: "transport.accept-refused",
    title: "A client that takes neither JSON nor event streams is told so before anything is done",
    source: `${SECTION}; RFC 9110 section 15.5.7; R31`,
    run: refusing("accept", [
      "text/html",
      "image/*",
      "application/json;q=0, text/event-stream;q=0",
    ], [400, 406]),
  },
  {
    id: "transport.accept-served",
    title: "Accept that lists both types is understood in every spelling",
    source: `${SECTION}; RFC 9110 section 12.5.1; R31`,
    run: serving("accept", [
      "application/json, text/event-stream",
      "text/event-stream,application/json",
      "Application/JSON;q=0.5, TEXT/Event-Stream;q=0.1, */*;q=0.01",
      "*/*",
      "application/*, text/*",
    ]),
  },
  {
    id: "transport.accept-get",
    title: "GET by a client that takes no event stream is refused",
    source: "2025-11-25 basic/transports, Listening for Messages from the Server; R31",
    run: getWithoutStream,
  },
];

/** The checks of content negotiation. */
export const MEDIA: readonly Scenario[] = RULES.map((rule) => ({ ...rule, group: "transport" }));
