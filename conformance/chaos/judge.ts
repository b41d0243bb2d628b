/**
 * Judges what was noted in a run: pure.
 *
 * @module
 */

import { type Book, type Call, type Delivery, NOTHING_RECEIVED, type Received } from "./book.ts";
import type { Fault, FaultKind } from "./faults.ts";

/** What is judged. */
export interface Evidence {
  readonly book: Book;
  readonly faults: readonly Fault[];
  /** What the processes of the targets noted of each call. */
  readonly received: ReadonlyMap<string, Received>;
  /** The proxy's longest wait for the head of an answer, in milliseconds. */
  readonly headersTimeoutMs: number;
  /** For how long in all the process of the relays and clients stood still between two times. */
  readonly lagMs: (fromMs: number, untilMs: number) => number;
}

/** Something that the proxy should not have done. */
export interface Finding {
  readonly rule: Rule;
  readonly what: string;
}

/** The rules, in the words of the report. */
export const RULES = {
  failed:
    "a call fails only while it is under way at a target that is killed, restarted or reset, or that " +
    "stands still or is slow for longer than the deadline; under way is also what is written to a " +
    "connection within 200 ms of its break, or longer where this process itself stood still",
  resumable:
    "a call at a server that keeps its events survives a reset once its client has an event id",
  hung: "every call is answered, well or badly, within 20 s",
  twice:
    "what is no read runs at most once, and is sent again only where a server has refused it because " +
    "it did not know its session",
  progress: "an answered call has had all its progress events, each once and in order",
  ended: "the stream of an answer ends within a second behind the answer",
  ticks: "the numbered events of a session at a server come each once, in order and without a gap",
  odd: "nobody gets what is not theirs, and no stream stays silent when all is well",
  reload: "a config is reloaded, or refused where it is wrong, and neither fails a call",
  proxy: "the proxy runs to the end and logs no error of its own",
} as const;

/** One of them. */
export type Rule = keyof typeof RULES;

/** What came of the calls. */
export interface Judgement {
  readonly findings: readonly Finding[];
  readonly figures: Figures;
}

/** The figures of the report. */
export interface Figures {
  readonly calls: number;
  readonly answered: number;
  /** Calls that failed, and may: by the fault that excuses them. */
  readonly excused: Readonly<Record<string, number>>;
  readonly unexcused: number;
  readonly deliveredTwice: number;
  /** Calls that read, and were sent again. */
  readonly readsSentAgain: number;
  /** Other calls that were sent again because a server did not know their session. */
  readonly sentAnew: number;
  readonly progressEvents: number;
  readonly tickEvents: number;
  readonly eventsLost: number;
  readonly eventsTwice: number;
  /** Longest and median time from a call to its answer, in milliseconds. */
  readonly answerMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Answered calls that took longest, in words. */
  readonly slowest: readonly string[];
  /** Sessions at servers that numbered events came from. */
  readonly epochs: number;
}

/** Time for what a fault does to a call to be seen by its client, and between clocks, in milliseconds. */
const SLACK_MS = 20;

/** How long a stream may stay open behind its answer, in milliseconds. */
const ENDED_MS = 1_000;

/** Longest time behind a break in which the proxy may take a broken connection for a sound one, in milliseconds. */
const UNNOTICED_MS = 200;

/** Faults within so many milliseconds are told beside what went wrong. */
const NEAR_MS = 1_000;

/** How many slow calls are told. */
const SLOWEST = 5;

/** Calls that change nothing, which the proxy may send again. */
const READS: ReadonlySet<Call["kind"]> = new Set(["open", "list"]);

/** Faults that break a call that is under way. */
const BREAKS: ReadonlySet<FaultKind> = new Set(["kill", "restart", "reset", "refuse"]);

/** Judges a run. */
export function judge(evidence: Evidence): Judgement {
  const findings: Finding[] = [];
  const add = (rule: Rule, what: string) => void findings.push({ rule, what });
  const calls = judgeCalls(evidence, add);
  const deliveries = judgeDeliveries(evidence, add);
  const ticks = judgeTicks(evidence, add);
  for (const { client, what, atMs } of evidence.book.oddities) {
    add("odd", `${client} at ${Math.round(atMs)}: ${what}${opening(client, atMs, evidence)}`);
  }
  return {
    findings,
    figures: {
      ...calls,
      ...deliveries,
      ...ticks,
      ...answerTimes(evidence),
      eventsLost: calls.eventsLost + ticks.eventsLost,
      eventsTwice: calls.eventsTwice + ticks.eventsTwice,
    },
  };
}

type Add = (rule: Rule, what: string) => void;

function judgeCalls(evidence: Evidence, add: Add) {
  const { book } = evidence;
  const excused: Record<string, number> = {};
  let [answered, unexcused, progressEvents, eventsLost, eventsTwice] = [0, 0, 0, 0, 0];
  for (const call of book.calls.values()) {
    progressEvents += call.progress.length;
    if (call.failure === undefined && call.endMs !== undefined) {
      answered++;
      if ((call.openMs ?? 0) > ENDED_MS) add("ended", tell(call, evidence));
      const wanted = Array.from({ length: call.steps }, (_, at) => at + 1);
      if (wanted.join() === call.progress.join()) continue;
      const got = new Set(call.progress);
      eventsLost += wanted.filter((number) => !got.has(number)).length;
      eventsTwice += call.progress.length - got.size;
      add("progress", `${tell(call, evidence)}: got ${call.progress} of ${call.steps}`);
      continue;
    }
    const excuse = excuseFor(call, evidence);
    if ("kind" in excuse) excused[excuse.kind] = (excused[excuse.kind] ?? 0) + 1;
    else {
      unexcused++;
      const isNowhere = !book.deliveries.has(call.token);
      const before = isNowhere ? opening(call.client, call.endMs ?? Infinity, evidence) : "";
      add(excuse.rule, tell(call, evidence) + before);
    }
  }
  return {
    calls: book.calls.size,
    answered,
    excused,
    unexcused,
    progressEvents,
    eventsLost,
    eventsTwice,
  };
}

function answerTimes(evidence: Evidence): Pick<Figures, "answerMs" | "slowest"> {
  const took = ({ startMs, endMs }: Call) => endMs! - startMs;
  const answered = [...evidence.book.calls.values()]
    .filter(({ failure, endMs }) => failure === undefined && endMs !== undefined)
    .toSorted((a, b) => took(a) - took(b));
  const at = (part: number) => {
    const call = answered[Math.min(answered.length - 1, Math.floor(answered.length * part))];
    return call === undefined ? 0 : Math.round(took(call));
  };
  return {
    answerMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
    slowest: answered.slice(-SLOWEST).map((call) => tell(call, evidence)),
  };
}

/** The fault that a call may fail of, or the rule by which it may not. */
function excuseFor(call: Call, evidence: Evidence): { kind: FaultKind } | { rule: Rule } {
  const { faults } = evidence;
  const endMs = call.endMs ?? Infinity;
  if (endMs === Infinity || call.failure?.startsWith("silence")) return { rule: "hung" };
  let rule: Rule = "failed";
  const isLate = endMs - call.startMs >= evidence.headersTimeoutMs - SLACK_MS;
  if (call.isBridged && (evidence.book.deliveries.get(call.token) ?? []).length === 0) {
    // Where the proxy has sent it no relay can tell, wherever its session was opened: it may be any target.
    const meanwhile = faults.filter(({ fromMs, untilMs }) =>
      fromMs <= endMs && untilMs + SLACK_MS >= call.startMs
    );
    const excuse = meanwhile.find(({ kind }) => isLate || BREAKS.has(kind));
    if (excuse !== undefined) return excuse;
  }
  if (underWay(call, evidence).length === 0) {
    // Written to a connection that was just broken: nobody got it, and the proxy cannot know that.
    const unnoticedMs = UNNOTICED_MS + evidence.lagMs(call.startMs, endMs + UNNOTICED_MS);
    const justNow = faults.find(({ kind, fromMs }) =>
      BREAKS.has(kind) && fromMs <= endMs && fromMs + unnoticedMs >= endMs
    );
    return justNow ?? { rule };
  }
  for (const { target, atMs } of underWay(call, evidence)) {
    const during = faults.filter((fault) =>
      fault.target === target && fault.fromMs <= endMs && fault.untilMs + SLACK_MS >= atMs
    );
    const breaking = during.filter(({ kind }) => BREAKS.has(kind));
    // A reset alone leaves the server its events: by their ids a stream can be taken up again.
    const excuse = breaking.find(({ kind }) => kind !== "reset" || !call.isResumable);
    if (excuse !== undefined) return excuse;
    if (breaking.length > 0) rule = "resumable";
    if (during.length > breaking.length && isLate) return during[0]!;
  }
  return { rule };
}

/** Where a call was under way: itself, and the opening of its session, which is made anew for it. */
function underWay(call: Call, { book, headersTimeoutMs }: Evidence): readonly Delivery[] {
  const own = book.deliveries.get(call.token) ?? [];
  const opened = [...book.calls.values()]
    .findLast(({ client, kind }) => client === call.client && kind === "open");
  if (opened === undefined || opened === call) return own;
  // It may wait for what was begun for another request of its client.
  const fromMs = call.startMs - headersTimeoutMs;
  const anew = (book.deliveries.get(opened.token) ?? [])
    .filter(({ atMs }) => atMs >= fromMs && atMs <= (call.endMs ?? Infinity));
  return [...own, ...anew];
}

function judgeDeliveries({ book, received }: Evidence, add: Add) {
  let [deliveredTwice, readsSentAgain, sentAnew] = [0, 0, 0];
  for (const call of book.calls.values()) {
    const deliveries = book.deliveries.get(call.token) ?? [];
    const { got, refused, ran } = received.get(call.token) ?? NOTHING_RECEIVED;
    if (deliveries.length < 2 && ran < 2) continue;
    if (READS.has(call.kind)) readsSentAgain++;
    else if (ran < 2 && deliveries.length - refused < 2) sentAnew++;
    else {
      deliveredTwice++;
      const times = `got ${got} times, refused ${refused} times, ran ${ran} times`;
      add("twice", `${call.client} ${call.token}: sent to ${where(deliveries)}, ${times}`);
    }
  }
  return { deliveredTwice, readsSentAgain, sentAnew };
}

function judgeTicks({ book, faults }: Evidence, add: Add) {
  let [tickEvents, eventsLost, eventsTwice] = [0, 0, 0];
  for (const { client, epoch, numbers, atMs } of book.ticks.values()) {
    tickEvents += numbers.length;
    const isContiguous = numbers.every((number, at) => at === 0 || number === numbers[at - 1]! + 1);
    if (isContiguous) continue;
    const unique = new Set(numbers);
    const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
    eventsLost += last - first + 1 - unique.size;
    eventsTwice += numbers.length - unique.size;
    const at = numbers.findIndex((number, at) => at > 0 && number !== numbers[at - 1]! + 1);
    const [beforeMs, afterMs] = [atMs[at - 1]!, atMs[at]!].map(Math.round) as [number, number];
    const near = faultsBetween(faults, beforeMs - NEAR_MS, afterMs + NEAR_MS);
    add(
      "ticks",
      `${client} of ${epoch}: ${numbers}, amiss between ${beforeMs} and ${afterMs} [${near}]`,
    );
  }
  return { tickEvents, eventsLost, eventsTwice, epochs: book.ticks.size };
}

function where(deliveries: readonly Delivery[] = []): string {
  return deliveries.map(({ target, atMs, connection }) =>
    `${target} at ${Math.round(atMs)} on connection ${connection}`
  ).join(", ");
}

/** How a client's session was opened, and where it was made anew. */
function opening(client: string, beforeMs: number, evidence: Evidence): string {
  const opened = [...evidence.book.calls.values()].findLast((call) =>
    call.client === client && call.kind === "open" && call.startMs < beforeMs
  );
  return opened === undefined ? "" : `; its session: ${tell(opened, evidence)}`;
}

/** A call in words, with what happened to its targets meanwhile. */
function tell(call: Call, { book, faults }: Evidence): string {
  const { client, token, kind, startMs, endMs, failure, isResumable, isLast } = call;
  const deliveries = book.deliveries.get(token) ?? [];
  const near = faultsBetween(faults, startMs - NEAR_MS, (endMs ?? Infinity) + NEAR_MS);
  return `${client} ${kind} ${token}${isLast ? " (when all was well)" : ""}, ` +
    `${Math.round(startMs)}-${endMs === undefined ? "" : Math.round(endMs)}, ` +
    `sent to ${where(deliveries) || "nobody"}${isResumable ? ", resumable" : ""}: ` +
    `${failure ?? "answered"} [${near}]`;
}

function faultsBetween(faults: readonly Fault[], fromMs: number, untilMs: number): string {
  const told = faults.filter((fault) => fault.fromMs <= untilMs && fault.untilMs >= fromMs)
    .map((fault) =>
      `${fault.kind} of ${fault.target} ${Math.round(fault.fromMs)}-${Math.round(fault.untilMs)}`
    );
  return told.join("; ") || "no fault near";
}
