/**
 * An upstream with sessions on whose streams a test speaks, and what its client reads of them.
 *
 * @module
 */

import type { ClientStream } from "./event_client.ts";
import { type SessionUpstream, sessionUpstream, UNKNOWN } from "./session_upstream.ts";

/** The head of an event stream. */
export const SSE_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "connection: close\r\ntransfer-encoding: chunked\r\n\r\n";

/** The data of the next event that has some. */
export async function nextData(stream: ClientStream): Promise<string> {
  for (;;) {
    const next = await stream.next();
    if (next === null || next === "cut") throw new Error("the stream ended");
    if (next.data !== undefined && next.data !== "") return next.data;
  }
}

/** A stream that a test writes. */
export interface Speaker {
  readonly session: string;
  readonly lastEventId: string | undefined;
  say(text: string): Promise<void>;
  breakOff(): void;
  readonly closed: Promise<void>;
}

/** An upstream whose GET streams, and those of calls, a test writes; they break when it restarts. */
export function speakingUpstream({ unknown = UNKNOWN, isDown = () => false, capabilities = {} }: {
  readonly unknown?: string;
  readonly isDown?: () => boolean;
  readonly capabilities?: Readonly<Record<string, unknown>>;
} = {}) {
  const speakers: Speaker[] = [];
  const waiting = new Map<number, (speaker: Speaker) => void>();
  const known = new Set<string>();
  const upstream: SessionUpstream = sessionUpstream({
    unknown,
    capabilities,
    instead: async ({ method, session, field }, to) => {
      if (isDown()) {
        to.close();
        return true;
      }
      if (method !== "GET" && method !== "tools/call") return false;
      if (session === undefined || !known.has(session)) {
        // One of a session that it has told is known until it forgets all.
        const isTold = upstream.told().includes(`notifications/initialized@${session}`);
        if (!isTold || forgotten.has(session!)) return false;
        known.add(session!);
      }
      await to.write(SSE_HEAD);
      const speaker: Speaker = {
        session: session!,
        lastEventId: field("last-event-id"),
        say: (text) => to.write(`${text.length.toString(16)}\r\n${text}\r\n`),
        breakOff: () => to.close(),
        closed: to.closed,
      };
      speakers.push(speaker);
      waiting.get(speakers.length - 1)?.(speaker);
      return true;
    },
  });
  const forgotten = new Set<string>();
  const lose = () => {
    upstream.forget();
    for (const session of known) forgotten.add(session);
    known.clear();
  };
  return {
    ...upstream,
    [Symbol.asyncDispose]: upstream.close,
    /** The stream number `index`, from 0, once it is open. */
    speaker(index: number): Promise<Speaker> {
      const here = speakers[index];
      if (here !== undefined) return Promise.resolve(here);
      return new Promise((resolve) => waiting.set(index, resolve));
    },
    /** Forgets all sessions; their streams stay open, as those of a server that lost its power do. */
    lose,
    /** Forgets all sessions and breaks all streams. */
    restart() {
      lose();
      for (const { breakOff } of speakers) breakOff();
    },
  };
}
