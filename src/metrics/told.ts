/**
 * Figures that are read when they are asked for: what is open, held and under way, and how targets are.
 *
 * @module
 */

import type { Snapshot } from "../admin/mod.ts";
import type { RouteTargets, TargetTold } from "../balance/mod.ts";
import type { Family, Sample } from "./text.ts";

/** What the process tells of this moment. */
export interface ProcessTold {
  /** As on the status page. */
  readonly snapshot: Pick<
    Snapshot,
    | "answersUnderWay"
    | "clientConnections"
    | "draining"
    | "eventLog"
    | "principals"
    | "sessions"
    | "streams"
    | "subscriptions"
    | "uptimeMs"
  >;
  /** The routes that are balanced over targets. */
  readonly routes: readonly Pick<RouteTargets, "route" | "targets" | "retries">[];
  /** What has become of the proxy's own access tokens, by route. */
  readonly tokens: readonly {
    readonly route: string;
    readonly stats: {
      readonly fetched: number;
      readonly failed: number;
      readonly refused: number;
    };
  }[];
  /** Bytes that are resident, and of those the ones of the JavaScript heap that are in use. */
  readonly memory: { readonly rss: number; readonly heapUsed: number };
}

const TOKEN_OUTCOMES = ["fetched", "failed", "refused"] as const;

/** One figure. */
interface Figure extends Pick<Family, "name" | "help"> {
  readonly kind: "gauge" | "counter";
  /** Its values, none where there is nothing to tell. */
  readonly read: (told: ProcessTold) => readonly Sample[];
}

/** A figure of the whole process; null where there is none. */
function one(
  name: string,
  help: string,
  read: (told: ProcessTold) => number | null | undefined,
): Figure {
  return {
    kind: "gauge",
    name,
    help,
    read(told) {
      const value = read(told) ?? undefined;
      return value === undefined ? [] : [{ value, labels: {} }];
    },
  };
}

/** A figure that each target has. */
function ofTargets(
  kind: Figure["kind"],
  name: string,
  help: string,
  read: (target: TargetTold) => number,
): Figure {
  return {
    kind,
    name,
    help,
    read: ({ routes }) =>
      routes.flatMap((balanced) =>
        balanced.targets().map((target) => ({
          value: read(target),
          labels: { route: balanced.route, target: target.name },
        }))
      ),
  };
}

const TARGET_STATES = ["up", "returning", "ejected", "down"] as const;

const STATES: Figure = {
  kind: "gauge",
  name: "switchyard_target_state",
  help: "1 for the state in which a target is, 0 for the others.",
  read: ({ routes }) =>
    routes.flatMap((balanced) =>
      balanced.targets().flatMap(({ name: target, state: is }) =>
        TARGET_STATES.map((state) => ({
          value: Number(state === is),
          labels: { route: balanced.route, target, state },
        }))
      )
    ),
};

const RETRIES: Figure = {
  kind: "counter",
  name: "switchyard_retries_total",
  help: "Calls that were sent again, and that the budget kept from it.",
  read: ({ routes }) =>
    routes.flatMap((balanced) => {
      const { route } = balanced;
      const { made, refused } = balanced.retries();
      return [
        { value: made, labels: { route, outcome: "made" } },
        { value: refused, labels: { route, outcome: "refused" } },
      ];
    }),
};

const TOKENS: Figure = {
  kind: "counter",
  name: "switchyard_server_tokens_total",
  help: "Access tokens of the proxy's own: fetched, not to be had, and refused by the server.",
  read: ({ tokens }) =>
    tokens.flatMap(({ route, stats }) =>
      TOKEN_OUTCOMES.map((outcome) => ({ value: stats[outcome], labels: { route, outcome } }))
    ),
};

const STREAMS: Figure = {
  kind: "gauge",
  name: "switchyard_streams",
  help: "Event streams that can be resumed, by whether a client reads them.",
  read: ({ snapshot: { streams: { held, unattended } } }) => [
    { value: held - unattended, labels: { state: "attended" } },
    { value: unattended, labels: { state: "unattended" } },
  ],
};

const FIGURES: readonly Figure[] = [
  one(
    "switchyard_uptime_seconds",
    "Time since the start.",
    ({ snapshot }) => snapshot.uptimeMs / 1000,
  ),
  one(
    "switchyard_draining",
    "1 while the process drains or stops.",
    ({ snapshot }) => Number(snapshot.draining),
  ),
  one(
    "switchyard_client_connections",
    "Connections of clients that are open.",
    ({ snapshot }) => snapshot.clientConnections,
  ),
  one("switchyard_sessions", "Sessions in the table.", ({ snapshot }) => snapshot.sessions),
  one(
    "switchyard_principals",
    "Callers who have sessions.",
    ({ snapshot }) => snapshot.principals,
  ),
  one(
    "switchyard_answers_under_way",
    "Answers that are not over, streams included.",
    ({ snapshot }) => snapshot.answersUnderWay,
  ),
  one(
    "switchyard_subscriptions",
    "Streams under way that have no end of their own.",
    ({ snapshot }) => snapshot.subscriptions,
  ),
  STREAMS,
  one(
    "switchyard_event_log_streams",
    "Streams in the event log.",
    ({ snapshot }) => snapshot.eventLog?.streams,
  ),
  one(
    "switchyard_event_log_events",
    "Events in the event log.",
    ({ snapshot }) => snapshot.eventLog?.events,
  ),
  one(
    "switchyard_event_log_bytes",
    "Bytes in the event log.",
    ({ snapshot }) => snapshot.eventLog?.bytes,
  ),
  STATES,
  ofTargets(
    "gauge",
    "switchyard_target_draining",
    "1 where an operator keeps new work from a target.",
    ({ draining }) => Number(draining),
  ),
  ofTargets(
    "gauge",
    "switchyard_target_under_way",
    "Answers of a target that are not over.",
    ({ underWay }) => underWay,
  ),
  ofTargets("counter", "switchyard_target_calls_total", "Calls.", ({ calls }) => calls),
  ofTargets(
    "counter",
    "switchyard_target_failures_total",
    "Calls that failed at the server.",
    ({ failures }) => failures,
  ),
  ofTargets(
    "counter",
    "switchyard_target_ejections_total",
    "How often a target was ejected or down.",
    ({ ejections }) => ejections,
  ),
  RETRIES,
  TOKENS,
  one("process_resident_memory_bytes", "Resident memory.", ({ memory }) => memory.rss),
  one(
    "switchyard_heap_used_bytes",
    "The JavaScript heap that is in use.",
    ({ memory }) => memory.heapUsed,
  ),
];

/** All of them, as they are now. */
export function toldFamilies(told: ProcessTold): Family[] {
  return FIGURES.map(({ read, ...figure }) => ({ ...figure, samples: read(told) }));
}
