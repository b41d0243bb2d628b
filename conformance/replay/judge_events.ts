/**
 * What replayed event streams are judged by: pure functions of what both sides saw.
 *
 * @module
 */

import type { Block } from "../wire/mod.ts";
import type { Findings } from "./findings.ts";
import { comparable, type Outcome, type Transcript } from "./transcript.ts";
import { canonical } from "./values.ts";

/** Streams that the client could see to their end, or as far as they were recorded. */
function streams({ outcomes }: Transcript): readonly Outcome[] {
  return outcomes.filter(({ plan, given, got, skipped }) =>
    skipped === undefined && plan.isStream && given !== undefined && got?.status === given.status
  );
}

function name({ plan }: Outcome): string {
  return `the stream of exchange ${plan.number}`;
}

/** An event as text, the same for both sides; of an `endpoint` its data are the proxy's own. */
function written({ event, data }: Block, transcript: Transcript): string {
  const own = event === "endpoint" ? "(an endpoint)" : data;
  return JSON.stringify({ event, data: own === null ? null : canonical(own, transcript.aliases) });
}

/** The texts of what was given and of what came; undefined where what came cannot be all. */
function sides(outcome: Outcome, transcript: Transcript): [string[], string[]] | undefined {
  const { given, got, blocksLate, headLate } = outcome;
  const late = headLate || blocksLate.length > 0;
  // What was late when the stream was left is judged as late.
  if (late && got!.end === "open") return undefined;
  const own = comparable(given!.blocks, got!.blocks);
  const came = (endsWithError(outcome) ? own.slice(0, -1) : own)
    .map((block) => written(block, transcript));
  return [given!.blocks.map((block) => written(block, transcript)), came];
}

/** Every event arrives, none twice. */
export function judgeEvents(transcript: Transcript): Findings {
  const own = streams(transcript).filter(({ given }) => given!.blocks.length > 0);
  if (own.length === 0) return undefined;
  return own.flatMap((outcome) => {
    const both = sides(outcome, transcript);
    if (both === undefined) return [];
    const [given, came] = both;
    const [missing, added] = [without(given, came), without(came, given)];
    return [
      ...missing.map((event) => `${name(outcome)} lacks ${event}`),
      ...added.map((event) => `${name(outcome)} has ${event}, which the server did not send`),
      ...lostRetries(outcome),
    ];
  });
}

/** A proxy may have clients wait as long as it likes; where the server said how long, it has to say so. */
function lostRetries(outcome: Outcome): string[] {
  const { given, got } = outcome;
  const [sent, came] = [given!.blocks, got!.blocks].map((blocks) =>
    blocks.filter(({ retry }) => retry !== null).length
  );
  return came! < sent! ? [`${name(outcome)} says ${came} times how long to wait, not ${sent}`] : [];
}

/** Events keep their order. */
export function judgeOrder(transcript: Transcript): Findings {
  const own = streams(transcript).filter(({ given }) => given!.blocks.length > 1);
  if (own.length === 0) return undefined;
  return own.flatMap((outcome) => {
    const both = sides(outcome, transcript);
    if (both === undefined || without(both[0], both[1]).length > 0) return [];
    const [given, came] = both;
    const at = given.findIndex((event, index) => event !== came[index]);
    return at === -1 || came.length !== given.length
      ? []
      : [`event ${at + 1} of ${name(outcome)} is ${came[at]}, the server's was ${given[at]}`];
  });
}

/** What is in `all` and not in `some`, each as often as it is. */
function without(all: readonly string[], some: readonly string[]): string[] {
  const left = [...some];
  return all.filter((event) => {
    const at = left.indexOf(event);
    if (at === -1) return true;
    left.splice(at, 1);
    return false;
  });
}

/** An event that had an id has one; the same event has the same, another event another. */
export function judgeEventIds(transcript: Transcript): Findings {
  const clientOf = new Map<string, string>();
  const serverOf = new Map<string, string>();
  const wrong: string[] = [];
  let any = false;
  for (const outcome of streams(transcript)) {
    const got = comparable(outcome.given!.blocks, outcome.got!.blocks);
    outcome.given!.blocks.forEach(({ id }, at) => {
      const block = got[at];
      if (id === null || id === "" || block === undefined) return;
      any = true;
      const own = block.id ?? "";
      if (own === "") wrong.push(`event ${at + 1} of ${name(outcome)} has lost its id`);
      else if ((clientOf.get(id) ?? own) !== own) {
        wrong.push(`an event was given two ids: ${clientOf.get(id)} and ${own}`);
      } else if ((serverOf.get(own) ?? id) !== id) {
        wrong.push(`two events were given the id ${own}`);
      }
      clientOf.set(id, own);
      serverOf.set(own, id);
    });
  }
  return any ? wrong : undefined;
}

/** A stream that the server ended behind its response ends cleanly. */
export function judgeEnds(transcript: Transcript): Findings {
  const own = streams(transcript).filter((outcome) =>
    outcome.given!.end === "end" && !outcome.left && holdsResponse(outcome)
  );
  if (own.length === 0) return undefined;
  return own.flatMap((outcome) => {
    const { end } = outcome.got!;
    if (end === "complete") return [];
    return [`${name(outcome)} ${end === "cut" ? "broke off" : "did not end"}`];
  });
}

/** Whether a stream that broke off ends, for the client, with an error in place of the answer. */
function endsWithError({ given, got }: Outcome): boolean {
  if (given!.end !== "abort") return false;
  try {
    const last: unknown = JSON.parse(got!.blocks.at(-1)?.data ?? "");
    return typeof last === "object" && last !== null && "error" in last && "id" in last;
  } catch {
    return false;
  }
}

/** Whether the last event answers a request: what ends before is polling (2025-11-25). */
function holdsResponse({ given }: Outcome): boolean {
  try {
    const value: unknown = JSON.parse(given!.blocks.at(-1)?.data ?? "");
    const last: unknown = Array.isArray(value) ? value.at(-1) : value;
    return typeof last === "object" && last !== null && ("result" in last || "error" in last);
  } catch {
    return false;
  }
}

/**
 * A stream that broke off shows it, unless the client goes on elsewhere: it breaks off too, or ends with an
 * error in place of the answer.
 */
export function judgeTruncation(transcript: Transcript): Findings {
  const own = streams(transcript).filter(({ given, left }) => given!.end === "abort" && !left);
  if (own.length === 0) return undefined;
  return own.flatMap((outcome) =>
    outcome.got!.end === "complete" && !endsWithError(outcome)
      ? [`${name(outcome)} ended as if it were whole; the server's broke off`]
      : []
  );
}
