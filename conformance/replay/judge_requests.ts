/**
 * What replayed requests are judged by: pure functions of what both sides saw.
 *
 * @module
 */

import { each, type Findings, mayAnswerItself } from "./findings.ts";
import { fieldOf } from "./plan.ts";
import type { Transcript } from "./transcript.ts";
import { canonical } from "./values.ts";

/** Fields of requests that mean something to an MCP server. */
const REQUEST_FIELDS = /^(content-type|mcp-protocol-version|mcp-method|mcp-name|mcp-param-.+)$/;

/** Whether each request reached the server once, and nothing else did. */
export function judgeOnce(transcript: Transcript): Findings {
  const strays = transcript.strays.map((request) => `nobody sent this to the server: ${request}`);
  const found = each(transcript, () => true, (outcome) => {
    if (outcome.repeats > 0) return [`it reached the server ${outcome.repeats + 1} times`];
    const refused = (outcome.got?.status ?? 0) >= 400 || outcome.problem !== undefined;
    // Refusing what is right is an answer of its own, and judged as one.
    if (outcome.arrived !== undefined || refused || mayAnswerItself(outcome.plan)) return [];
    return ["it never reached the server"];
  });
  return found === undefined ? undefined : [...found, ...strays];
}

/** Whether the bodies of requests arrived as they were sent. */
export function judgeRequestBytes(transcript: Transcript): Findings {
  return each(transcript, ({ arrived, sent }) => arrived !== undefined && sent!.body.length > 0, ({
    arrived,
    sent,
  }) => {
    const [is, was] = [arrived!.body, sent!.body].map((body) =>
      canonical(body, transcript.aliases)
    );
    return is === was ? [] : [`its body arrived as ${is}, sent was ${was}`];
  });
}

/** Whether the fields of requests arrived that mean something to MCP. */
export function judgeRequestFields(transcript: Transcript): Findings {
  return each(transcript, ({ arrived }) => arrived !== undefined, ({ arrived, sent }) => {
    const wrong: string[] = [];
    for (const [name, value] of sent!.fields) {
      // HTTP+SSE has no such field; that later clients send it all the same means nothing.
      if (transcript.plan.isHttpSse && name === "mcp-protocol-version") continue;
      const came = fieldOf(arrived!.fields, name);
      if (REQUEST_FIELDS.test(name) && came !== value) {
        wrong.push(`${name} arrived as ${came ?? "nothing"}, sent was ${value}`);
      }
    }
    for (const type of ["application/json", "text/event-stream"]) {
      if (!fieldOf(sent!.fields, "accept")?.includes(type)) continue;
      const accept = fieldOf(arrived!.fields, "accept") ?? "nothing";
      if (!accept.includes(type)) wrong.push(`accept arrived as ${accept}, without ${type}`);
    }
    return wrong.concat(resumption(transcript, fieldOf(sent!.fields, "last-event-id"), arrived!));
  });
}

function resumption(
  { aliases }: Transcript,
  sent: string | undefined,
  arrived: { readonly fields: readonly (readonly [string, string])[] },
): string[] {
  const came = fieldOf(arrived.fields, "last-event-id");
  const alias = aliases.find(({ client }) => client === sent);
  if (sent === undefined || alias === undefined || came === alias.server) return [];
  return [`last-event-id arrived as ${came ?? "nothing"}, the server's own was ${alias.server}`];
}
