/**
 * One call on its way to a target, and how it and its answer look at the server. Pure.
 *
 * @module
 */

import { inwardId, outwardId, UNNAMED } from "../http/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall, WholeAnswer } from "../upstream/mod.ts";
import type { Interruption } from "./interruption.ts";

/** What can be asked of a target: the methods of an upstream. */
export type Verb = "exchange" | "notify" | "listen" | "terminate";

/** One call on its way. */
export interface Request {
  /** What is asked. */
  readonly verb: Verb;
  /** The call as it came from above. */
  readonly call: UpstreamCall;
  /** Its body; empty for `listen` and `terminate`. */
  readonly body: Uint8Array;
  /** Whether it may run twice. */
  readonly safe: boolean;
  /** Told an answer that is whole; see `WholeAnswer`. */
  readonly onWhole?: WholeAnswer | undefined;
  /** What takes it back; left out where nothing does. */
  readonly interruption?: Interruption | undefined;
  /** Whether it goes out on a new connection. */
  readonly fresh?: boolean | undefined;
}

/** Whether what is asked for is a stream on which the server speaks first. */
export function isListening({ verb, call: { method } }: Request): boolean {
  return verb === "listen" || method === "subscriptions/listen";
}

/** Makes a request of the target of this name. */
export function ask(upstream: Upstream, target: string, request: Request): Promise<UpstreamAnswer> {
  const { verb, body } = request;
  const call = inwardCall(target, request);
  switch (verb) {
    case "exchange":
      return upstream.exchange(call, body, toldInward(target, request));
    case "notify":
      return upstream.notify(call, body);
    case "listen":
      return upstream.listen(call);
    case "terminate":
      return upstream.terminate(call);
  }
}

/** An answer of the target of this name as it is seen above; the same object where nothing of it differs. */
export function outwardAnswer(target: string, answer: UpstreamAnswer): UpstreamAnswer {
  if (target === UNNAMED || answer.sessionId === undefined) return answer;
  return { ...answer, sessionId: outwardId(target, answer.sessionId) };
}

/** The call as the server is to see it; the same object where nothing of it differs. */
function inwardCall(target: string, { call, interruption, fresh }: Request): UpstreamCall {
  const isNamed = target !== UNNAMED && call.sessionId !== undefined;
  if (!isNamed && interruption === undefined && fresh === undefined) return call;
  return {
    ...call,
    sessionId: isNamed ? inwardId(call.sessionId!) : call.sessionId,
    signal: interruption ?? call.signal,
    fresh,
  };
}

/** Who is told a whole answer of the server. */
function toldInward(target: string, { onWhole }: Request): WholeAnswer | undefined {
  return target === UNNAMED
    ? onWhole
    : onWhole && ((answer) => onWhole(outwardAnswer(target, answer)));
}
