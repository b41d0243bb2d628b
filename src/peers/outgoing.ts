/**
 * A call to another instance, at the instance that makes it.
 *
 * @module
 */

import type { Timer } from "../clock.ts";
import { ProxyError, stopping, UNANSWERED } from "../errors.ts";
import { type Bytes, Fields } from "../http/mod.ts";
import { AnswerBody, type UpstreamAnswer, type UpstreamCall } from "../upstream/mod.ts";
import { Inflow, Outflow } from "./flow.ts";
import { type CallContext, type CallEnd, Link } from "./link.ts";
import { errorTold, type Opening, type Word } from "./words.ts";

/** One call. */
export interface OutgoingOptions {
  /** Its name. */
  readonly id: string;
  /** The instance that is called. */
  readonly peer: string;
  /** What is said first, but for the body. */
  readonly opening: Omit<Opening, "size" | "bytes">;
  /** The body; undefined for none. */
  readonly body: Bytes | undefined;
  /** Aborted when the client has gone. */
  readonly signal: UpstreamCall["signal"];
  /** Told once when it is over, however. */
  readonly onOver: () => void;
}

type Head = Extract<Word, { say: "head" }>;

/** The end that calls. */
export class Outgoing implements CallEnd {
  /** See `CallEnd`. */
  readonly link: Link;
  readonly #context: CallContext;
  readonly #options: OutgoingOptions;
  readonly #head = Promise.withResolvers<UpstreamAnswer | undefined>();
  readonly #outflow: Outflow;
  readonly #inflow: Inflow;
  readonly #leave = () => this.#cancel();
  #body: AnswerBody | undefined;
  #pause: { readonly timer: Timer; readonly resolve: () => void } | undefined;
  #over = false;

  /** A call that has not begun. */
  constructor(context: CallContext, options: OutgoingOptions) {
    const { bounds } = context;
    this.#context = context;
    this.#options = options;
    this.link = new Link(context, options.id, options.peer, () => this.#giveUp(lost()));
    this.#outflow = new Outflow(bounds, (bytes) => this.link.say({ say: "data", bytes }));
    this.#inflow = new Inflow(bounds, (count) => this.link.say({ say: "taken", count }));
    // Whoever waits hears of it.
    this.#head.promise.catch(() => {});
  }

  /**
   * Makes the call.
   *
   * @returns the answer; undefined where the instance has gone, or has nothing of the kind, so that nothing
   * was carried out
   * @throws {ProxyError} what the other end throws; `upstream_closed` where nobody knows whether it was carried
   * out; `upstream_unreachable` where it certainly was not; `client_closed`
   */
  async run(): Promise<UpstreamAnswer | undefined> {
    const { signal, body } = this.#options;
    signal.addEventListener("abort", this.#leave, { once: true });
    if (signal.aborted) this.#fail(gone());
    try {
      if (await this.#open() && body !== undefined) {
        await this.#outflow.write(body.subarray(this.#context.bounds.chunkBytes));
      }
    } catch (error) {
      this.#fail(error instanceof ProxyError ? error : lost());
    }
    return await this.#head.promise;
  }

  /** See `CallEnd`. */
  hear(word: Word): void {
    if (this.#over) return;
    if (word.say === "head" && this.#body === undefined) this.#answer(word);
    else if (word.say === "data" && this.#body !== undefined) this.#data(word.bytes);
    else if (word.say === "end") {
      this.#ended(word.error === null ? undefined : errorTold(word.error));
    } else if (word.say === "unknown") this.#finish(undefined);
    else if (word.say === "taken" ? !this.#outflow.taken(word.count) : word.say !== "beat") {
      this.link.break();
    }
  }

  /** See `CallEnd`. */
  close(): void {
    this.#giveUp(stopping(UNANSWERED));
  }

  /** Sends the first message: again as long as nobody hears it and the instance runs. */
  async #open(): Promise<boolean> {
    const { messages, clock, bounds: { chunkBytes, openMs, againMs } } = this.#context;
    const { opening, body, peer } = this.#options;
    const bytes = body?.subarray(0, chunkBytes) ?? new Uint8Array(0);
    const size = body?.length ?? -1;
    this.#outflow.count(bytes.length);
    const text = this.link.text({ say: "open", ...opening, size, bytes });
    const untilMs = clock.monotonicMs() + openMs;
    while (!this.#over) {
      if (await this.link.sure(text)) {
        this.link.watch();
        return true;
      }
      if (this.#over) break;
      if (!await messages.isAlive(peer)) {
        this.#finish(undefined);
        break;
      }
      if (clock.monotonicMs() >= untilMs) throw unreachable();
      await this.#wait(againMs);
    }
    return false;
  }

  /** Waits; not longer than the call lasts. */
  async #wait(delayMs: number): Promise<void> {
    if (this.#over) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pause = { timer: this.#context.clock.after(delayMs, resolve), resolve };
    await promise;
    this.#pause = undefined;
  }

  #answer({ status, fields, sessionId, kind }: Head): void {
    const control = {
      pause: () => this.#inflow.hold(),
      resume: () => this.#inflow.release(),
      abort: () => this.#cancel(),
    };
    // The other end watches over the silence of the server, the link over that of the other end.
    const { clock } = this.#context;
    const body = new AnswerBody(control, { clock, idleMs: Infinity, untilMs: Infinity });
    this.#body = body;
    this.#head.resolve({
      status,
      headers: new Fields([...fields]),
      sessionId: sessionId ?? undefined,
      kind,
      body,
    });
  }

  #data(bytes: Bytes): void {
    if (!this.#inflow.came(bytes, (taken) => this.#body!.push(taken))) this.link.break();
  }

  #ended(error: ProxyError | undefined): void {
    if (error !== undefined) this.#fail(error);
    else if (this.#body === undefined) this.link.break();
    else {
      this.#settle();
      this.#body.finish();
    }
  }

  /** Nobody wants the answer any more. */
  #cancel(): void {
    this.#giveUp(gone());
  }

  #giveUp(error: ProxyError): void {
    if (this.#over) return;
    this.link.say({ say: "cancel" });
    this.#fail(error);
  }

  #fail(error: ProxyError): void {
    if (this.#over) return;
    this.#settle();
    this.#head.reject(error);
    this.#body?.fail(error);
  }

  #finish(answer: undefined): void {
    this.#settle();
    this.#head.resolve(answer);
  }

  #settle(): void {
    const { signal, onOver } = this.#options;
    this.#over = true;
    signal.removeEventListener("abort", this.#leave);
    this.#pause?.timer.cancel();
    this.#pause?.resolve();
    this.#outflow.end();
    this.link.end();
    onOver();
  }
}

function gone(): ProxyError {
  return new ProxyError("client_closed", "The client has gone.");
}

function lost(): ProxyError {
  const sentence =
    "The instance of the proxy that this request was passed on to cannot be reached any more, and " +
    "whether the request was carried out is not known.";
  return new ProxyError("upstream_closed", sentence);
}

function unreachable(): ProxyError {
  const sentence =
    "The instance of the proxy that has to answer this request cannot be reached now; try again later.";
  return new ProxyError("upstream_unreachable", sentence, { headers: { "retry-after": "5" } });
}
