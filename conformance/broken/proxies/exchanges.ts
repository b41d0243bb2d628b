/**
 * Proxies that send requests more than once, or requests and answers other than they came.
 *
 * @module
 */

import { Asked } from "../asked.ts";
import { ofGroup } from "../broken_proxy.ts";
import type { AnswerChange, AnswerHead, Damage, Passing, Sides } from "../damage.ts";
import { bytesOf, fieldOf, requestWith, textOf, withField } from "../message.ts";

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

/** Turns an id that is a text of digits into a number. */
function idAsNumber(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("id" in value)) return value;
  const isNumeric = typeof value.id === "string" && /^\d+$/.test(value.id);
  return isNumeric ? { ...value, id: Number(value.id) } : value;
}

/** The broken proxies that send requests more than once. */
export const ONCE = ofGroup("once", [
  {
    name: "sends-calls-twice",
    describe: "sends each call twice and throws one answer away",
    breaks: ["once.answered", "once.answered-with-a-stream", "once.concurrent"],
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
    breaks: ["request.ids", "request.spelling", "request.numbers"],
    make: () => ({ back: rewritingRequests() }),
  },
  {
    name: "sorts-the-keys-of-requests",
    describe: "sorts the keys of requests",
    breaks: ["request.ids", "request.unknown-members"],
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
    breaks: ["request.mirrored-fields", "request.version-field"],
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
]);

/** The broken proxies that change answers. */
export const ANSWER = ofGroup("answer", [
  {
    name: "rewrites-the-json-of-answers",
    describe: "parses answers and writes them anew: spaces, escapes and large numbers change",
    breaks: ["answer.ids", "answer.bytes"],
    make: () => rewritingAnswers(),
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
]);
