/**
 * A request to the upstream and its answer back: lost sessions, sessions that it opens or ends, and who follows
 * the answer to its end.
 *
 * @module
 */

import { ProxyError, toProxyError } from "../errors.ts";
import type { ClientAnswer } from "../http/mod.ts";
import { Attachment, PassingStream } from "../relay/mod.ts";
import type { Session } from "../session/mod.ts";
import type { UpstreamAnswer, UpstreamBody, UpstreamCall, WholeAnswer } from "../upstream/mod.ts";
import { toAnswer } from "./answer.ts";
import type { Followed } from "./exchanges.ts";
import { failedAnswer } from "./failures.ts";
import type { FrontOptions } from "./front.ts";
import { RequestInterceptors } from "./interceptors.ts";
import { callOf, type Passage } from "./passage.ts";
import { forNobody, Recovery } from "./recovery.ts";
import { openedSession, settledSession } from "./settle.ts";
import { countAnswer } from "./traffic.ts";
import { servesStill } from "./use.ts";

/** Sends a request; `onWhole` is told an answer that may be the client's at once. */
type Send = (call: UpstreamCall, onWhole?: WholeAnswer) => Promise<UpstreamAnswer>;

/** A request that was sent on, and what its answer ends. */
interface Sent {
  readonly options: FrontOptions;
  readonly passage: Passage;
  readonly call: UpstreamCall;
  readonly interceptors: RequestInterceptors | undefined;
  /** The generation of its session that it went out in. */
  generation: number | undefined;
  /** The request is no longer under way in its session. Harmless again. */
  readonly release: () => void;
}

/** Sends a request on and turns what comes back into the client's answer. */
export async function pass(
  options: FrontOptions,
  passage: Passage,
  send: Send,
  interceptors?: RequestInterceptors,
): Promise<ClientAnswer> {
  const { arrival, session } = passage;
  const release = session === undefined
    ? nothing
    : options.sessions.use(session, session.lastUsedMs);
  const call = callOf(options, passage, failedAnswer(options, passage));
  const generation = session?.record.generation;
  const sent: Sent = { options, passage, call, interceptors, generation, release };
  // To open a session may take the store its time.
  const isEarly = arrival.deliver !== undefined && !passage.opensSession;
  const early = isEarly ? new Early(sent) : undefined;
  let answer: UpstreamAnswer | undefined;
  try {
    answer = await send(call, early?.onWhole);
    if (early?.isTaken === true) return await early.answered();
    if (session !== undefined && Recovery.isSuspect(answer)) {
      answer = await recovered(options, passage, generation!, answer, call, send);
      sent.generation = session.record.generation;
    }
    const known = passage.opensSession
      ? await openedSession(options, passage, call, answer)
      : settledSession(options, passage, call, answer);
    const found = clientAnswer(sent, answer, known);
    return found instanceof Promise ? await found : found;
  } catch (error) {
    release();
    // Nobody will read it.
    answer?.body.discard();
    throw toProxyError(error).withId(passage.idText);
  }
}

/** The answer to a request, given to the client while everything else still waits for it. */
class Early {
  readonly #sent: Sent;
  #found: ClientAnswer | Promise<ClientAnswer> | undefined;
  #failure: unknown;
  /** Whether there was one. */
  isTaken = false;

  constructor(sent: Sent) {
    this.#sent = sent;
  }

  readonly onWhole = (answer: UpstreamAnswer): void => {
    const { options, passage, call } = this.#sent;
    this.isTaken = true;
    try {
      const known = settledSession(options, passage, call, answer);
      this.#found = clientAnswer(this.#sent, answer, known, true);
      // What goes wrong is told where `answered` is waited for.
      if (this.#found instanceof Promise) this.#found.catch(() => {});
    } catch (error) {
      this.#failure = error;
    }
  };

  /** What the client has, or is to have. */
  answered(): ClientAnswer | Promise<ClientAnswer> {
    if (this.#found === undefined) throw this.#failure;
    return this.#found;
  }
}

/** What the client gets for an answer; with `isEarly` it has it then, where it is whole. */
function clientAnswer(
  sent: Sent,
  answer: UpstreamAnswer,
  known: Session | undefined,
  isEarly = false,
): ClientAnswer | Promise<ClientAnswer> {
  const { options, passage, call, interceptors, release } = sent;
  const { session } = passage;
  let followed: Followed = answer.body;
  if (answer.failure) call.onFailed?.(answer.failure);
  const found = toAnswer(answer, {
    expected: passage.expected,
    sessionId: known?.id,
    // Of a session that has ended meanwhile too: its client may not learn the upstream's id (R77).
    names: (known ?? session)?.names,
    idText: passage.idText,
    signal: call.signal,
    interceptors: interceptors && {
      maxBytes: interceptors.maxBytes,
      json: (body) => interceptors.json(body, call),
    },
    onReplaced: call.onFailed,
    stream: (body) => {
      if (session !== undefined && known === undefined) throw endedMeanwhile();
      const passing = options.streams.begin(body, {
        ...passage,
        session: known,
        generation: sent.generation,
        call,
        inspect: interceptors?.inspect(call),
        first: interceptors?.first(),
        onFailed: call.onFailed,
        isBehindGap: passage.expected === "stream" &&
          passage.arrival.request.headers.get("last-event-id") !== null,
      });
      if (passing instanceof Attachment) followed = passing;
      if (passing instanceof PassingStream) followed = endingWith(passing, body);
      return passing;
    },
  });
  if (isWhole(found)) {
    if (isEarly) passage.arrival.deliver?.(found);
    answer.body.discard();
    release();
  } else {
    follow(options, passage, followed, release);
  }
  if (known === undefined) return found;
  if (answer.status < 400) options.streams.taken(known, passage.headers);
  const count = (answered: ClientAnswer) => {
    countAnswer(known, answered, answer.body);
    return answered;
  };
  return found instanceof Promise ? found.then(count) : count(found);
}

const nothing = () => {};

/** Whether nothing more will come of the upstream. */
function isWhole(answer: ClientAnswer | Promise<ClientAnswer>): answer is ClientAnswer {
  return !(answer instanceof Promise) &&
    (answer.body === null || answer.body instanceof Uint8Array);
}

/** An answer of which more will come: what it works with stays open, and `release` is called at its end. */
function follow(
  options: FrontOptions,
  { isSubscription, arrival }: Passage,
  followed: Followed,
  release: () => void,
): void {
  followed.whenOver(release);
  // A stream of a session says itself how long it works with what.
  if (!(followed instanceof Attachment) && options.use !== undefined) {
    followed.whenOver(options.use.hold());
  }
  options.exchanges.follow(
    followed,
    isSubscription,
    servesStill(options.use, arrival.principal),
  );
}

/** Over when the upstream's part is: what the stream has still to say is at most one event. */
function endingWith(stream: PassingStream, body: UpstreamBody): Followed {
  return {
    end: () => stream.end(body),
    whenOver: (callback) => body.whenOver(callback),
  };
}

/** Streams belong to sessions, whose end ends them. */
function endedMeanwhile(): ProxyError {
  return new ProxyError(
    "session_not_found",
    "The session has ended before its stream began; start a new one with initialize.",
  );
}

/** What follows where the upstream may have lost the session: the same request in one made anew. */
function recovered(
  { recovery }: FrontOptions,
  { session, expected, onlyResponses, idText }: Passage,
  generation: number,
  answer: UpstreamAnswer,
  call: UpstreamCall,
  send: (call: UpstreamCall) => Promise<UpstreamAnswer>,
): Promise<UpstreamAnswer> {
  if (expected === "termination") {
    return recovery.ended(session!, generation, answer, call, send);
  }
  if (expected === "stream") return recovery.listenAgain(session!, generation, answer, call, send);
  const again = onlyResponses ? forNobody : send;
  return recovery.again(session!, generation, answer, call, again, idText);
}

/** The interceptors that look at a request, if there are any. */
export function interceptorsFor(
  options: FrontOptions,
  { arrival, session, era, message, idText }: Passage,
): RequestInterceptors | undefined {
  if (options.interceptors === undefined) return undefined;
  const subject = {
    principal: arrival.principal.name,
    era,
    revision: session?.revision,
    sessionId: session?.id,
    method: message?.method,
    idText,
  };
  return new RequestInterceptors(options.interceptors, subject);
}
