/**
 * Proxies that read HTTP in ways in which others do not.
 *
 * @module
 */

import { binary, joined } from "../../wire/mod.ts";
import { ofGroup } from "../broken_proxy.ts";
import { carrying } from "../choices.ts";
import type { Damage, RequestChange } from "../damage.ts";
import { past } from "../link.ts";
import { answerWith, fieldOf, requestWith, unbinary, withField } from "../message.ts";

/** The longest head that is looked at, in bytes. */
const MAX_REPAIRED_BYTES = 16_384;

/** Repairs a head that should be refused: `repair` gives it anew, or undefined. */
function repairing(repair: (head: string) => string | undefined): Damage {
  return {
    request({ bytes }): RequestChange | undefined {
      const text = binary(bytes.subarray(0, MAX_REPAIRED_BYTES));
      const end = text.indexOf("\r\n\r\n");
      const head = end === -1 ? undefined : repair(text.slice(0, end));
      if (head === undefined) return undefined;
      return { send: joined([unbinary(head), bytes.subarray(end)]) };
    },
  };
}

const FRAMING = /^(content-length|transfer-encoding)$/;

const has = (head: string, line: RegExp) => line.test(head);

const OWN_HOP_BY_HOP = [["keep-alive", "timeout=5"], ["proxy-connection", "keep-alive"]] as const;

/** The broken proxies of the group. */
export const TRANSPORT = ofGroup("transport", [
  {
    name: "takes-both-framings",
    describe: "takes the length where a request has both framings",
    breaks: ["transport.both-framings"],
    make: () => ({
      front: repairing((head) =>
        has(head, /^content-length:/im) && has(head, /^transfer-encoding:/im)
          ? head.replaceAll(/\r\ntransfer-encoding:[^\r]*/gi, "")
          : undefined
      ),
    }),
  },
  {
    name: "takes-the-last-length",
    describe: "takes the last of several lengths",
    breaks: ["transport.differing-lengths"],
    make: () => ({
      front: repairing((head) => {
        const lengths = [...head.matchAll(/\r\ncontent-length:[^\r]*/gi)];
        if (lengths.length < 2) return undefined;
        return lengths.slice(0, -1).reduce((text, [line]) => text.replace(line, ""), head);
      }),
    }),
  },
  {
    name: "forgives-spaces-before-colons",
    describe: "takes away white space between the name of a field and its colon",
    breaks: ["transport.space-before-colon"],
    make: () => ({
      front: repairing((head) => {
        const repaired = head.replaceAll(/(\r\n[\w-]+)[ \t]+:/g, "$1:");
        return repaired === head ? undefined : repaired;
      }),
    }),
  },
  {
    name: "ignores-odd-codings",
    describe: "takes any Transfer-Encoding for chunked",
    breaks: ["transport.odd-transfer-coding", "transport.other-coding"],
    make: () => ({
      front: repairing((head) =>
        has(head, /^transfer-encoding:/im) && !has(head, /^transfer-encoding: *chunked *$/im)
          ? head.replace(/transfer-encoding:[^\r]*/i, "transfer-encoding: chunked")
          : undefined
      ),
    }),
  },
  {
    name: "serves-paths-that-begin-like-its-own",
    describe: "sends on to the server, as it stands, any path that begins with the endpoint's",
    breaks: ["transport.path-tricks"],
    make: () => ({
      front: {
        request: ({ target, bytes, sound }) =>
          sound && target.startsWith("/mcp") && !/^\/mcp(\?|$)/.test(target)
            ? past(bytes)
            : undefined,
      },
    }),
  },
  {
    name: "answers-trace",
    describe: "answers TRACE with what it got",
    breaks: ["transport.connect-and-trace"],
    make: () => ({
      front: {
        request: ({ method, bytes }) =>
          method === "TRACE"
            ? { answer: answerWith(200, [["content-type", "message/http"]], binary(bytes)) }
            : undefined,
      },
    }),
  },
  {
    name: "forwards-nominated-fields",
    describe: "sends on to the server what Connection names",
    breaks: ["transport.hop-by-hop-request"],
    make: () =>
      carrying(({ fields }) => {
        const names = (fieldOf(fields, "connection") ?? "").toLowerCase().split(/ *, */);
        return fields.filter(([name]) => names.includes(name) && !name.startsWith("mcp-"));
      }),
  },
  {
    name: "drops-whatever-is-nominated",
    describe: "takes away every field that Connection names, also those of MCP",
    breaks: ["transport.nominated-session"],
    make() {
      let names: string[] = [];
      return {
        front: {
          request({ fields }) {
            names = (fieldOf(fields, "connection") ?? "").toLowerCase().split(/ *, */)
              .filter((name) => name.startsWith("mcp-"));
            return undefined;
          },
        },
        back: {
          request: (request) =>
            names.length === 0 ? undefined : {
              send: requestWith(request, {
                fields: request.fields.filter(([name]) => !names.includes(name)),
              }),
            },
        },
      };
    },
  },
  {
    name: "adds-hop-by-hop-fields",
    describe: "tells the client what is between it and the server, and the other way round",
    breaks: ["transport.hop-by-hop-request", "transport.hop-by-hop-answer"],
    make: () => ({
      front: { answer: ({ fields }) => ({ fields: [...fields, ...OWN_HOP_BY_HOP] }) },
      back: {
        request: (request) => ({
          send: requestWith(request, { fields: [...request.fields, ["te", "trailers"]] }),
        }),
      },
    }),
  },
  {
    name: "completes-short-bodies",
    describe: "takes a body that broke off for a whole one",
    breaks: ["transport.short-body"],
    make: () => ({
      front: {
        request(request) {
          if (request.sound) return undefined;
          const text = binary(request.bytes);
          const body = unbinary(text.slice(text.indexOf("\r\n\r\n") + 4));
          const lengths = request.fields.filter(([name]) => FRAMING.test(name));
          if (lengths.length !== 1 || lengths[0]![0] !== "content-length") {
            return undefined;
          }
          // A shorter one than was announced, and no other fault.
          const announced = /^\d{1,9}$/.test(lengths[0]![1]) ? Number(lengths[0]![1]) : 0;
          if (announced <= body.length) return undefined;
          return { send: requestWith({ ...request, body }, {}) };
        },
      },
    }),
  },
  {
    name: "answers-any-method",
    describe: "answers PUT and other methods that it does not have as if it had them",
    breaks: ["transport.unknown-methods"],
    make: () => ({
      front: {
        request: ({ method, target }) =>
          target === "/mcp" && /^(PUT|PATCH|FOO)$/.test(method)
            ? { answer: answerWith(200, [], "") }
            : undefined,
      },
    }),
  },
  {
    name: "ignores-media-types",
    describe: "takes any body for JSON, and gives answers that the client cannot take",
    breaks: ["transport.content-type-refused", "transport.accept-refused"],
    make: () => ({
      front: {
        request(request) {
          const { method, fields, sound } = request;
          if (!sound || !/^(POST|GET)$/.test(method)) return undefined;
          const both = "application/json, text/event-stream";
          const accepts = withField(fields, "accept", both);
          return {
            send: requestWith(request, {
              fields: method === "GET"
                ? accepts
                : withField(accepts, "content-type", "application/json"),
            }),
          };
        },
      },
    }),
  },
  {
    name: "passes-claims-of-other-proxies",
    describe: "sends X-Forwarded-For and underscored names on to the server",
    breaks: ["transport.spoofed-forwarding", "transport.underscored-fields"],
    make: () =>
      carrying(({ fields }) =>
        fields.filter(([name]) => name === "x-forwarded-for" || name.includes("_"))
      ),
  },
  {
    name: "refuses-chunk-extensions",
    describe: "refuses chunks with extensions",
    breaks: ["transport.chunked-body"],
    make: () => ({
      front: {
        request: ({ sound, bytes, fields }) =>
          sound && fieldOf(fields, "transfer-encoding") !== undefined &&
            /\r\n[0-9a-f]+;/i.test(binary(bytes.subarray(0, MAX_REPAIRED_BYTES)))
            ? { answer: answerWith(400, [["connection", "close"]], "") }
            : undefined,
      },
    }),
  },
]);
