/**
 * What is judged of the ids of sessions on either side: pure functions of what both sides saw.
 *
 * @module
 */

import { describe, type Findings, judged } from "./findings.ts";
import { fieldOf } from "./plan.ts";
import type { Transcript } from "./transcript.ts";

const SESSION_FIELD = "mcp-session-id";

/** Whether the client got ids of the proxy's own, and the server got back its own. */
export function judgeTranslated(transcript: Transcript): Findings {
  const known = transcript.sessions.filter(({ client }) => client !== undefined);
  if (known.length === 0) return undefined;
  const same = known.filter(({ client, server }) => client === server)
    .map(({ index }) => `the client was given the server's own id of session ${index}`);
  const wrong = judged(transcript).flatMap((outcome) => {
    const sent = fieldOf(outcome.sent!.fields, SESSION_FIELD);
    const session = known.find(({ client }) => client === sent);
    if (session === undefined || outcome.arrived === undefined) return [];
    const came = fieldOf(outcome.arrived.fields, SESSION_FIELD);
    if (came === session.server) return [];
    return [`${describe(outcome)}: the server got the session id ${came ?? "(none)"}, not its own`];
  });
  return [...same, ...wrong];
}

/** Whether no id of one side was told to the other, beside the field that is for it. */
export function judgePrivacy(transcript: Transcript): Findings {
  const translated = transcript.sessions.filter(({ client, server }) =>
    client !== undefined && client !== server
  );
  if (translated.length === 0) return undefined;
  const holds = (
    side: { readonly fields: readonly (readonly [string, string])[]; readonly body: Uint8Array },
    id: string,
  ) => {
    const fields = side.fields.filter(([name]) => name !== SESSION_FIELD);
    return JSON.stringify(fields).includes(id) || new TextDecoder().decode(side.body).includes(id);
  };
  return judged(transcript).flatMap((outcome) =>
    translated.flatMap(({ client, server, index }) => {
      const { got, arrived } = outcome;
      const what = [];
      if (got !== undefined && holds(got, server)) what.push("the client was told the server's");
      if (arrived !== undefined && holds(arrived, client!)) {
        what.push("the server was told the client's");
      }
      return what.map((told) => `${describe(outcome)}: ${told} id of session ${index}`);
    })
  );
}
