/**
 * A call of another instance, at the instance that is called.
 *
 * @module
 */

import { ProxyError, toProxyError } from "../errors.ts";
import { type Bytes, Fields } from "../http/mod.ts";
import type { UpstreamAnswer, UpstreamBody, UpstreamCall } from "../upstream/mod.ts";
import { Inflow, Outflow } from "./flow.ts";
import { type CallContext, type CallEnd, Link } from "./link.ts";
import { type LocalCalls, type Opening, toldError, type Word } from "./words.ts";

/** One call. */
export interface IncomingOptions {
  /** Its name. */
  readonly id: string;
  /** The instance that calls. */
  readonly peer: string;
  /** What it says first. */
  readonly opening: Opening;
  /** What it calls; undefined where there is nothing of the kind. */
  readonly local: LocalCalls | undefined;
  /** Told once when it is over, however. */
  readonly onOver: () => void;
}

/** The end that is called. */
export class Incoming implements CallEnd {
  /** See `CallEnd`. */
  readonly link: Link;
  readonly #options: IncomingOptions;
  readonly #outflow: Outflow;
  readonly #inflow: Inflow;
  readonly #abort = new AbortController();
  #pieces: Bytes[] = [];
  #missing: number;
  #body: UpstreamBody | undefined;
  #over = false;

  /** A call whose first message has come. */
  constructor(context: CallContext, options: IncomingOptions) {
    const { bounds } = context;
    this.#options = options;
    this.link = new Link(context, options.id, options.peer, () => this.#giveUp(lost()));
    this.#outflow = new Outflow(bounds, (bytes) => this.link.say({ say: "data", bytes }));
    this.#inflow = new Inflow(bounds, (count) => this.link.say({ say: "taken", count }));
    this.#missing = Math.max(0, options.opening.size);
  }

  /** Begins it, or refuses it. */
  begin(refusal: ProxyError | undefined): void {
    const { opening, local } = this.#options;
    // The first message was number 0.
    this.link.isNext(0);
    this.link.watch();
    if (refusal !== undefined) return this.#end(refusal);
    if (local === undefined) {
      this.link.say({ say: "unknown" });
      return this.#settle();
    }
    this.#take(opening.bytes);
  }

  /** See `CallEnd`. */
  hear(word: Word): void {
    if (this.#over) return;
    if (word.say === "data" && this.#missing > 0) this.#take(word.bytes);
    else if (word.say === "cancel") this.#cancel();
    else if (word.say === "taken" ? !this.#outflow.taken(word.count) : word.say !== "beat") {
      this.link.break();
    }
  }

  /** See `CallEnd`. */
  close(): void {
    this.#giveUp(stopping());
  }

  /** Takes a part of the request, and carries it out once it is whole. */
  #take(bytes: Bytes): void {
    const fits = bytes.length <= this.#missing &&
      this.#inflow.came(bytes, (taken) => this.#pieces.push(taken));
    if (!fits) return this.link.break();
    this.#missing -= bytes.length;
    if (this.#missing > 0) return;
    const whole = joined(this.#pieces);
    this.#pieces = [];
    void this.#run(whole);
  }

  /** Never rejects. */
  async #run(body: Bytes): Promise<void> {
    try {
      const answer = await this.#carryOut(body);
      if (this.#over) return answer.body.discard();
      this.#body = answer.body;
      const { status, headers, sessionId = null, kind } = answer;
      this.link.say({ say: "head", status, fields: headers.list, sessionId, kind });
      for (let next = await answer.body.next(); next !== null; next = await answer.body.next()) {
        if (!await this.#outflow.write(joined(next))) return;
      }
      this.#end();
    } catch (error) {
      this.#end(toProxyError(error));
    }
  }

  async #carryOut(body: Bytes): Promise<UpstreamAnswer> {
    const { opening, local } = this.#options;
    const { verb, era, fields, sessionId, principal, query, lastEventId } = opening;
    const call: UpstreamCall = {
      era,
      headers: new Fields([...fields]),
      sessionId: sessionId ?? undefined,
      principal,
      query,
      ...(lastEventId !== false && { lastEventId }),
      signal: this.#abort.signal,
    };
    return await local![verb](call, body);
  }

  #end(error?: ProxyError): void {
    if (this.#over) return;
    this.link.say({ say: "end", error: error === undefined ? null : toldError(error) });
    this.#settle();
  }

  /** The other end is told, if it still hears, and what is under way here is not gone on with. */
  #giveUp(error: ProxyError): void {
    if (this.#over) return;
    this.link.say({ say: "end", error: toldError(error) });
    this.#cancel();
  }

  /** Nobody wants the answer any more. */
  #cancel(): void {
    if (this.#over) return;
    this.#settle();
    this.#abort.abort();
    this.#body?.discard();
  }

  #settle(): void {
    this.#over = true;
    this.#outflow.end();
    this.link.end();
    this.#options.onOver();
  }
}

function joined(pieces: readonly Bytes[]): Bytes {
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function stopping(): ProxyError {
  const sentence = "The instance of the proxy that this request was passed on to is stopping.";
  return new ProxyError("upstream_closed", sentence);
}

function lost(): ProxyError {
  const sentence =
    "Messages between instances of the proxy were lost, and with them what became of this request.";
  return new ProxyError("upstream_closed", sentence);
}
