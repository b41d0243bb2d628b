/**
 * Session ids are the proxy's own, and have a lifecycle: 2025-03-26 to 2025-11-25
 * `basic/transports`, "Session Management". In 2026-07-28 there are none.
 *
 * @module
 */

import type { MockRequest, MockScript } from "../mock/mod.ts";
import { type Answer, type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { TRANSLATION } from "./session_ids.ts";
import { LIFECYCLE } from "./session_lifecycle.ts";
import { REFUSED } from "./session_refusals.ts";
import { HEADER } from "./strict_session.ts";
import { echoed, echoKey, echoResult, modernCall } from "./upstreams.ts";

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
