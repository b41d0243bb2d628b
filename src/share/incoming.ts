/**
 * The answer to a member's POST, under the names that the member gave.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { type CancelSignal, Fields } from "../http/mod.ts";
import {
  decode,
  encode,
  joined,
  jsonAnswer,
  readBody,
  readWithin,
  wholeBody,
  withTexts,
} from "../rpc/mod.ts";
import { EVENT_STREAM } from "../sse/mod.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";
import type { Exchange } from "./in_flight.ts";
import { renamed } from "./names.ts";
import type { Outgoing } from "./outgoing.ts";
import { RewrittenStream } from "./rewritten_stream.ts";
import { receive } from "./routing.ts";
import type { HubState } from "./state.ts";

/**
 * What the member gets. JSON is read whole, because the id may stand at its end; a stream is rewritten
 * event by event as it is read.
 *
 * @throws {ProxyError} `upstream_protocol` where the answer cannot be looked into, is too long, or answers
 * something else; what broke it off
 */
export async function incoming(
  state: HubState,
  { exchange, batch, answers }: Outgoing,
  answer: UpstreamAnswer,
  signal: CancelSignal,
): Promise<UpstreamAnswer> {
  const passing = { ...answer, sessionId: undefined };
  if (isCompressed(answer)) throw refuse(answer, "compressed its answer, which cannot be shared");
  if (answer.status === 200 && answer.kind === "sse") {
    return { ...passing, body: rewritten(state, exchange, answer, answers) };
  }
  if (answer.kind !== "json") {
    state.inFlight.close(exchange);
    return passing;
  }
  const { maxEventBytes, clock } = state.settings;
  const bytes = await readWithin(answer.body, maxEventBytes, signal);
  if (bytes === null) throw refuse(answer, `sent an answer of more than ${maxEventBytes} bytes`);
  const body = readBody(decode(bytes));
  const texts = body?.messages.flatMap((message) => receive(state, message, exchange)) ?? [];
  const isArray = batch && (body?.batch ?? true);
  const found = body === undefined ? [] : [...texts, ...answers];
  if (found.length > 0) {
    const text = joined(found, isArray || found.length > 1);
    state.inFlight.close(exchange);
    return { ...passing, body: wholeBody(clock, encode(text)) };
  }
  const told = answer.status >= 400 ? refusal(bytes, exchange) ?? decode(bytes) : undefined;
  state.inFlight.close(exchange);
  if (answer.status < 400 && body !== undefined) {
    throw refuse(answer, "answered with a response to another request");
  }
  const shown = told === undefined
    ? bytes
    : encode(renamed(told, state.session.written, exchange.member.id));
  return { ...passing, body: wholeBody(clock, shown) };
}

/** Goes on with the answer of a POST that the member takes up again. */
export function resumed(
  state: HubState,
  exchange: Exchange,
  answer: UpstreamAnswer,
): UpstreamAnswer {
  if (answer.status !== 200 || answer.kind !== "sse" || isCompressed(answer)) {
    return { ...answer, sessionId: undefined };
  }
  exchange.open = true;
  return { ...answer, sessionId: undefined, body: rewritten(state, exchange, answer, []) };
}

/** The answer to requests that the hub has answered, all of them. */
export function answeredHere({ settings: { clock } }: HubState, out: Outgoing): UpstreamAnswer {
  return jsonAnswer(clock, 200, joined(out.answers, out.batch));
}

/** The header fields of a stream of the proxy's own. */
export function streamHead(): Fields {
  return new Fields(["content-type", EVENT_STREAM]);
}

function rewritten(
  state: HubState,
  exchange: Exchange,
  { body }: UpstreamAnswer,
  first: readonly string[],
): RewrittenStream {
  exchange.body = body;
  return new RewrittenStream(body, {
    maxEventBytes: state.settings.maxEventBytes,
    first,
    receive: (message) => receive(state, message, exchange),
    noteEventId: (id) => exchange.noteEventId(id),
    // Not where the member has taken it up again since.
    over: () => exchange.body === body && state.inFlight.released(exchange),
  });
}

/** An error with an id that nobody has, as some servers tell it, for the one request that it can be about. */
function refusal(bytes: Uint8Array, { requests }: Exchange): string | undefined {
  const [asked] = requests.values();
  const body = readBody(decode(bytes));
  const message = body?.messages[0];
  if (message === undefined || asked === undefined || requests.size > 1 || body!.batch) {
    return undefined;
  }
  return withTexts(message, [["id"], asked.idText]);
}

function isCompressed({ headers }: UpstreamAnswer): boolean {
  const coding = headers.get("content-encoding");
  return coding !== null && coding.toLowerCase() !== "identity";
}

function refuse({ body }: UpstreamAnswer, what: string): ProxyError {
  body.discard();
  return new ProxyError("upstream_protocol", `The upstream server ${what}.`);
}
