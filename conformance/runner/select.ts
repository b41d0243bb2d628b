/**
 * The part of the catalogue that is asked for: pure.
 *
 * @module
 */

import type { Revision } from "../../fixtures/format/mod.ts";
import type { Case, Check, Group } from "../suite/mod.ts";
import type { Catalogue } from "./catalogue.ts";

/** What is asked for; what is left out does not restrict. */
export interface Selection {
  /** Part of the id of a check or of a case. */
  readonly filter?: string | undefined;
  readonly group?: Group | undefined;
  readonly revision?: Revision | undefined;
  /** Whether checks of group `latency` are among them. */
  readonly latency?: boolean | undefined;
}

/** The checks and cases that are asked for; a case judges only those of its checks that are. */
export function select({ checks, cases }: Catalogue, selection: Selection): Catalogue {
  const { filter = "", group, revision, latency = true } = selection;
  const groups = new Map(checks.map((check) => [check.id, check.group]));
  const inGroup = (id: string) => group === undefined || groups.get(id) === group;
  const chosen = cases.flatMap((one) => {
    if (revision !== undefined && !one.revisions.includes(revision)) return [];
    const judged = one.checks.filter((id) =>
      inGroup(id) && (one.id.includes(filter) || id.includes(filter))
    );
    return judged.length === 0 ? [] : [narrowed(one, judged)];
  });
  const judged = new Set(chosen.flatMap((one) => one.checks));
  const ofLatency = (check: Check) =>
    latency && check.group === "latency" && revision === undefined &&
    inGroup(check.id) && check.id.includes(filter);
  return {
    checks: checks.filter((check) => judged.has(check.id) || ofLatency(check)),
    cases: chosen,
  };
}

function narrowed(one: Case, checks: readonly string[]): Case {
  if (checks.length === one.checks.length) return one;
  return {
    ...one,
    checks,
    async run(context) {
      return (await one.run(context)).filter(({ check }) => checks.includes(check));
    },
  };
}

/** The part of the suite that a case belongs to: the group of its check, or the fixtures of a revision. */
export function sectionOf(one: Case, { checks }: Catalogue): string {
  if (one.id.startsWith("fixtures/")) return one.id.split("/").slice(0, 2).join("/");
  return checks.find(({ id }) => id === one.checks[0])?.group ?? "other";
}
