/**
 * Proxies that mistake what is asked, of whom, and where a request or an answer ends.
 *
 * @module
 */

import { binary, valuesOf } from "../../wire/mod.ts";
import { ofGroup } from "../broken_proxy.ts";
import { answering, bare, NOTHING, passing, said, SESSION } from "../choices.ts";
import type { Damage, Passing, RequestChange } from "../damage.ts";
import { past } from "../link.ts";
import { answerWith, requestWith, unbinary } from "../message.ts";
import { join, TcpEnd } from "../tcp.ts";

/** How much of a request is looked through, in bytes. */
const LOOKED_THROUGH_BYTES = 16_384;

function startOf({ bytes }: Passing): string {
  return binary(bytes.subarray(0, LOOKED_THROUGH_BYTES));
}

/** Hands to the server, beside what it is in, whatever looks like a request. */
function findingRequests(request: Passing): RequestChange | undefined {
  const text = startOf(request);
  const end = text.indexOf("\n\r\n");
  const at = end === -1 ? -1 : text.indexOf("POST /", end);
  return at === -1 ? undefined : past(request.bytes.subarray(at));
}

/** The lines behind the last chunk as fields of the head. */
function trailersAsFields(request: Passing): RequestChange | undefined {
  const [, lines] = /\r\n0\r\n((?:[\w-]+:[^\r]*\r\n)+)\r\n$/.exec(startOf(request)) ?? [];
  if (lines === undefined || !request.sound) return undefined;
  const added = [...lines.matchAll(/^([\w-]+): *([^\r]*)/gm)]
    .map(([, name = "", value = ""]) => [name, value] as const);
  return past(requestWith(request, { fields: [...request.fields, ...added] }));
}

/** Takes one request of what has come, and goes on with what comes after. */
const takingOne: Damage = {
  request: ({ sound, method, bytes }) =>
    !sound || method !== "POST" ? undefined : {
      async take({ client, connect }) {
        const proxy = await connect();
        await proxy.write(bytes);
        await join(client, proxy);
      },
    },
};

const ABSOLUTE = /^http:\/\/(127\.0\.0\.1):(\d+)(\/[^ ]*)$/;

/** Calls the host that the target names. */
const callingTheTarget: Damage = {
  request(request) {
    const [, hostname, port, path] = ABSOLUTE.exec(request.target) ?? [];
    if (hostname === undefined || path === undefined) return undefined;
    return {
      async take({ client }) {
        const server = await TcpEnd.to({ hostname, port: Number(port) });
        await server.write(requestWith(request, { startLine: `POST ${path} HTTP/1.1` }));
        await join(client, server);
      },
    };
  },
};

/** The broken proxies that mistake targets, and what belongs to a request. */
export const TARGETS = ofGroup("transport", [
  {
    name: "passes-odd-heads",
    describe: "sends on to the server, as it came, what is no HTTP/1.1 read strictly",
    breaks: [
      "transport.equal-lengths",
      "transport.folded-field",
      "transport.control-characters",
      "transport.odd-chunks",
    ],
    make: () => ({ front: passing(({ sound }) => !sound) }),
  },
  {
    name: "takes-signed-lengths",
    describe: "reads a length with a sign as a number",
    breaks: ["transport.odd-length"],
    make: () => ({
      front: {
        request(request) {
          const text = startOf(request);
          const repaired = text.replace(/(\r\ncontent-length: )\+(\d+\r\n)/, "$1$2");
          return repaired === text ? undefined : { send: unbinary(repaired) };
        },
      },
    }),
  },
  {
    name: "answers-heads-with-bare-lf",
    describe: "answers a head whose lines end in LF as if it had been served",
    breaks: ["transport.bare-lf"],
    make: () => ({ front: answering(({ startLine }) => startLine.includes("\n"), NOTHING) }),
  },
  {
    name: "makes-fields-of-trailers",
    describe: "makes fields of the head of what stands behind a chunked body",
    breaks: ["transport.trailers"],
    make: () => ({ front: { request: trailersAsFields } }),
  },
  {
    name: "drops-pipelined-requests",
    describe: "drops what comes together with a request",
    breaks: ["transport.pipelining"],
    make: () => ({ front: takingOne }),
  },
  {
    name: "answers-head-with-a-body",
    describe: "answers HEAD with a body",
    breaks: ["transport.head-without-body"],
    make: () => ({
      front: answering(({ method }) => method === "HEAD", answerWith(405, [], "no such method")),
    }),
  },
  {
    name: "refuses-expectations",
    describe: "refuses requests with Expect",
    breaks: ["transport.expect-continue"],
    make: () => ({
      front: answering((request) => said(request, "expect") !== undefined, bare(417)),
    }),
  },
  {
    name: "finds-requests-in-bodies",
    describe: "sends on to the server whatever looks like a request in the body of another",
    breaks: [
      "transport.smuggling-both-framings",
      "transport.smuggling-odd-coding",
      "transport.smuggling-two-codings",
      "transport.smuggling-lengths",
      "transport.smuggling-chunks",
      "transport.smuggling-methods",
      "transport.smuggling-odd-heads",
    ],
    make: () => ({ front: { request: findingRequests } }),
  },
  {
    name: "calls-the-host-in-the-target",
    describe: "calls the host that a target in absolute form names",
    breaks: ["transport.absolute-form-foreign"],
    make: () => ({ front: callingTheTarget }),
  },
  {
    name: "refuses-absolute-targets",
    describe: "refuses targets in absolute form, also where they name the proxy itself",
    breaks: ["transport.absolute-form-own"],
    make: () => ({ front: answering(({ target }) => target.startsWith("http"), bare(404)) }),
  },
  {
    name: "believes-override-fields",
    describe: "asks the server for the path in X-Original-URL",
    breaks: ["transport.override-fields"],
    make: () => ({
      front: {
        request(request) {
          const path = said(request, "x-original-url");
          if (path === undefined) return undefined;
          return past(requestWith(request, { startLine: `POST ${path} HTTP/1.1` }));
        },
      },
    }),
  },
  {
    name: "answers-the-preface-of-http2",
    describe: "answers the preface of HTTP/2 as if it were a request",
    breaks: ["transport.http2-preface"],
    make: () => ({ front: answering(({ method }) => method === "PRI", NOTHING) }),
  },
  {
    name: "forwards-offers-to-upgrade",
    describe: "hands an offer to change the protocol to the server",
    breaks: ["transport.upgrade-request"],
    make: () => ({ front: passing((request) => said(request, "http2-settings") !== undefined) }),
  },
  {
    name: "forwards-both-session-ids",
    describe: "sends a request with two session ids on as it is",
    breaks: ["transport.two-session-ids"],
    make: () => ({ front: passing(({ fields }) => valuesOf(fields, SESSION).length > 1) }),
  },
  {
    name: "knows-media-types-by-their-bytes",
    describe: "refuses media types in any spelling but the usual one",
    breaks: ["transport.content-type-served", "transport.accept-served"],
    make: () => ({
      front: answering((request) => {
        if (request.method !== "POST" || !request.sound) return false;
        const type = said(request, "content-type") ?? "application/json";
        return type !== "application/json" ||
          said(request, "accept") !== "application/json, text/event-stream";
      }, bare(415)),
    }),
  },
  {
    name: "streams-to-anyone",
    describe: "answers GET of a client that takes no event stream",
    breaks: ["transport.accept-get"],
    make: () => ({
      front: answering(
        (request) =>
          request.method === "GET" && request.target === "/mcp" &&
          !/event-stream|\*\/\*/.test(said(request, "accept") ?? ""),
        NOTHING,
      ),
    }),
  },
]);

/** Repairs the head of an answer that cannot be read. */
function repairingAnswers(repair: (text: string) => string): Damage {
  return {
    answer: () => undefined,
    unreadable: (bytes) => unbinary(repair(binary(bytes))),
  };
}

/** The broken proxies that mistake what the server's answers are. */
export const ANSWER_FRAMES = ofGroup("transport", [
  {
    name: "takes-the-length-of-chunked-answers",
    describe: "goes by the length of an answer that is chunked too",
    breaks: ["transport.answer-framings"],
    make: () => ({
      back: repairingAnswers((text) =>
        /^content-length:/im.test(text) ? text.replace(/\r\ntransfer-encoding: chunked/i, "") : text
      ),
    }),
  },
  {
    name: "splits-fields-of-answers",
    describe: "ends a field of the server's at a bare CR",
    breaks: ["transport.answer-splitting"],
    make: () => ({
      back: repairingAnswers((text) => text.replaceAll(/\r(?!\n)/g, "\r\n")),
    }),
  },
]);
