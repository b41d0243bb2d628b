/**
 * All calls of one instance: those to others, and those of others to it.
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import { NOTHING_SENT, ProxyError, stopping } from "../errors.ts";
import { type FieldReader, Fields } from "../http/mod.ts";
import type { UpstreamAnswer, UpstreamCall } from "../upstream/mod.ts";
import { DEFAULT_PEER_CALL_BOUNDS, type PeerCallBounds } from "./bounds.ts";
import { Incoming } from "./incoming.ts";
import type { CallContext, CallEnd } from "./link.ts";
import type { InstanceMessages } from "./messages.ts";
import { Outgoing } from "./outgoing.ts";
import { type LocalCalls, type Message, type Opening, parseMessage, type Verb } from "./words.ts";

/** What calls work with. */
export interface PeerCallsOptions {
  /** The other instances. */
  readonly messages: InstanceMessages;
  /** Time, whose timers are shared, and randomness. */
  readonly clock: Clock;
  /** Bounds that differ from `DEFAULT_PEER_CALL_BOUNDS`. */
  readonly bounds?: Partial<PeerCallBounds>;
}

/** Calls of one thing that every instance has, such as the bridge of a route. */
export interface PeerService {
  /** The name of this instance. */
  readonly instance: string;
  /**
   * Calls it at another instance, at most once.
   *
   * @returns the answer; undefined where that instance has gone, or has nothing of the kind, so that nothing
   * was carried out
   * @throws {ProxyError} what is thrown there; `upstream_closed` where nobody knows whether it was carried out;
   * `upstream_unreachable`, `upstream_saturated` where it certainly was not; `client_closed`
   */
  call(
    to: string,
    verb: Verb,
    call: UpstreamCall,
    body?: Uint8Array,
  ): Promise<UpstreamAnswer | undefined>;
  /** Has others call it here, from now on. */
  serve(local: LocalCalls): void;
}

/** Random bytes in the name of a call: nobody meets one by chance. */
const CALL_BYTES = 16;

/** The calls of an instance. */
export class PeerCalls {
  readonly #context: CallContext;
  readonly #bounds: { -readonly [Key in keyof PeerCallBounds]: PeerCallBounds[Key] };
  readonly #services = new Map<string, LocalCalls>();
  readonly #outgoing = new Map<string, CallEnd>();
  readonly #incoming = new Map<string, CallEnd>();
  readonly #sending = new Set<Promise<unknown>>();
  /** Bytes of the requests of others. */
  #waitingBytes = 0;
  #timer: Timer | undefined;
  #closed = false;

  /** None yet; hears the others from now on. */
  constructor({ messages, clock, bounds = {} }: PeerCallsOptions) {
    this.#bounds = { ...DEFAULT_PEER_CALL_BOUNDS, ...bounds };
    this.#context = {
      messages,
      clock,
      bounds: this.#bounds,
      sending: (sent) => {
        this.#sending.add(sent);
        void sent.then(() => this.#sending.delete(sent));
      },
    };
    messages.listen((text) => this.#hear(text));
  }

  /** How many are under way, to others and of others. */
  get size(): { readonly outgoing: number; readonly incoming: number } {
    return { outgoing: this.#outgoing.size, incoming: this.#incoming.size };
  }

  /**
   * One thing that can be called.
   *
   * @param name the same at every instance, and that of nothing else
   * @param fieldsOf which header fields of a call go along, names and values in turn; all by default
   */
  service(
    name: string,
    fieldsOf: (headers: FieldReader) => readonly string[] = (headers) => Fields.from(headers).list,
  ): PeerService {
    return {
      instance: this.#context.messages.instance,
      serve: (local) => void this.#services.set(name, local),
      call: (to, verb, call, body) => {
        const opening = openingOf(name, verb, call, fieldsOf(call.headers));
        return this.#call(to, opening, call, body);
      },
    };
  }

  /** The bodies of calls that begin from now on may have so many bytes. */
  limitBodies(maxBodyBytes: number): void {
    this.#bounds.maxBodyBytes = maxBodyBytes;
  }

  /** Gives all up, and waits until that is said. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const end of [...this.#outgoing.values(), ...this.#incoming.values()]) end.close();
    this.#timer?.cancel();
    await Promise.all(this.#sending);
  }

  async #call(
    peer: string,
    opening: Omit<Opening, "size" | "bytes">,
    { signal }: UpstreamCall,
    given: Uint8Array | undefined,
  ): Promise<UpstreamAnswer | undefined> {
    const { clock, bounds: { maxCalls, maxBodyBytes } } = this.#context;
    if (this.#closed) throw stopping(NOTHING_SENT);
    if (this.#outgoing.size >= maxCalls) throw tooMany();
    const body = given as Uint8Array<ArrayBuffer> | undefined;
    if (body !== undefined && body.length > maxBodyBytes) throw tooLong(maxBodyBytes);
    const id = clock.randomBytes(CALL_BYTES).toHex();
    const onOver = () => this.#forget(this.#outgoing, id);
    const outgoing = new Outgoing(this.#context, { id, peer, opening, body, signal, onOver });
    this.#outgoing.set(id, outgoing);
    this.#watch();
    return await outgoing.run();
  }

  #hear(text: string): void {
    const message = parseMessage(text);
    if (message === undefined || this.#closed) return;
    const { call, from, number, word } = message;
    const end = this.#outgoing.get(call) ?? this.#incoming.get(call);
    if (end === undefined) {
      if (word.say === "open" && number === 0) this.#begin(message, word);
    } else if (end.link.peer === from && end.link.isNext(number)) end.hear(word);
  }

  #begin({ call: id, from: peer }: Message, opening: Opening): void {
    const { maxCalls, maxBodyBytes, maxWaitingBytes } = this.#context.bounds;
    const size = Math.max(0, opening.size);
    const isFull = this.#incoming.size >= maxCalls || this.#waitingBytes + size > maxWaitingBytes;
    const refusal = size > maxBodyBytes ? tooLong(maxBodyBytes) : isFull ? tooMany() : undefined;
    this.#waitingBytes += size;
    const incoming = new Incoming(this.#context, {
      id,
      peer,
      opening,
      local: this.#services.get(opening.service),
      onOver: () => {
        this.#waitingBytes -= size;
        this.#forget(this.#incoming, id);
      },
    });
    this.#incoming.set(id, incoming);
    this.#watch();
    incoming.begin(refusal);
  }

  #forget(calls: Map<string, CallEnd>, id: string): void {
    calls.delete(id);
    if (this.#outgoing.size + this.#incoming.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** One timer for all. */
  #watch(): void {
    this.#timer ??= this.#context.clock.after(this.#context.bounds.beatMs, () => {
      this.#timer = undefined;
      for (const { link } of [...this.#outgoing.values(), ...this.#incoming.values()]) link.look();
      if (this.#outgoing.size + this.#incoming.size > 0) this.#watch();
    });
  }
}

function openingOf(
  service: string,
  verb: Verb,
  { era = "session", sessionId, principal, query, lastEventId }: Omit<UpstreamCall, "headers">,
  fields: readonly string[],
): Omit<Opening, "size" | "bytes"> {
  return {
    service,
    verb,
    era,
    fields,
    sessionId: sessionId ?? null,
    principal,
    query,
    lastEventId: lastEventId === undefined ? false : lastEventId,
  };
}

function tooMany(): ProxyError {
  const sentence =
    "As many requests as may be are passed on between instances of the proxy; try again later.";
  return new ProxyError("upstream_saturated", sentence, { headers: { "retry-after": "1" } });
}

function tooLong(maxBytes: number): ProxyError {
  const sentence = `A request that is passed on to another instance may have ${maxBytes} bytes.`;
  return new ProxyError("payload_too_large", sentence);
}
