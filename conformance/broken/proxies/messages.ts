/**
 * Proxies that take what they should refuse: foreign names, messages that are none, bodies that are
 * too large. Some refuse what they should take.
 *
 * @module
 */

import { type Fields } from "../../wire/mod.ts";
import { ofGroup } from "../broken_proxy.ts";
import {
  answering,
  bare,
  parsed,
  passingPosts,
  pause,
  refielding,
  replacing,
  said,
} from "../choices.ts";
import { Asked } from "../asked.ts";
import type { Passing, RequestChange, Sides } from "../damage.ts";
import { past } from "../link.ts";
import { answerWith, bytesOf, fieldOf, requestWith, textOf, withField } from "../message.ts";

const LOCAL = "127.0.0.1";
const FOREIGN = /^(?!(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$)[a-z0-9.-]+(:\d+)?$/i;
const FOREIGN_ORIGIN = /^(?!https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$)/i;

/** The broken proxies that let foreign names in. */
export const DOOR = ofGroup("door", [
  {
    name: "takes-any-host",
    describe: "takes any name in Host for its own",
    breaks: ["door.foreign-host", "door.lookalike-host", "door.two-hosts"],
    make: () => ({ front: replacing("host", FOREIGN, LOCAL) }),
  },
  {
    name: "takes-any-origin",
    describe: "takes requests from any web page",
    breaks: ["door.foreign-origin", "door.lookalike-origin", "door.foreign-origin-everywhere"],
    make: () => ({ front: replacing("origin", FOREIGN_ORIGIN, null) }),
  },
  {
    name: "needs-no-host",
    describe: "takes a request without Host for one of its own",
    breaks: ["door.missing-host"],
    make: () => ({
      front: refielding((request) =>
        (said(request, "host") ?? "") === "" ? withField(request.fields, "host", LOCAL) : undefined
      ),
    }),
  },
  {
    name: "takes-what-is-no-host",
    describe: "takes whatever stands in Host for its own name, if it is no name at all",
    breaks: ["door.malformed-host"],
    make: () => ({ front: replacing("host", /[^\w.:[\]-]/, LOCAL) }),
  },
  {
    name: "passes-over-the-host-in-the-target",
    describe: "goes by the path of a target in absolute form, whatever host it names",
    breaks: ["door.absolute-form"],
    make: () => ({
      front: {
        request(request) {
          const startLine = request.startLine.replace(/ https?:\/\/[^/ ]+\//, " /");
          if (startLine === request.startLine) return undefined;
          const fields = withField(request.fields, "host", LOCAL);
          return { send: requestWith(request, { fields, startLine }) };
        },
      },
    }),
  },
  {
    name: "lets-anyone-in-by-the-old-door",
    describe: "serves HTTP+SSE under any name, and to any web page",
    breaks: ["door.http-sse"],
    make: () => ({
      front: answering(
        (request) =>
          request.method === "GET" && request.target.endsWith("/sse") &&
          !isAtTheDoor(request.fields),
        answerWith(200, [["content-type", "text/event-stream"]], "event: endpoint\ndata: /x\n\n"),
      ),
    }),
  },
]);

/** Whether a request comes from here, and its body is what it says. */
function isAtTheDoor(fields: Fields): boolean {
  const foreign = FOREIGN.test(fieldOf(fields, "host") ?? "");
  const others = ["origin", "content-encoding"].some((name) => fieldOf(fields, name) !== undefined);
  return !foreign && !others;
}

/** The broken proxies that take messages that are none. */
export const JSON_MESSAGES = ofGroup("json", [
  {
    name: "takes-what-is-no-json",
    describe: "sends on what is no JSON",
    breaks: ["json.not-json", "json.trailing-data", "json.empty-body", "json.not-utf8"],
    make: () => ({
      front: passingPosts(({ fields }, text) => parsed(text) === undefined && isAtTheDoor(fields)),
    }),
  },
  {
    name: "takes-duplicate-keys",
    describe: "takes the last of two equal keys",
    breaks: ["json.duplicate-names"],
    make: () => ({
      front: {
        request(request) {
          const text = textOf(request.body);
          const message = parsed(text);
          const names = ["jsonrpc", "id", "method", "params"];
          const isTwice = names.some((name) => text.split(`"${name}"`).length > 2);
          if (!isTwice || message === undefined) return undefined;
          return { send: requestWith(request, { body: bytesOf(JSON.stringify(message)) }) };
        },
      },
    }),
  },
  {
    name: "takes-any-value-for-a-message",
    describe: "answers JSON that is no JSON-RPC as if it were",
    breaks: ["json.no-message", "json.look-alike-names", "json.proto"],
    make: () => ({
      front: {
        request(request) {
          const message = parsed(textOf(request.body));
          if (request.method !== "POST" || message === undefined || Array.isArray(message)) {
            return undefined;
          }
          const { jsonrpc } = Object(message) as { jsonrpc?: unknown };
          return jsonrpc === "2.0" ? undefined : { answer: answerWith(202, [], "") };
        },
      },
    }),
  },
  {
    name: "fails-on-deep-nesting",
    describe: "fails where values are nested deeply",
    breaks: ["json.deep-nesting"],
    make: () => ({ front: answering((_, text) => text.includes("[".repeat(1_000)), bare(500)) }),
  },
  {
    name: "refuses-nesting",
    describe: "refuses more levels of nesting than it finds needed",
    breaks: ["json.valid-oddities"],
    make: () => ({ front: answering((_, text) => /(\[\s*){30}/.test(text), bare(400)) }),
  },
  {
    name: "takes-any-id",
    describe: "takes for an id whatever stands there",
    breaks: ["json.bad-id"],
    make: () => ({
      front: passingPosts((_, text) => {
        const { method, id } = Object(parsed(text)) as { method?: unknown; id?: unknown };
        return typeof method === "string" && (typeof id === "object" || typeof id === "boolean");
      }),
    }),
  },
  {
    name: "refuses-under-another-id",
    describe: "refuses each request under an id of its own",
    breaks: ["json.refusal-id"],
    make() {
      const asked = new Asked();
      const renamed = (body: Uint8Array) =>
        bytesOf(textOf(body).replace(/("id": ?)("(?:[^"\\]|\\.)*"|\d+)/, '$1"refused-1"'));
      return {
        back: asked.back,
        front: asked.whereNot(({ status }) => status === 400 ? { whole: renamed } : undefined),
      };
    },
  },
]);

async function unpacking(request: Passing): Promise<RequestChange | undefined> {
  if (said(request, "content-encoding") !== "gzip") return undefined;
  const packed = new Blob([new Uint8Array(request.body)]).stream();
  const body = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).bytes();
  const fields = withField(request.fields, "content-encoding", null);
  return past(requestWith(request, { fields, body }));
}

/** How long a request that has begun is waited for, in ms: the next case must find nothing of it. */
const MAX_BEGUN_MS = 1_200;

function readingInOrder(): Sides {
  const begun: number[] = [];
  const isWaitedFor = (sinceMs: number) => performance.now() - sinceMs < MAX_BEGUN_MS;
  return {
    front: {
      begins: () => void begun.push(performance.now()),
      async request() {
        begun.pop();
        while (begun.some(isWaitedFor)) await pause(5);
        return undefined;
      },
    },
  };
}

/** The broken proxies without a limit. */
export const LIMITS = ofGroup("limits", [
  {
    name: "has-no-body-limit",
    describe: "sends on bodies of any size",
    breaks: ["limits.declared-length", "limits.chunked-length"],
    make: () => ({ front: passingPosts(({ body }) => body.length > 1024 * 1024) }),
  },
  {
    name: "refuses-half-the-limit",
    describe: "refuses bodies that are within the limit",
    breaks: ["limits.body-at-limit"],
    make: () => ({
      front: {
        request: ({ body }) =>
          body.length > 768 * 1024 && body.length <= 1024 * 1024
            ? { answer: answerWith(413, [], "") }
            : undefined,
      },
    }),
  },
  {
    name: "fails-on-huge-chunks",
    describe: "fails where a chunk announces more than it can hold",
    breaks: ["limits.one-huge-chunk"],
    make: () => ({
      front: answering(
        ({ bytes }) => /\r\n[0-9a-f]{9,15}\r\n/.test(textOf(bytes.subarray(0, 8_192))),
        bare(500),
      ),
    }),
  },
  {
    name: "fails-on-long-heads",
    describe: "fails where a head is longer than it can hold",
    breaks: ["limits.long-head", "limits.long-target"],
    make: () => ({
      front: answering(
        ({ sound, bytes }) =>
          !sound && bytes.length > 200_000 &&
          !textOf(bytes.subarray(0, 16_384)).includes("\r\n\r\n"),
        bare(500),
      ),
    }),
  },
  {
    name: "unpacks-without-a-limit",
    describe: "unpacks gzip for the server, whatever comes out of it",
    breaks: ["limits.compressed-body"],
    make: () => ({ front: { request: unpacking } }),
  },
  {
    name: "reads-one-request-at-a-time",
    describe: "reads no request before it has read those that began earlier",
    breaks: ["limits.half-sent"],
    make: readingInOrder,
  },
]);
