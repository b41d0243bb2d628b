/**
 * Both ends of a relayed stream without sockets: upstream bodies that a test fills, and a client that
 * reads an attachment.
 *
 * @module
 */

import type { EventLog, EventLogLimits } from "../event_log/mod.ts";
import { type AnswerSource, Fields } from "../http/mod.ts";
import { EventParser } from "../sse/mod.ts";
import { AnswerBody, type UpstreamAnswer, type UpstreamBody } from "../upstream/mod.ts";
import type { ReadEvent } from "./event_client.ts";
import type { Attachment, RestoredStream, SessionStreams } from "../relay/mod.ts";
import type { ManualClock } from "./manual_clock.ts";

/** A log that no test fills. */
export const ROOMY_LOG: EventLogLimits = {
  maxEvents: 100_000,
  maxBytes: 1_000_000_000,
  maxStreamEvents: 100_000,
  maxStreamBytes: 1_000_000_000,
  maxAgeMs: 1_000_000_000,
  maxStreams: 100_000,
};

/** The body of an upstream's answer, and what was done to its connection. */
export interface FilledBody {
  readonly body: AnswerBody;
  /** `pause`, `resume` and `abort`, in order. */
  readonly calls: readonly string[];
  /** Whether the connection reads nothing now. */
  readonly paused: boolean;
  /** Whether the connection was dropped. */
  readonly aborted: boolean;
  /** Lets text come. */
  send(text: string): void;
}

/** A body that a test fills. */
export function filledBody(clock: ManualClock): FilledBody {
  const calls: string[] = [];
  const body = new AnswerBody({
    pause: () => calls.push("pause"),
    resume: () => calls.push("resume"),
    abort: () => calls.push("abort"),
  }, { clock, idleMs: 1_000_000_000, untilMs: Infinity });
  return {
    body,
    calls,
    get paused() {
      return calls.findLast((call) => call !== "abort") === "pause";
    },
    get aborted() {
      return calls.includes("abort");
    },
    send: (text) => body.push(new TextEncoder().encode(text)),
  };
}

/** The answer of an upstream with this body. */
export function answerWith(
  body: UpstreamBody,
  status = 200,
  kind: UpstreamAnswer["kind"] = "sse",
): UpstreamAnswer {
  return { status, kind, body, headers: new Fields([]), sessionId: undefined };
}

/** Lets all that needs no timer happen. */
export async function settled(): Promise<void> {
  await turns(200);
}

/** A client that reads a stream as far as a test wants. */
export interface SourceReader {
  /** What it has read. */
  readonly events: readonly ReadEvent[];
  /** How the stream ended, once it has: null for its proper end, otherwise the failure. */
  readonly ending: unknown;
  /** Whether it asked for more and has got nothing yet. */
  readonly waits: boolean;
  /** Asks for more once. */
  read(): Promise<void>;
  /** Asks for more until there is nothing more now. */
  readAll(): Promise<void>;
}

const decoder = new TextDecoder();

/** A client of `source`. */
export function sourceReader(source: AnswerSource): SourceReader {
  const parser = new EventParser({ maxEventBytes: 64 * 1024 * 1024 });
  const events: ReadEvent[] = [];
  let ending: unknown;
  let waits = false;

  async function take(): Promise<void> {
    waits = true;
    try {
      const pieces = await source.next();
      if (pieces === null) ending = null;
      for (const event of (pieces ?? []).flatMap((piece) => parser.feed(piece))) {
        events.push({ ...event, data: event.data && decoder.decode(event.data) });
      }
      if (source.ended) ending = null;
    } catch (error) {
      ending = error;
    }
    waits = false;
  }

  async function read(): Promise<void> {
    if (!waits && ending === undefined) void take();
    await settled();
  }

  return {
    events,
    get ending() {
      return ending;
    },
    get waits() {
      return waits;
    },
    read,
    async readAll() {
      do await read(); while (!waits && ending === undefined);
    },
  };
}

/** The same log, which needs a while for everything; what is read may overtake what is written. */
export function slowLog(log: EventLog, readTurns = 12): EventLog {
  let written: Promise<unknown> = Promise.resolve();
  const inTurn = (act: () => void | Promise<void>): Promise<void> => {
    const done = written.then(async () => {
      await turns(9);
      await act();
      await turns(9);
    });
    written = done.catch(() => {});
    return done;
  };
  return {
    get size() {
      return log.size;
    },
    append: (stream, events) => inTurn(() => log.append(stream, events)),
    appendRun: (stream, seq, bytes, ends) => inTurn(() => log.appendRun(stream, seq, bytes, ends)),
    async after(stream, seq, maxBytes) {
      await turns(readTurns);
      const replay = await log.after(stream, seq, maxBytes);
      await turns(2);
      return replay;
    },
    forget: (stream) => inTurn(() => log.forget(stream)),
    close: () => log.close(),
  };
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

/** For streams that no other instance and no earlier run has: nothing is ever restored. */
const HERE_ALONE: RestoredStream = {
  begin: () => {
    throw new Error("Nothing was to be restored.");
  },
};

/** Comes back with an event id, to a session whose streams are all here. */
export function resume(streams: SessionStreams, lastEventId: string): Attachment {
  return streams.resume(lastEventId, HERE_ALONE) as Attachment;
}

/** Comes back without an event id, to a session whose streams are all here. */
export function comeBack(streams: SessionStreams): Attachment | undefined {
  return streams.comeBack(HERE_ALONE) as Attachment | undefined;
}
