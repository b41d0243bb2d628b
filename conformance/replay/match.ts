/**
 * Which exchange a request belongs to that reached the mock. Pure.
 *
 * @module
 */

import { type Alias, canonical } from "./values.ts";

/** A request, as far as it is matched. */
export interface Matchable {
  readonly method: string;
  readonly body: Uint8Array;
  /** The value of Last-Event-ID. */
  readonly lastEventId: string | undefined;
}

/** A request that a client sent. */
export interface Candidate extends Matchable {
  readonly exchange: number;
  readonly arrived: boolean;
}

/** Where a request belongs. */
export type Belongs =
  | { readonly kind: "first" | "repeat"; readonly exchange: number }
  | { readonly kind: "stray" };

/**
 * The oldest request of the same method and the same bytes that has not arrived; else one that has:
 * a repeat. A request whose bytes no client sent may be one that was changed on the way, and then
 * belongs to the one that is most like it: the same id, the same JSON-RPC method. All else is a stray.
 */
export function belongs(
  request: Matchable,
  candidates: readonly Candidate[],
  aliases: readonly Alias[],
): Belongs {
  const text = canonical(request.body, aliases);
  const own = candidates.filter(({ method }) => method === request.method);
  const same = own.filter((candidate) =>
    canonical(candidate.body, aliases) === text &&
    (candidate.lastEventId === undefined) === (request.lastEventId === undefined)
  );
  const first = same.find(({ arrived }) => !arrived);
  if (first !== undefined) return { kind: "first", exchange: first.exchange };
  const [repeat] = same;
  if (repeat !== undefined && request.lastEventId === undefined) {
    return { kind: "repeat", exchange: repeat.exchange };
  }
  const alike = mostAlike(request, own.filter(({ arrived }) => !arrived));
  return alike === undefined ? { kind: "stray" } : { kind: "first", exchange: alike.exchange };
}

function mostAlike(request: Matchable, waiting: readonly Candidate[]): Candidate | undefined {
  const scored = waiting.map((candidate) => ({ candidate, score: likeness(request, candidate) }));
  const best = Math.max(0, ...scored.map(({ score }) => score));
  return best === 0 ? undefined : scored.find(({ score }) => score === best)?.candidate;
}

function likeness(request: Matchable, candidate: Candidate): number {
  const [one, other] = [identity(request.body), identity(candidate.body)];
  // Nothing can be told of what holds no message: it can only be the one that waits.
  if (one === undefined || other === undefined) return one === other ? 1 : 0.5;
  return one.filter((part, index) => part !== undefined && part === other[index]).length;
}

/** The id and the method of a message, as JSON; undefined where there is no message. */
function identity(body: Uint8Array): readonly (string | undefined)[] | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    const first: unknown = Array.isArray(value) ? value[0] : value;
    if (typeof first !== "object" || first === null) return undefined;
    const { id, method } = first as { id?: unknown; method?: unknown };
    return [JSON.stringify(id), JSON.stringify(method)];
  } catch {
    return undefined;
  }
}

/**
 * Requests that a proxy may make without a client's: it asks which revisions the server speaks
 * (2026-07-28 basic/versioning, "Backward Compatibility") and whether it lives (basic/utilities/ping),
 * and it resumes a stream that broke (2025-03-26 basic/transports, "Resumability and Redelivery").
 */
export function mayBeOwn(request: Matchable): boolean {
  if (request.method === "GET") return request.lastEventId !== undefined;
  const method = identity(request.body)?.[1];
  return method === '"server/discover"' || method === '"ping"';
}
