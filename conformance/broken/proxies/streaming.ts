/**
 * Proxies that hold back what should be delivered as it comes.
 *
 * @module
 */

import { binary } from "../../wire/mod.ts";
import { ofGroup } from "../broken_proxy.ts";
import { pause } from "../choices.ts";
import type { StreamChange } from "../damage.ts";
import { isStream, onStreams } from "../streams.ts";

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

/** Keeps pieces that are nothing but comments until others come. */
function holdingComments(): StreamChange {
  const held: Uint8Array[] = [];
  return {
    push(piece) {
      held.push(piece);
      const isAside = (line: string) => line === "" || line.startsWith(":");
      return binary(piece).split(/[\r\n]/).every(isAside) ? [] : held.splice(0);
    },
    end: () => held,
  };
}

/** Tells that a client does not read: much has been sent, and nothing goes on. */
class Unread {
  #bytes = 0;
  #lastMs = performance.now();

  note(piece: Uint8Array): void {
    this.#bytes += piece.length;
    this.#lastMs = performance.now();
  }

  /** Whether it has been so for a while, but not for so long that the next case finds it. */
  get isHeldBack(): boolean {
    const sinceMs = performance.now() - this.#lastMs;
    return this.#bytes > 1_000_000 && sinceMs > 200 && sinceMs < 5_000;
  }
}

/** The broken proxies of the group. */
export const STREAMING = ofGroup("streaming", [
  {
    name: "buffers-whole-streams",
    describe: "sends a stream once it is complete",
    breaks: [
      "streaming.each-event-before-the-next-is-sent",
      "streaming.each-event-before-the-next-is-sent-session",
      "streaming.get-stream-at-once",
      "streaming.ended-by-the-connection-at-once",
    ],
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
    breaks: [
      "streaming.two-streams-do-not-wait",
      "streaming.calls-beside-an-open-stream",
      "streaming.forty-streams-at-once",
    ],
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
  {
    name: "holds-comments-back",
    describe: "sends comments together with what follows them",
    breaks: ["streaming.keep-alive-comments-at-once", "streaming.silent-stream-commented"],
    make: () => ({ front: onStreams(() => ({ stream: holdingComments() })) }),
  },
  {
    name: "never-goes-on",
    describe: "gives a stream up that its client did not read for a while",
    breaks: ["streaming.goes-on-when-read"],
    make: () => ({
      front: onStreams(() => {
        const unread = new Unread();
        return {
          stream: {
            async push(piece) {
              if (unread.isHeldBack) await new Promise<never>(() => {});
              unread.note(piece);
              return [piece];
            },
          },
        };
      }),
    }),
  },
  {
    name: "waits-for-slow-readers",
    describe: "answers nothing while a client does not read its stream",
    breaks: ["streaming.unread-stream-does-not-hold-up-calls"],
    make() {
      const streams = new Set<Unread>();
      return {
        front: {
          async request() {
            while ([...streams].some(({ isHeldBack }) => isHeldBack)) await pause(10);
            return undefined;
          },
          answer(head) {
            if (!isStream(head)) return undefined;
            const unread = new Unread();
            streams.add(unread);
            return {
              stream: {
                push: (piece) => (unread.note(piece), [piece]),
                end: () => (streams.delete(unread), []),
              },
            };
          },
        },
      };
    },
  },
]);
