/**
 * Proxies that lose, change or reorder events.
 *
 * @module
 */

import { binary, type Fields } from "../../wire/mod.ts";
import { ofGroup } from "../broken_proxy.ts";
import { refielding, said } from "../choices.ts";
import type { Passing, StreamChange } from "../damage.ts";
import { bytesOf, unbinary, withField } from "../message.ts";
import { blocks, isStream, lines, onStreams, pieces, tellsOfFailure } from "../streams.ts";

const LAST_EVENT_ID = "last-event-id";

/** Long enough to see whether a stream ends behind a piece, in ms. */
const LOOK_AHEAD_MS = 20;

/** Pieces that come close together leave with their blocks in the opposite order. */
function reordering(): StreamChange {
  const held: string[] = [];
  const inner = blocks((block) => {
    held.unshift(block);
    return "";
  });
  return {
    async push(piece, followed) {
      await inner.push(piece, followed);
      return followed === "soon" ? [] : [unbinary(held.splice(0).join(""))];
    },
    end: () => [unbinary(held.join("")), ...inner.end!()],
  };
}

const isEmptyOfData = (block: string) => /^data:? *\r?$/m.test(block) && !/^data: ?\S/m.test(block);

/** The events of a piece that holds whole ones, the last one first. */
function turnedAround(piece: string): string {
  const events = piece.split("\n\n");
  return events.pop() === "" ? events.toReversed().map((event) => `${event}\n\n`).join("") : piece;
}

/** The fields of a request that names the first event of its stream in place of any other. */
function fromTheStart(request: Passing): Fields | undefined {
  const id = said(request, LAST_EVENT_ID)?.replace(/\.\d+$/, ".0");
  return id === undefined ? undefined : withField(request.fields, LAST_EVENT_ID, id);
}

/** The broken proxies of the group. */
export const EVENTS = ofGroup("events", [
  {
    name: "drops-the-last-event",
    describe: "drops the last event of a stream, if it is not the only one",
    breaks: [
      "events.five-thousand-in-order",
      "events.each-in-its-own-chunk",
      "events.comments-never-dispatch",
    ],
    make: () => ({
      front: onStreams(() => ({
        lookAheadMs: LOOK_AHEAD_MS,
        stream: blocks((block, { last, number }) =>
          last && number > 0 && !tellsOfFailure(block) ? "" : block
        ),
      })),
    }),
  },
  {
    name: "drops-priming-events",
    describe: "drops events whose data is empty",
    breaks: ["events.priming"],
    make: () => ({
      front: onStreams(() => ({ stream: blocks((block) => isEmptyOfData(block) ? "" : block) })),
    }),
  },
  {
    name: "drops-comments",
    describe: "drops comments",
    breaks: ["events.comments-pass"],
    // At the back: what the proxy itself says on a silent stream is for `streaming`.
    make: () => ({
      back: onStreams(() => ({ stream: lines((line) => line.startsWith(":") ? null : line) })),
    }),
  },
  {
    name: "splits-crlf-wrongly",
    describe: "makes one line ending of CR and LF in each piece by itself",
    breaks: ["events.line-endings"],
    // At the back, where the pieces are those of the server.
    make: () => ({
      back: onStreams(() => ({ stream: pieces((piece) => piece.replaceAll(/\r\n|\r/g, "\n")) })),
    }),
  },
  {
    name: "decodes-each-piece-alone",
    describe: "decodes each piece of a stream by itself, also inside a character",
    breaks: ["events.characters"],
    make: () => ({
      back: onStreams(() => ({
        stream: {
          push: (piece) => [bytesOf(new TextDecoder("utf-8", { ignoreBOM: true }).decode(piece))],
        },
      })),
    }),
  },
  {
    name: "knows-only-lf",
    describe: "takes a CR for a part of its line",
    breaks: ["events.line-endings"],
    make: () => ({
      front: onStreams(() => ({
        stream: pieces((piece) => piece.replaceAll(/\r/g, "")),
      })),
    }),
  },
  {
    name: "strips-event-ids",
    describe: "strips the ids of events",
    breaks: [
      "events.ids-unique",
      "events.priming",
      "events.resume-of-a-call",
      "events.resume-of-a-get-stream",
    ],
    make: () => ({
      front: onStreams(() => ({ stream: lines((line) => /^id(:|$)/.test(line) ? null : line) })),
    }),
  },
  {
    name: "strips-retry",
    describe: "strips retry",
    breaks: ["events.retry"],
    make: () => ({
      front: onStreams(() => ({ stream: lines((line) => /^retry:/.test(line) ? null : line) })),
    }),
  },
  {
    name: "reads-any-retry",
    describe: "makes a number of whatever stands behind retry",
    breaks: ["events.retry-not-a-number"],
    make: () => ({
      front: onStreams(() => ({
        stream: lines((line) => line.replace(/^retry:.*?(\d+).*/, "retry: $1")),
      })),
    }),
  },
  {
    name: "reorders-events",
    describe: "sends events that come close together in the opposite order",
    breaks: ["events.five-thousand-in-order"],
    make: () => ({
      front: onStreams(() => ({ lookAheadMs: LOOK_AHEAD_MS, stream: reordering() })),
    }),
  },
  {
    name: "turns-pieces-around",
    describe: "sends the events of one write in the opposite order",
    breaks: ["events.five-thousand-in-order"],
    make: () => ({ front: onStreams(() => ({ stream: pieces(turnedAround) })) }),
  },
  {
    name: "repeats-events",
    describe: "sends events that come close together twice",
    breaks: ["events.five-thousand-in-order", "events.ids-unique"],
    make: () => ({
      front: onStreams(() => ({
        lookAheadMs: LOOK_AHEAD_MS,
        stream: blocks((block, { followed }) =>
          followed !== "later" && /^data:? *\S/m.test(block) ? block + block : block
        ),
      })),
    }),
  },
  {
    name: "drops-event-fields",
    describe: "forgets the types of events",
    breaks: ["events.event-field"],
    make: () => ({
      front: onStreams(() => ({ stream: lines((line) => /^event(:|$)/.test(line) ? null : line) })),
    }),
  },
  {
    name: "keeps-the-first-line-of-data",
    describe: "keeps the first line of an event's data alone",
    breaks: ["events.data-lines"],
    make: () => ({
      front: onStreams(() => ({
        stream: blocks((block) => {
          let seen = false;
          return block.replaceAll(/^data:[^\r\n]*(\r\n|\n|\r)/gm, (line) => {
            const keep = !seen;
            seen = true;
            return keep ? line : "";
          });
        }),
      })),
    }),
  },
  {
    name: "strips-every-bom",
    describe: "strips byte order marks wherever they stand",
    breaks: ["events.byte-order-mark"],
    make: () => ({
      front: onStreams(() => ({
        stream: blocks((block) => block.replaceAll(/^(\xEF\xBB\xBF)+/gm, "")),
      })),
    }),
  },
  {
    name: "takes-spaces-from-names",
    describe: "forgives spaces and capital letters in the names of fields",
    breaks: ["events.fields"],
    make: () => ({
      front: onStreams(() => ({
        stream: lines((line) => line.replace(/^ *data *:/i, "data:")),
      })),
    }),
  },
  {
    name: "dispatches-open-events",
    describe: "ends an event that the end of its stream has left open",
    breaks: ["events.open-at-the-end"],
    make: () => ({
      front: onStreams(() => {
        let all = "";
        return {
          stream: {
            push(piece) {
              all = (all + binary(piece)).slice(-4_000);
              return [piece];
            },
            end: () => [bytesOf(/(\r\n|\n|\r)(\r\n|\n|\r)$/.test(all) ? "" : "\n\n")],
          },
        };
      }),
    }),
  },
  {
    name: "calls-streams-text",
    describe: "calls event streams plain text",
    breaks: ["events.content-type"],
    make: () => ({
      front: onStreams(({ fields }) => ({
        fields: withField(fields, "content-type", "text/plain"),
      })),
    }),
  },
  {
    name: "drops-large-events",
    describe: "drops events of more than 100,000 bytes",
    breaks: ["events.large", "events.large-in-small-chunks"],
    make: () => ({
      front: onStreams(() => ({
        stream: blocks((block) => block.length > 100_000 ? "" : block),
      })),
    }),
  },
  {
    name: "never-ends-streams-cleanly",
    describe: "breaks every stream off where it should end",
    breaks: ["events.clean-end"],
    make: () => ({
      front: onStreams(() => ({ breaksOff: true, stream: { push: (piece) => [piece] } })),
    }),
  },
  {
    name: "replays-from-the-start",
    withEventLog: true,
    describe: "gives a client that comes back the whole stream, whatever event it names",
    breaks: [
      "events.resume-from-the-log",
      "events.forged-id",
      "events.resume-of-a-call",
      "events.resume-of-a-get-stream",
    ],
    make: () => ({ front: refielding(fromTheStart) }),
  },
  {
    name: "replays-twice",
    withEventLog: true,
    describe: "gives a client that comes back each event twice",
    breaks: ["events.resume-from-the-log"],
    make: () => ({
      front: {
        answer: (head, request) =>
          isStream(head) && said(request, LAST_EVENT_ID) !== undefined
            ? { stream: blocks((block) => block + block) }
            : undefined,
      },
    }),
  },
  {
    name: "takes-ids-with-nul",
    describe: "takes NUL out of the ids of events",
    breaks: ["events.id-with-nul"],
    make: () => ({
      front: onStreams(() => ({
        stream: lines((line) => line.startsWith("id:") ? line.replaceAll("\0", "") : line),
      })),
    }),
  },
]);
