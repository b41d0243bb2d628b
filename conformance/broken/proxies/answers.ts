/**
 * Proxies that give answers other than they came.
 *
 * @module
 */

import { Asked } from "../asked.ts";
import { ofGroup } from "../broken_proxy.ts";
import type { AnswerChange, AnswerHead, Damage, Passing, Sides } from "../damage.ts";
import { bytesOf, fieldOf, rewritten, textOf, withField } from "../message.ts";
import { TcpEnd } from "../tcp.ts";

/** Whether an answer is JSON. */
function isJson({ fields }: AnswerHead): boolean {
  return fieldOf(fields, "content-type")?.toLowerCase().startsWith("application/json") ?? false;
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
