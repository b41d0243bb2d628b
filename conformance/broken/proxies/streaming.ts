/**
 * Proxies that hold back what should be delivered as it comes.
 *
 * @module
 */

import { ofGroup } from "../broken_proxy.ts";
import type { StreamChange } from "../damage.ts";
import { onStreams } from "../streams.ts";

/** Keeps everything until the end. */
function whole(): StreamChange {
  const held: Uint8Array[] = [];
  return { push: (piece) => (held.push(piece), []), end: () => held };
}

/** Keeps each piece until the next one comes. */
function onePieceBehind(): StreamChange {
  let held: Uint8Array | undefined;
  return {
    push(piece) {
      const before = held;
      held = piece;
      return before === undefined ? [] : [before];
    },
    end: () => held === undefined ? [] : [held],
  };
}

/** The broken proxies of the group. */
export const STREAMING = ofGroup("streaming", [
  {
    name: "buffers-whole-streams",
    describe: "sends a stream once it is complete",
    breaks: ["streaming.each-event-before-the-next-is-sent", "streaming.get-stream-at-once"],
    make: () => ({ front: onStreams(() => ({ stream: whole() })) }),
  },
  {
    name: "holds-back-the-last-piece",
    describe: "sends each piece of a stream when the next one has come",
    breaks: ["streaming.each-event-before-the-next-is-sent", "streaming.subscription-at-once"],
    make: () => ({ front: onStreams(() => ({ stream: onePieceBehind() })) }),
  },
  {
    name: "holds-back-the-head",
    describe: "sends the head of a stream together with its first piece",
    breaks: [
      "streaming.head-before-the-first-event",
      "streaming.head-of-a-call-before-the-first-event",
    ],
    make: () => ({
      front: onStreams(() => ({ lateHead: true, stream: { push: (piece) => [piece] } })),
    }),
  },
  {
    name: "hoards",
    describe: "takes from the server whatever it sends, however slowly the client reads",
    breaks: ["streaming.unread-stream-holds-the-server-back"],
    make: () => ({ front: { hoards: true } }),
  },
  {
    name: "serves-one-at-a-time",
    describe: "lets each request wait until the stream before it has ended",
    breaks: ["streaming.two-streams-do-not-wait", "streaming.forty-streams-at-once"],
    make() {
      let before: Promise<void> = Promise.resolve();
      return {
        front: onStreams(() => {
          const wait = before;
          const done = Promise.withResolvers<void>();
          before = done.promise;
          return { wait, stream: { push: (piece) => [piece], end: () => (done.resolve(), []) } };
        }),
      };
    },
  },
]);
