/** What the proxy is meant to reach, beside what it did: pure text, nothing left out. */

import { MODERN_WITH_KEY, requestsPerCall } from "./era_summary.ts";
import { type Mode, MODES } from "./modes.ts";
import type { Report } from "./report.ts";
import type { Estimate, LatencyRow } from "./summary.ts";
import { alignedTable } from "./table.ts";

/** A bound on one figure. */
interface Bound {
  readonly most?: number;
  readonly least?: number;
}

const ADDED_TO_NGINX: Bound = { most: 2.2 };
const P95_TO_DIRECT: Readonly<Record<number, Bound>> = { 5: { most: 1.12 }, 20: { most: 1.05 } };
const ADDED_AT_SERVICE_MS = 5;
const REQUESTS_TO_NGINX: Bound = { least: 0.6 };
/** Of the proxy that passes bytes as they come, before there were modes; 0.8 says more. */
const EVENTS_TO_NGINX: Bound = { least: 0.7 };
const EVENTS_IN_MODE_TO_NGINX: Readonly<Record<Mode, Bound>> = {
  raw: { least: 0.8 },
  logged: { least: 0.4 },
  inspected: { least: 0.4 },
};
/** Of a caller that has a session at the server already. */
const REQUESTS_PER_CALL: Bound = { most: 1 };
const RSS_PER_STREAM_KIB: Bound = { most: 32 };

/** The target that has to reach them, where it is not one in a mode. */
const SUBJECT = "proxy";

/** The mode of the other targets, with which they compare. */
const MODE_OF_OTHERS: Mode = "logged";

/** A figure without an interval is an estimate without one. */
type Figure = Pick<Estimate, "value"> & Partial<Pick<Estimate, "interval">>;

interface Goal {
  readonly what: string;
  readonly bound: Bound;
  readonly digits: number;
  /** Where it is the proxy in one mode that has to reach it. */
  readonly mode?: Mode;
  readonly of: (target: string) => Figure | undefined;
}

function latencyGoals(report: Report): Goal[] {
  const goals: Goal[] = [];
  const add = (
    serviceMs: number,
    bound: Bound,
    what: string,
    digits: number,
    ofApart: boolean,
    pick: (row: LatencyRow) => Estimate | undefined,
  ): void => {
    const tables = (report.latency ?? []).filter(({ plan }) =>
      plan.serviceMs === serviceMs && (plan.spreadMs === undefined || ofApart)
    );
    if (tables.length === 0) goals.push({ what, bound, digits, of: () => undefined });
    for (const { plan, rows } of tables) {
      const of = (target: string): Figure | undefined => {
        const row = rows.find((one) => one.target === target);
        return row === undefined ? undefined : pick(row);
      };
      const connections = plan.connections === 1 ? "connection" : "connections";
      const pace = plan.spreadMs === undefined ? "" : " apart";
      goals.push({ what: `${what}, ${plan.connections} ${connections}${pace}`, bound, digits, of });
    }
  };
  const added = `added p50 to nginx's, ${ADDED_AT_SERVICE_MS} ms`;
  // Apart, what nginx adds to the median is too little to be a scale.
  add(ADDED_AT_SERVICE_MS, ADDED_TO_NGINX, added, 2, false, (row) => row.addedToScale);
  for (const [serviceMs, bound] of Object.entries(P95_TO_DIRECT)) {
    add(Number(serviceMs), bound, `p95 to direct, ${serviceMs} ms`, 3, true, (row) => row.p95Ratio);
  }
  return goals;
}

function rateGoals(report: Report): Goal[] {
  const of = (rows: readonly { target: string; toNginx?: Estimate }[] | undefined) =>
  (
    target: string,
  ): Figure | undefined => rows?.find((row) => row.target === target)?.toNginx;
  const requests = of(report.throughput);
  const events = (mode: Mode, bound: Bound): Goal[] => {
    const goal = { bound, digits: 2, mode };
    const what = `events/s to nginx, ${mode}`;
    return report.sse?.map(({ plan, rows }): Goal => {
      const writes = plan.writeBytes === 1 ? "one a write" : `writes of ${plan.writeBytes} bytes`;
      return { ...goal, what: `${what}, ${writes}`, of: of(rows) };
    }) ?? [{ ...goal, what, of: of(undefined) }];
  };
  return [
    { what: "requests/s to nginx", bound: REQUESTS_TO_NGINX, digits: 2, of: requests },
    ...events("raw", EVENTS_TO_NGINX),
    ...MODES.flatMap((mode) => events(mode, EVENTS_IN_MODE_TO_NGINX[mode])),
  ];
}

function eraGoals(report: Report): Goal[] {
  const row = report.eras?.rows.find(({ target }) => target === MODERN_WITH_KEY);
  const figure = row === undefined ? undefined : { value: requestsPerCall(row) };
  const of = (target: string): Figure | undefined => target === SUBJECT ? figure : undefined;
  const what = `upstream requests a call, ${MODERN_WITH_KEY}`;
  return [{ what, bound: REQUESTS_PER_CALL, digits: 3, of }];
}

function rssGoals(report: Report): Goal[] {
  return MODES.flatMap((mode) => {
    const goal = { bound: RSS_PER_STREAM_KIB, digits: 1, mode };
    const what = `KiB an idle stream, ${mode}`;
    return report.rss?.map(({ streams, rows }): Goal => {
      const of = (target: string): Figure | undefined => {
        const row = rows.find((one) => one.target === target);
        return row === undefined ? undefined : { value: row.perStreamKiB };
      };
      return { ...goal, what: `${what}, of ${streams}`, of };
    }) ?? [{ ...goal, what, of: () => undefined }];
  });
}

function holds({ most = Infinity, least = -Infinity }: Bound, value: number): boolean {
  return value <= most && value >= least;
}

/** Met or not; uncertain where the other end of the interval would have it otherwise. */
function verdict(bound: Bound, figure: Figure | undefined): string {
  if (figure === undefined || Number.isNaN(figure.value)) return "not measured";
  const met = holds(bound, figure.value);
  const { low = figure.value, high = figure.value } = figure.interval ?? {};
  const certain = holds(bound, low) === met && holds(bound, high) === met;
  return (met ? "met" : "NOT MET") + (certain ? "" : ", uncertain");
}

function text(figure: Figure | undefined, digits: number): string {
  if (figure === undefined) return "-";
  const { value, interval } = figure;
  const range = interval === undefined
    ? ""
    : ` [${interval.low.toFixed(digits)}, ${interval.high.toFixed(digits)}]`;
  return value.toFixed(digits) + range;
}

/** The table of targets, with its heading; other clients of the same proxy stand beside it. */
export function goalLines(report: Report, others: readonly string[]): string[] {
  const goals = [
    ...latencyGoals(report),
    ...rateGoals(report),
    ...eraGoals(report),
    ...rssGoals(report),
  ];
  return [
    "targets: what the proxy is to reach; uncertain where its interval holds the bound",
    ...alignedTable([
      ["figure", "target", SUBJECT, "verdict", ...others],
      ...goals.map(({ what, bound, digits, mode, of }) => {
        const figure = of(mode ?? SUBJECT);
        const wanted = bound.most === undefined ? `>= ${bound.least}` : `<= ${bound.most}`;
        const comparable = mode === undefined || mode === MODE_OF_OTHERS;
        const beside = others.map((other) =>
          comparable ? of(other)?.value.toFixed(digits) ?? "-" : "-"
        );
        return [what, wanted, text(figure, digits), verdict(bound, figure), ...beside];
      }),
    ]),
  ];
}
