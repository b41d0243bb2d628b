import { assertEquals } from "@std/assert";
import { Book, type Call, type CallKind, receivedIn } from "./book.ts";
import type { Fault, FaultKind } from "./faults.ts";
import { type Evidence, judge } from "./judge.ts";

const DEADLINE_MS = 3_000;

interface Happened {
  readonly kind?: CallKind;
  readonly steps?: number;
  readonly startMs?: number;
  readonly endMs?: number | undefined;
  readonly failure?: string;
  readonly progress?: readonly number[];
  readonly isResumable?: boolean;
  readonly isBridged?: boolean;
  readonly lagMs?: number;
  readonly openMs?: number;
  /** Targets and times. */
  readonly sent?: readonly (readonly [string, number])[];
  readonly notes?: string;
}

const TOKEN = "tk.1.1.k";

/** The evidence of one call from 1,000 to 2,000 that went to `a` at 1,010. */
function evidence(happened: Happened, ...faults: Fault[]): Evidence {
  const book = new Book();
  const { kind = "echo", steps = 0, sent = [["a", 1_010]], notes = "" } = happened;
  const call: Call = {
    token: TOKEN,
    client: "session#1",
    kind,
    steps,
    isBridged: happened.isBridged ?? false,
    isLast: false,
    startMs: happened.startMs ?? 1_000,
    endMs: "endMs" in happened ? happened.endMs : 2_000,
    openMs: happened.openMs,
    isResumable: happened.isResumable ?? false,
    progress: [...happened.progress ?? []],
    failure: happened.failure,
  };
  book.calls.set(TOKEN, call);
  sent.forEach(([target, atMs], connection) => book.delivered(TOKEN, { target, atMs, connection }));
  return {
    book,
    faults,
    received: receivedIn(notes),
    headersTimeoutMs: DEADLINE_MS,
    lagMs: () => happened.lagMs ?? 0,
  };
}

function fault(kind: FaultKind, fromMs: number, untilMs = fromMs, target = "a"): Fault {
  return { kind, target, fromMs, untilMs };
}

function rules(happened: Happened, ...faults: Fault[]): string[] {
  return judge(evidence(happened, ...faults)).findings.map(({ rule }) => rule);
}

const FAILED = { failure: "status 502" };

Deno.test("judge() finds nothing in a call that was answered", () => {
  const { findings, figures } = judge(evidence({ notes: `+${TOKEN}\n!${TOKEN}\n` }));
  assertEquals(findings, []);
  assertEquals([figures.calls, figures.answered, figures.unexcused], [1, 1, 0]);
});

Deno.test("judge() excuses a failure by a fault that breaks the target's calls, while it was there", () => {
  for (const kind of ["kill", "restart", "reset", "refuse"] as const) {
    const { findings, figures } = judge(evidence(FAILED, fault(kind, 1_500)));
    assertEquals([findings, figures.excused], [[], { [kind]: 1 }]);
    assertEquals(rules(FAILED, fault(kind, 1_500, 1_500, "b")), ["failed"]);
    assertEquals(rules(FAILED, fault(kind, 500)), ["failed"]);
    assertEquals(rules(FAILED, fault(kind, 2_001)), ["failed"]);
  }
  assertEquals(rules(FAILED), ["failed"]);
});

Deno.test("judge() excuses a failure by a fault of the target at which its session is made anew for it", () => {
  const withSession = (renewedMs: number) => {
    const given = evidence({ ...FAILED, sent: [] }, fault("kill", 1_600, 2_200, "b"));
    const failed = given.book.calls.get(TOKEN)!;
    const opened = { ...failed, token: "tk.1.0.k", kind: "open" as const, failure: undefined };
    given.book.calls.set(opened.token, { ...opened, startMs: 100, endMs: 200 });
    given.book.delivered(opened.token, { target: "b", atMs: renewedMs, connection: 9 });
    // What others do is nothing to it.
    const other = { ...opened, token: "tk.2.0.k", client: "session#2" };
    given.book.calls.set(other.token, other);
    const later = { ...opened, token: "tk.1.2.k", kind: "echo" as const };
    given.book.calls.set(later.token, later);
    return judge(given).findings.map(({ rule }) => rule);
  };
  assertEquals(withSession(1_500), []);
  assertEquals(withSession(-1_500), []);
  assertEquals(withSession(-2_500), ["failed"]);
  assertEquals(withSession(2_100), ["failed"]);
});

Deno.test("judge() excuses a failure at a target that is hung or slow by the deadline alone", () => {
  const late = { ...FAILED, endMs: 1_000 + DEADLINE_MS };
  for (const kind of ["hang", "slow"] as const) {
    assertEquals(rules(FAILED, fault(kind, 900, 5_000)), ["failed"]);
    assertEquals(rules(late, fault(kind, 900, 5_000)), []);
  }
  assertEquals(rules(late), ["failed"]);
});

Deno.test("judge() does not excuse by a reset what has an event id", () => {
  const known = { ...FAILED, isResumable: true };
  assertEquals(rules(known, fault("reset", 1_500)), ["resumable"]);
  assertEquals(rules(known, fault("reset", 1_500), fault("kill", 1_600)), []);
  assertEquals(rules(known, fault("kill", 1_500)), []);
});

Deno.test("judge() excuses a call that nobody got where it fails just behind a break", () => {
  const nobody = { ...FAILED, sent: [] };
  assertEquals(rules({ ...nobody, endMs: 1_010 }, fault("reset", 950)), []);
  assertEquals(rules({ ...nobody, endMs: 1_010 }, fault("reset", 800)), ["failed"]);
  assertEquals(rules({ ...nobody, endMs: 1_010, lagMs: 50 }, fault("reset", 800)), []);
  assertEquals(rules({ ...nobody, endMs: 1_010 }, fault("slow", 950, 1_500)), ["failed"]);
});

Deno.test("judge() excuses a bridged call that nobody got by any target, also where its session was just opened at another", () => {
  const withSession = (isBridged: boolean) => {
    const given = evidence({ ...FAILED, sent: [], isBridged }, fault("reset", 1_200, 1_210, "c"));
    const failed = given.book.calls.get(TOKEN)!;
    const opened = { ...failed, token: "tk.1.0.k", kind: "open" as const, failure: undefined };
    given.book.calls.set(opened.token, { ...opened, startMs: 100, endMs: 200 });
    given.book.delivered(opened.token, { target: "b", atMs: 900, connection: 9 });
    return judge(given).findings.map(({ rule }) => rule);
  };
  assertEquals(withSession(true), []);
  assertEquals(withSession(false), ["failed"]);
});

Deno.test("judge() excuses a bridged call that nobody got by any target, at which its session may be", () => {
  const bridged = { ...FAILED, sent: [], isBridged: true };
  assertEquals(rules(bridged, fault("kill", 1_200, 1_400, "c")), []);
  assertEquals(rules({ ...bridged, isBridged: false }, fault("kill", 1_200, 1_400, "c")), [
    "failed",
  ]);
  assertEquals(rules(bridged, fault("kill", 2_100, 2_400, "c")), ["failed"]);
  assertEquals(rules(bridged, fault("kill", 700, 900, "c")), ["failed"]);
  assertEquals(rules(bridged, fault("hang", 1_200, 1_400, "c")), ["failed"]);
  assertEquals(rules({ ...bridged, endMs: 4_000 }, fault("hang", 1_200, 1_400, "c")), []);
  assertEquals(rules({ ...bridged, sent: [["a", 1_010]] }, fault("kill", 1_200, 1_400, "c")), [
    "failed",
  ]);
});

Deno.test("judge() excuses a call that is never answered by nothing", () => {
  assertEquals(rules({ endMs: undefined }, fault("kill", 1_500)), ["hung"]);
  assertEquals(rules({ failure: "silence for 20000 ms" }, fault("kill", 1_500)), ["hung"]);
});

Deno.test("judge() finds what was delivered twice, but for reads and what a server has refused", () => {
  const sent = [["a", 1_010], ["b", 1_500]] as const;
  assertEquals(rules({ sent }), ["twice"]);
  assertEquals(rules({ sent, kind: "list" }), []);
  assertEquals(rules({ sent, kind: "open" }), []);
  assertEquals(rules({ sent, notes: `+${TOKEN}\n-${TOKEN}\n+${TOKEN}\n!${TOKEN}\n` }), []);
  assertEquals(rules({ sent, notes: `-${TOKEN}\n!${TOKEN}\n!${TOKEN}\n` }), ["twice"]);
  assertEquals(rules({ notes: `!${TOKEN}\n!${TOKEN}\n` }), ["twice"]);
  assertEquals(rules({ ...FAILED, sent }, fault("kill", 1_500)), ["twice"]);
});

Deno.test("judge() wants all progress of an answered call, once and in order", () => {
  const lost = judge(evidence({ kind: "steps", steps: 3, progress: [1, 3] }));
  assertEquals(lost.findings.map(({ rule }) => rule), ["progress"]);
  assertEquals([lost.figures.eventsLost, lost.figures.eventsTwice], [1, 0]);
  const twice = judge(evidence({ kind: "steps", steps: 2, progress: [1, 1, 2] }));
  assertEquals([twice.figures.eventsLost, twice.figures.eventsTwice], [0, 1]);
  assertEquals(rules({ kind: "steps", steps: 2, progress: [2, 1] }), ["progress"]);
  assertEquals(rules({ kind: "steps", steps: 2, progress: [1, 2] }), []);
});

Deno.test("judge() finds a stream that stays open behind its answer", () => {
  assertEquals(rules({ openMs: 1_500 }), ["ended"]);
  assertEquals(rules({ openMs: 500 }), []);
});

Deno.test("judge() finds gaps and repeats in the events of a session at a server", () => {
  const of = (...numbers: number[]) => {
    const given = evidence({});
    for (const number of numbers) given.book.tick("session#1", "e", number);
    return judge(given);
  };
  assertEquals(of(4, 5, 6).findings, []);
  const gap = of(1, 3);
  assertEquals([gap.findings[0]!.rule, gap.figures.eventsLost], ["ticks", 1]);
  const repeat = of(1, 2, 2);
  assertEquals([repeat.findings[0]!.rule, repeat.figures.eventsTwice], ["ticks", 1]);
  assertEquals(of(2, 1).findings.length, 1);
});
