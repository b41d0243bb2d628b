/**
 * Proxies that send requests more than once, or requests and answers other than they came.
 *
 * @module
 */

import { Asked } from "../asked.ts";
import { ofGroup } from "../broken_proxy.ts";
import { replacing } from "../choices.ts";
import type { AnswerChange, AnswerHead, Damage, Passing, Sides } from "../damage.ts";
import { bytesOf, fieldOf, requestWith, textOf, withField } from "../message.ts";
import { TcpEnd } from "../tcp.ts";

/** Whether an answer is JSON. */
function isJson({ fields }: AnswerHead): boolean {
  return fieldOf(fields, "content-type")?.toLowerCase().startsWith("application/json") ?? false;
}

/** JSON written anew; what is no JSON stays. */
function rewritten(body: Uint8Array, change: (value: unknown) => unknown = (value) => value) {
  const text = textOf(body);
  try {
    return bytesOf(JSON.stringify(change(JSON.parse(text))));
  } catch {
    return body;
  }
}

/** Writes the JSON of requests anew. */
function rewritingRequests(change?: (value: unknown) => unknown): Damage {
  return {
    request: (request) => ({
      send: requestWith(request, { body: rewritten(request.body, change) }),
    }),
  };
}

/** Takes fields away from requests. */
function withoutFields(which: (name: string) => boolean): Damage {
  return {
    request: (request) => ({
      send: requestWith(request, { fields: request.fields.filter(([name]) => !which(name)) }),
    }),
  };
}

/** Does something to answers that are not event streams. */
function onAnswers(
  change: (head: AnswerHead, request: Passing) => AnswerChange | undefined,
): Damage {
  return { answer: change };
}

/** Writes the JSON of the server's answers anew. */
function rewritingAnswers(change?: (value: unknown) => unknown): Sides {
  const asked = new Asked();
  const front = asked.where((head) =>
    isJson(head) ? { whole: (body) => rewritten(body, change) } : undefined
  );
  return { back: asked.back, front };
}

/** The same JSON over several lines. */
function indented(body: Uint8Array): Uint8Array {
  return bytesOf(new TextDecoder().decode(body).replace(/^\{/, "{\n  "));
}

/** Turns an id that is a text of digits into a number. */
function idAsNumber(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("id" in value)) return value;
  const isNumeric = typeof value.id === "string" && /^\d+$/.test(value.id);
  return isNumeric ? { ...value, id: Number(value.id) } : value;
}

/** Sends a request to another host; the answer is thrown away. */
async function follow(hostname: string, port: number, bytes: Uint8Array): Promise<void> {
  const end = await TcpEnd.to({ hostname, port });
  await end.write(bytes);
  await end.read();
  end.close();
}

/** The broken proxies that send requests more than once. */
export const ONCE = ofGroup("once", [
  {
    name: "sends-calls-twice",
    needsTimeouts: true,
    describe: "sends each call twice and throws one answer away",
    breaks: [
      "once.answered",
      "once.answered-with-a-stream",
      "once.concurrent",
      "once.closed-inside-the-head",
      "once.closed-inside-the-body",
      "once.reset-inside-a-stream",
      "once.no-http",
      "once.timeout-before-the-head",
      "once.timeout-inside-the-body",
      "once.slow-answer",
      "once.error-status",
      "once.unused-connection-closed",
      "once.client-leaves-before-the-answer",
      "once.client-leaves-its-stream",
    ],
    make: () => ({
      back: {
        request: ({ body, bytes }) =>
          textOf(body).includes('"tools/call"') ? { also: bytes } : undefined,
      },
    }),
  },
  {
    name: "sends-notifications-twice",
    describe: "sends each notification twice",
    breaks: ["once.session-messages"],
    make: () => ({
      back: {
        request: ({ body, bytes }) =>
          textOf(body).includes('"notifications/') ? { also: bytes } : undefined,
      },
    }),
  },
  {
    name: "sends-gets-twice",
    describe: "sends each GET twice",
    breaks: ["once.get-refused-once"],
    make: () => ({
      back: { request: ({ method, bytes }) => method === "GET" ? { also: bytes } : undefined },
    }),
  },
  {
    name: "takes-405-for-later",
    withEventLog: true,
    describe: "asks again for the rest of a stream where the server has answered 405",
    breaks: ["once.resumption-refused-once"],
    make: () => ({
      back: {
        answer: ({ status }, { fields }) =>
          status === 405 && fieldOf(fields, "last-event-id") !== undefined
            ? { status: 503 }
            : undefined,
      },
    }),
  },
  {
    name: "retries-without-an-answer",
    describe: "sends a request again where the server ends the connection without an answer",
    breaks: ["once.closed-without-an-answer", "once.reset-without-an-answer"],
    make: () => ({ back: { unanswered: "retry", request: () => undefined } }),
  },
]);

/** The broken proxies that change requests. */
export const REQUEST = ofGroup("request", [
  {
    name: "rewrites-the-json-of-requests",
    describe: "parses requests and writes them anew: spaces, escapes and large numbers change",
    breaks: ["request.ids", "request.odd-ids", "request.spelling", "request.numbers"],
    make: () => ({ back: rewritingRequests() }),
  },
  {
    name: "sorts-the-keys-of-requests",
    describe: "sorts the keys of requests",
    breaks: [
      "request.ids",
      "request.unknown-members",
      "request.notifications-and-responses",
      "request.chunked-body",
      "request.bytewise",
      "request.large-body",
    ],
    make: () => ({
      back: rewritingRequests((value) =>
        typeof value === "object" && value !== null && !Array.isArray(value)
          ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => a < b ? -1 : 1))
          : value
      ),
    }),
  },
  {
    name: "strips-mirrored-fields",
    describe: "keeps Mcp-Method, Mcp-Name and Mcp-Param fields to itself",
    breaks: ["request.mirrored-fields", "request.param-fields"],
    make: () => ({ back: withoutFields((name) => /^mcp-(method|name|param-)/.test(name)) }),
  },
  {
    name: "strips-the-version",
    describe: "keeps MCP-Protocol-Version to itself",
    breaks: ["request.mirrored-fields", "request.version-field", "request.odd-version-field"],
    make: () => ({ back: withoutFields((name) => name === "mcp-protocol-version") }),
  },
  {
    name: "strips-trace-context",
    describe: "keeps traceparent and other fields that it does not know to itself",
    breaks: ["request.unknown-fields"],
    make: () => ({ back: withoutFields((name) => /^(traceparent|tracestate|x-)/.test(name)) }),
  },
  {
    name: "asks-for-anything",
    describe: "writes an Accept of its own",
    breaks: ["request.accept"],
    make: () => ({
      back: {
        request: (request) => ({
          send: requestWith(request, { fields: withField(request.fields, "accept", "*/*") }),
        }),
      },
    }),
  },
  {
    name: "calls-requests-text",
    describe: "sends requests on as plain text",
    breaks: ["request.content-type"],
    make: () => ({ back: replacing("content-type", /json/i, "text/plain") }),
  },
  {
    name: "gives-delete-a-body",
    describe: "sends GET and DELETE on with a body",
    breaks: ["request.get-and-delete"],
    make: () => ({
      back: {
        request: (request) =>
          /^(GET|DELETE)$/.test(request.method)
            ? { send: requestWith(request, { body: bytesOf("{}") }) }
            : undefined,
      },
    }),
  },
  {
    name: "has-a-path-for-sessions",
    describe: "sends DELETE on to a path of its own",
    breaks: ["request.one-target"],
    make: () => ({
      back: {
        request: (request) =>
          request.method === "DELETE"
            ? { send: requestWith(request, { startLine: "DELETE /mcp/session HTTP/1.1" }) }
            : undefined,
      },
    }),
  },
]);

/** The broken proxies that change answers. */
export const ANSWER = ofGroup("answer", [
  {
    name: "rewrites-the-json-of-answers",
    describe: "parses answers and writes them anew: spaces, escapes and large numbers change",
    breaks: [
      "answer.ids",
      "answer.bytes",
      "answer.refusals",
      "answer.failures",
      "answer.missing-capability",
      "answer.header-mismatch",
    ],
    make: () => rewritingAnswers(),
  },
  {
    name: "indents-the-json-of-answers",
    describe: "writes the JSON of answers over several lines",
    breaks: ["answer.bytes"],
    make() {
      const asked = new Asked();
      const front = asked.where((head) => isJson(head) ? { whole: indented } : undefined);
      return { back: asked.back, front };
    },
  },
  {
    name: "answers-with-ids-as-numbers",
    describe: "makes numbers of ids that are texts of digits",
    breaks: ["answer.ids"],
    make: () => rewritingAnswers(idAsNumber),
  },
  {
    name: "accepts-with-a-body",
    describe: "answers accepted notifications with a body",
    breaks: ["answer.accepted", "answer.accepted-modern"],
    make: () => ({
      front: onAnswers(({ status }) =>
        status === 202 ? { whole: () => bytesOf("Accepted") } : undefined
      ),
    }),
  },
  {
    name: "makes-500-of-404",
    describe: "answers 500 where the server answered 404",
    breaks: ["answer.unknown-method"],
    make() {
      let found = true;
      return {
        back: { answer: ({ status }) => void (found = status !== 404) },
        front: {
          request: () => void (found = true),
          answer: ({ status }, { fields }) =>
            status === 404 && !found && fieldOf(fields, "mcp-session-id") === undefined
              ? { status: 500 }
              : undefined,
        },
      };
    },
  },
  {
    name: "drops-retry-after",
    describe: "drops Retry-After",
    breaks: ["answer.retry-after"],
    make: () => ({
      front: onAnswers(({ fields }) =>
        fieldOf(fields, "retry-after") === undefined
          ? undefined
          : { fields: withField(fields, "retry-after", null) }
      ),
    }),
  },
  {
    name: "drops-unknown-fields",
    describe: "drops the fields of answers that it does not know",
    breaks: ["answer.unknown-fields"],
    make: () => ({
      front: onAnswers(({ fields }) => ({
        fields: fields.filter(([name]) => !/^(x-unknown|deprecation|x-two)$/.test(name)),
      })),
    }),
  },
  {
    name: "calls-json-text",
    describe: "calls JSON plain text",
    breaks: ["answer.content-type"],
    make: () => ({
      front: onAnswers((head) =>
        isJson(head) ? { fields: withField(head.fields, "content-type", "text/plain") } : undefined
      ),
    }),
  },
  {
    name: "decodes-each-piece-of-json-alone",
    describe: "decodes each piece of JSON by itself, also inside a character",
    breaks: ["answer.chunked-json", "answer.large-json"],
    make: () => ({
      back: onAnswers((head) =>
        isJson(head) && head.startLine.startsWith("HTTP/1.1")
          ? { stream: { push: (piece) => [bytesOf(textOf(piece))] } }
          : undefined
      ),
    }),
  },
  {
    name: "claims-a-coding",
    describe: "says that the body is gzip, since the client takes that, and leaves it as it is",
    breaks: ["answer.coding"],
    make: () => ({
      front: onAnswers(({ fields }, request) =>
        fieldOf(request.fields, "accept-encoding") === "gzip"
          ? { fields: withField(fields, "content-encoding", "gzip") }
          : undefined
      ),
    }),
  },
  {
    name: "accepts-any-notification",
    describe: "answers 202 to notifications that the server refused",
    breaks: ["answer.refused-notification"],
    make() {
      const asked = new Asked();
      const isNotification = ({ method, body }: Passing) =>
        method === "POST" && !textOf(body).includes('"id"');
      const accept = { status: 202, whole: () => new Uint8Array() };
      return {
        back: asked.back,
        front: asked.where(({ status }, request) =>
          status === 400 && isNotification(request) ? accept : undefined
        ),
      };
    },
  },
  {
    name: "makes-404-of-405",
    describe: "answers 404 where the server has no stream to offer",
    breaks: ["answer.not-allowed"],
    make: () => ({
      front: onAnswers(({ status }, request) =>
        status === 405 && request.method === "GET" &&
          fieldOf(request.fields, "mcp-session-id") !== undefined
          ? { status: 404 }
          : undefined
      ),
    }),
  },
  {
    name: "follows-redirects",
    describe: "calls the host to which the server redirects it",
    breaks: ["answer.redirect"],
    make: () => ({
      back: onAnswers(({ fields }, { bytes }) => {
        const to = /^http:\/\/(127\.0\.0\.1):(\d+)\//.exec(fieldOf(fields, "location") ?? "");
        return to === null ? undefined : { wait: follow(to[1]!, Number(to[2]), bytes) };
      }),
    }),
  },
]);
