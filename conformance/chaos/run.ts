/**
 * A run of the chaos test: targets, the proxy before them, clients, faults, reloads, and the end of it all.
 *
 * @module
 */

import { freePort } from "../free_port.ts";
import { Book, receivedIn } from "./book.ts";
import { type Field, pause, workers } from "./clients/mod.ts";
import { configWith, FIRST_CHOICE, type Fixed } from "./config.ts";
import { disturb, Disturbed, type Fault } from "./faults.ts";
import { type Figures, type Finding, judge } from "./judge.ts";
import type { Options } from "./options.ts";
import { Lag } from "./lag.ts";
import { Proxy } from "./proxy.ts";
import { Random } from "./random.ts";
import { reload, type Reloads } from "./reloads.ts";
import { Target } from "./target.ts";
import { type Times, timesToEject, timesToReadmit, Watch } from "./watch.ts";

/** When faults begin, with three targets: about one a second, never all targets at a time. */
const PLAN = { everyMs: [300, 1_500], restMs: [1_500, 3_500] } as const;

/** How long reloads may go on beyond the time they were given, in milliseconds: the machine may have stood still. */
const LATE_RELOADS_MS = 15_000;

/** How long all targets may take to be well again behind the last fault, in milliseconds. */
const RECOVERY_MS = { least: 2_500, most: 12_000 };

/** How long the last calls may take, in milliseconds; then clients are cut. */
const LAST_MS = 35_000;

/** What came of a run. */
export interface Outcome {
  readonly options: Options;
  readonly tookMs: number;
  readonly figures: Figures;
  readonly faults: readonly Fault[];
  readonly reloads: Reloads;
  /** Times until targets were left alone and used again; null where the proxy does not tell of targets. */
  readonly eject: Times | null;
  readonly readmit: Times | null;
  /** The longest time for which the test's own process stood still, in milliseconds. */
  readonly longestLagMs: number;
  /** What is told and not judged. */
  readonly counts: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  /** Warnings and errors that the proxy has logged. */
  readonly log: readonly string[];
}

/** Runs it. Whatever happens, all processes are ended before it returns. */
export async function run(options: Options): Promise<Outcome> {
  const random = new Random(options.seed);
  const folder = await Deno.makeTempDir({ prefix: "switchyard-chaos-" });
  await using ends = new AsyncDisposableStack();
  ends.defer(() => Deno.remove(folder, { recursive: true }));
  const book = new Book();
  const targets = await openTargets(options, folder, book, ends);
  const { headersTimeoutMs } = options;
  const places = targets.map(({ name, relay: { port } }) => ({ name, port }));
  const fixed: Fixed = { targets: places, admin: freePort(), headersTimeoutMs };
  const file = `${folder}/switchyard.json`;
  await Deno.writeTextFile(file, configWith(fixed, FIRST_CHOICE));
  const proxy = ends.use(await Proxy.open(file));
  const watch = new Watch(`http://127.0.0.1:${fixed.admin}`);
  const stage = { proxy, targets, fixed, book, watch, random };
  using lag = new Lag();
  const startMs = performance.now();
  const { faults, reloads } = await play(options, stage);
  const tookMs = performance.now() - startMs;
  const findings = proxyFindings(proxy);
  const notes = await Promise.all(targets.map((target) => target.notes()));
  const { figures, findings: judged } = judge({
    book,
    faults,
    received: receivedIn(notes.join("")),
    headersTimeoutMs,
    lagMs: (fromMs, untilMs) => lag.between(fromMs, untilMs),
  });
  return {
    options,
    tookMs,
    figures,
    faults,
    reloads,
    eject: watch.isTold ? timesToEject(watch.changes, faults) : null,
    readmit: watch.isTold ? timesToReadmit(watch.changes, faults) : null,
    counts: book.counts,
    longestLagMs: lag.longestMs,
    findings: [...judged, ...reloads.findings, ...findings],
    log: proxy.log,
  };
}

interface Stage {
  readonly proxy: Proxy;
  readonly targets: readonly Target[];
  readonly fixed: Fixed;
  readonly book: Book;
  readonly watch: Watch;
  readonly random: Random;
}

/** The time with clients. */
async function play(options: Options, stage: Stage) {
  const { proxy, targets, fixed, book, watch, random } = stage;
  const [calm, over] = [new AbortController(), new AbortController()];
  const recovered = Promise.withResolvers<void>();
  const field: Field = {
    origin: proxy.origin!,
    book,
    thinkMs: options.thinkMs,
    calm: calm.signal,
    recovered: recovered.promise,
    over: over.signal,
  };
  const watching = watch.run(over.signal);
  const working = Promise.all(
    workers(options.clients, field, random.fork(), options.only).map((worker) => worker.run()),
  );
  const disturbed = new Disturbed(Math.max(1, targets.length - 1));
  const disturbing = options.faults.length === 0
    ? []
    : disturb(targets, { ...PLAN, disturbed, kinds: options.faults }, random.fork(), calm.signal);
  const withinMs = options.seconds * 1_000;
  const reloading = reload({
    proxy,
    fixed,
    count: options.reloads,
    withinMs: 0.9 * withinMs,
    random: random.fork(),
    disturbed,
    over: calm.signal,
  });
  const mostMs = withinMs + LATE_RELOADS_MS + RECOVERY_MS.most + LAST_MS;
  const cut = setTimeout(() => over.abort(), mostMs);
  try {
    await pause(withinMs, over.signal);
    await Promise.race([settled(reloading), pause(LATE_RELOADS_MS, over.signal)]);
    calm.abort();
    const [faults, reloads] = await Promise.all([disturbing, reloading]);
    await pause(RECOVERY_MS.least, over.signal);
    for (let waited = 0; waited < RECOVERY_MS.most && !watch.isWell; waited += 100) {
      await pause(100, over.signal);
    }
    recovered.resolve();
    await Promise.race([working, pause(LAST_MS, over.signal)]);
    return { faults, reloads };
  } finally {
    clearTimeout(cut);
    calm.abort();
    recovered.resolve();
    over.abort();
    await Promise.all([working, watching, disturbing, reloading].map(settled));
  }
}

/** Waits for the end, good or bad: what is bad is told where it is awaited first. */
function settled(promise: unknown): Promise<unknown> {
  return Promise.resolve(promise).catch(() => {});
}

async function openTargets(
  { targets: count }: Options,
  folder: string,
  book: Book,
  ends: AsyncDisposableStack,
): Promise<readonly Target[]> {
  const opened = Array.from({ length: count }, async (_, at) =>
    ends.use(
      await Target.open({
        name: String.fromCharCode(97 + at),
        folder,
        // Which ports are free the seed cannot decide.
        random: Math.random,
        delivered: (token, delivery) => book.delivered(token, delivery),
      }),
    ));
  const settledAll = await Promise.allSettled(opened);
  return settledAll.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
}

function proxyFindings(proxy: Proxy): Finding[] {
  const findings: Finding[] = [];
  if (proxy.code !== undefined) findings.push({ rule: "proxy", what: `it ended: ${proxy.code}` });
  const errors = proxy.log.filter((line) => /"kind":"internal|Uncaught|"level":"error"/.test(line));
  for (const line of errors.slice(0, 20)) findings.push({ rule: "proxy", what: line });
  return findings;
}
