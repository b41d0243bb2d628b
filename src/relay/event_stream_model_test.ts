/**
 * R49, R57, R79, R80: whatever upstream and client do, in whatever order, the client gets the upstream's
 * events once each and in order, or is told explicitly what it does not get.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { ProxyError } from "../errors.ts";
import { type EventLog, MemoryEventLog } from "../event_log/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as relay from "../testing/relay.ts";
import { type Attachment, LiveStreams, SessionStreams, StreamTally } from "./mod.ts";

/** What may happen. */
type Step =
  | { readonly kind: "send"; readonly bytes: number }
  | { readonly kind: "break" | "end" | "read" | "readAll" | "leave" | "resume" | "comeBack" }
  | { readonly kind: "refuse"; readonly how: 503 | 404 | "unreachable" }
  | { readonly kind: "pass"; readonly ms: number };

/** A stream, and who is at its two ends. */
interface Setting {
  readonly isCall: boolean;
  readonly clientPolls: boolean;
  /** The lengths of the events' data. */
  readonly sizes: readonly number[];
  readonly slow: boolean;
  readonly heldEvents: number;
}

const LINE_ENDS = ["\n", "\r\n", "\r"];
const RESUME_WINDOW_MS = 400;

const encoder = new TextEncoder();

/** An upstream that has a sequence of events, and goes on behind the one it is asked for. */
class ModelUpstream {
  readonly events: readonly string[];
  readonly #texts: readonly Uint8Array<ArrayBuffer>[];
  readonly #clock: ManualClock;
  readonly #refusals: (503 | 404 | "unreachable")[] = [];
  #rest = new Uint8Array();
  #body: relay.FilledBody;

  constructor(clock: ManualClock, { isCall, sizes }: Setting) {
    this.#clock = clock;
    this.events = sizes.map((size, at) =>
      isCall && at === sizes.length - 1
        ? `{"jsonrpc":"2.0","id":7,"result":{"r":"${"x".repeat(size)}"}}`
        : `{"method":"n","params":[${at},"${"x".repeat(size)}"]}`
    );
    this.#texts = this.events.map((data, at) => {
      const end = LINE_ENDS[at % LINE_ENDS.length]!;
      return encoder.encode(`id: u${at + 1}${end}event: message${end}data: ${data}${end}${end}`);
    });
    this.#body = this.#begin(0);
  }

  get first() {
    return this.#body.body;
  }

  refuse(how: 503 | 404 | "unreachable"): void {
    this.#refusals.push(how);
  }

  takeBackRefusals(): void {
    this.#refusals.length = 0;
  }

  listen(lastEventId: string | undefined) {
    const refusal = this.#refusals.shift();
    if (refusal === "unreachable") {
      return Promise.reject(new ProxyError("upstream_unreachable", "no"));
    }
    if (refusal !== undefined) {
      const { body } = relay.filledBody(this.#clock);
      return Promise.resolve(relay.answerWith(body, refusal, "json"));
    }
    this.#body = this.#begin(Number(lastEventId?.slice(1) ?? 0));
    return Promise.resolve(relay.answerWith(this.#body.body));
  }

  send(bytes: number): void {
    // A connection that does not read gets nothing.
    if (this.#body.paused || this.#body.aborted) return;
    const piece = this.#rest.slice(0, bytes);
    this.#rest = this.#rest.slice(bytes);
    if (piece.length > 0) this.#body.body.push(piece);
  }

  breakOff(): void {
    this.#body.body.fail(new ProxyError("upstream_closed", "reset"));
  }

  end(): void {
    this.#body.body.finish();
  }

  #begin(behind: number): relay.FilledBody {
    const texts = this.#texts.slice(behind);
    this.#rest = new Uint8Array(texts.flatMap((text) => [...text]));
    return this.#body = relay.filledBody(this.#clock);
  }
}

/** One run. */
class Run {
  readonly clock = new ManualClock();
  readonly #setting: Setting;
  readonly #upstream: ModelUpstream;
  readonly #streams: SessionStreams;
  readonly #live = new LiveStreams();
  readonly #log: EventLog;
  #attachment;
  #reader: relay.SourceReader;
  #lastId: string | undefined;
  #seen = 0;
  #gapUpTo = 0;
  /** Why the client gets no more, where it was told. */
  told: string | undefined;

  constructor(setting: Setting) {
    this.#setting = setting;
    const memory = new MemoryEventLog(this.clock, {
      ...relay.ROOMY_LOG,
      maxStreamEvents: setting.heldEvents,
    });
    this.#log = setting.slow ? relay.slowLog(memory) : memory;
    this.#upstream = new ModelUpstream(this.clock, setting);
    this.#streams = new SessionStreams({
      session: "session",
      tally: new StreamTally({ bytesOut: 0, events: 0, streams: 0 }, this.clock),
      log: this.#log,
      limits: {
        clock: this.clock,
        maxEventBytes: 1_000_000,
        keepAliveMs: 100,
        resumeWindowMs: RESUME_WINDOW_MS,
        maxAheadBytes: Infinity,
        maxAheadEvents: Infinity,
      },
      clock: this.clock,
      backOff: { attempts: 3, initialDelayMs: 10, maxDelayMs: 20, maxSilentMs: 60_000 },
      live: this.#live,
    });
    this.#attachment = this.#streams.open({
      body: this.#upstream.first,
      requestIds: setting.isCall ? ["7"] : [],
      clientPolls: setting.clientPolls,
      listen: (lastEventId) => this.#upstream.listen(lastEventId),
      onSessionGone: () => {},
    });
    this.#reader = relay.sourceReader(this.#attachment);
  }

  /** Whether the client has all there is. */
  get complete(): boolean {
    return this.#seen === this.#setting.sizes.length;
  }

  async step(step: Step): Promise<void> {
    const upstream = this.#upstream;
    if (step.kind === "send") upstream.send(step.bytes);
    else if (step.kind === "break") upstream.breakOff();
    else if (step.kind === "end") upstream.end();
    else if (step.kind === "refuse") upstream.refuse(step.how);
    else if (step.kind === "pass") this.clock.advance(step.ms);
    else if (step.kind === "read") await this.#reader.read();
    else if (step.kind === "readAll") await this.#reader.readAll();
    else if (step.kind === "leave") this.#attachment.discard();
    else if (step.kind === "resume" && this.#lastId !== undefined) this.#resume(this.#lastId);
    else if (step.kind === "comeBack") this.#comeBack();
    await relay.settled();
    this.#look();
  }

  /** All goes well from here on. */
  async finish(): Promise<void> {
    this.#upstream.takeBackRefusals();
    const isOver = () => this.complete || this.told !== undefined;
    for (let times = 0; times < 100 && !isOver(); times++) {
      await this.step({ kind: "send", bytes: 1_000_000 });
      await this.step({ kind: "readAll" });
      if (isOver()) break;
      await this.step({ kind: "pass", ms: 25 });
      if (this.#reader.ending === undefined && times % 4 !== 3) continue;
      if (this.#lastId === undefined && this.#setting.isCall) {
        this.told = "no event to come back to";
      } else await this.step({ kind: this.#lastId === undefined ? "comeBack" : "resume" });
    }
    assert(isOver(), `${this.#seen} of ${this.#setting.sizes.length} events, and no word about it`);
  }

  async close(): Promise<void> {
    this.#streams.close();
    this.#upstream.breakOff();
    await relay.settled();
    assertEquals([this.clock.timers, this.#live.size, this.#live.unattended], [0, 0, 0]);
    assertEquals(this.#log.size, { streams: 0, events: 0, bytes: 0 });
  }

  #resume(lastId: string): void {
    try {
      const known: Attachment | undefined = relay.resume(this.#streams, lastId);
      if (known === undefined) {
        assert(!this.#setting.isCall);
        this.told = "another stream is to be opened, behind a gap";
        return;
      }
      this.#attachment = known;
    } catch (error) {
      this.told = (error as ProxyError).kind;
      assertEquals(this.told, "event_not_found");
      return;
    }
    this.#reader = relay.sourceReader(this.#attachment);
  }

  #comeBack(): void {
    const attachment = relay.comeBack(this.#streams);
    if (attachment === undefined) {
      if (this.#streams.size === 0) this.told ??= "the stream is gone";
      return;
    }
    this.#attachment = attachment;
    this.#reader = relay.sourceReader(attachment);
  }

  /** Compares what the client has read with the upstream's sequence. */
  #look(): void {
    const { events, ending } = this.#reader;
    for (
      const { id, data, comments } of (events as relay.SourceReader["events"][number][]).splice(0)
    ) {
      if (id === undefined) {
        assertEquals(data, undefined);
        const gap = /^ gap: of the events (\d+) to (\d+) some/.exec(comments[0]!);
        if (gap === null) assertEquals(comments, [" keep-alive"]);
        else this.#gapUpTo = Number(gap[2]);
        continue;
      }
      this.#lastId = id;
      const seq = Number(id.split(".")[1]);
      if (seq === 0) {
        assertEquals([data, this.#seen], ["", 0]);
        continue;
      }
      assert(seq > this.#seen, `event ${seq} came again behind ${this.#seen}`);
      assert(seq === this.#seen + 1 || seq - 1 <= this.#gapUpTo, `${seq} follows ${this.#seen}`);
      this.#seen = seq;
      if (data === this.#upstream.events[seq - 1]) continue;
      assertMatch(data!, /^{"jsonrpc":"2.0","id":7,"error":/);
      this.told = "error";
    }
    if (this.#gapUpTo >= this.#setting.sizes.length) this.told = "gap";
    if (ending instanceof ProxyError) this.told = ending.kind;
  }
}

const size = fc.oneof(
  { arbitrary: fc.nat(60), weight: 6 },
  { arbitrary: fc.integer({ min: 20_000, max: 80_000 }), weight: 1 },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      bytes: fc.oneof(fc.nat(90), fc.nat(400), fc.nat(100_000)),
    }),
    weight: 8,
  },
  {
    arbitrary: fc.constantFrom(
      ...(["break", "end", "read", "readAll", "leave", "resume", "comeBack"] as const),
    ).map((kind): Step => ({ kind })),
    weight: 10,
  },
  { arbitrary: fc.nat(60).map((ms): Step => ({ kind: "pass", ms })), weight: 3 },
  {
    arbitrary: fc.constantFrom(...([503, "unreachable", 404] as const))
      .map((how): Step => ({ kind: "refuse", how })),
    weight: 1,
  },
);
const setting = (heldEvents: fc.Arbitrary<number>): fc.Arbitrary<Setting> =>
  fc.record({
    isCall: fc.boolean(),
    clientPolls: fc.boolean(),
    sizes: fc.array(size, { minLength: 1, maxLength: 14, size: "max" }),
    slow: fc.boolean(),
    heldEvents,
  });

async function holds(
  heldEvents: fc.Arbitrary<number>,
  judge: (run: Run) => void = () => {},
): Promise<void> {
  const steps = fc.array(step, { maxLength: 40, size: "max" });
  await fc.assert(
    fc.asyncProperty(setting(heldEvents), steps, async (set, all) => {
      const run = new Run(set);
      for (const one of all) await run.step(one);
      await run.finish();
      judge(run);
      await run.close();
    }),
    { numRuns: 300 },
  );
}

Deno.test("R57 R80 the client gets the upstream's events once each, whatever happens", async () => {
  await holds(fc.constant(1_000), ({ told }) => assert(told !== "gap", "nothing was given up"));
});

Deno.test("R80 where the log holds little, what is missing is told as a gap", async () => {
  await holds(fc.integer({ min: 1, max: 4 }));
});
