/**
 * The body of one request between the connection that feeds it and the handler that asks for it.
 *
 * Until somebody asks, at most `UNASKED_BYTES` and one piece are held and the connection reads no
 * further; from then on as much as the limit allows.
 *
 * @module
 */

import type { Timer } from "../clock.ts";
import type { Deadlines } from "../deadlines.ts";
import { ProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import { BodyDecoder, type BodyFraming, HttpSyntaxError } from "../http1/mod.ts";
import { Gathered } from "./gathered.ts";

/** Bytes of a body that are read before anybody asks for it. */
const UNASKED_BYTES = 65_536;

const NOTHING: Bytes = new Uint8Array();

/** A body that a connection feeds. */
export class RequestBody {
  readonly #framing: BodyFraming;
  /** Left out for a body that comes in one piece, as most do. */
  #decoder: BodyDecoder | undefined;
  #done: boolean;
  readonly #declared: number | undefined;
  readonly #maxBytes: number;
  /** The body that came in one piece. */
  #arrived: Bytes | undefined;
  /** What has come of one in several; left out while nothing has. */
  #gathered: Gathered | undefined;
  #length = 0;
  #begun = false;
  #asked = false;
  #unwanted = false;
  #failure: ProxyError | undefined;
  #reader: PromiseWithResolvers<Bytes> | undefined;
  #deadline: Timer | undefined;

  /** A body with this framing, of at most `maxBytes`. */
  constructor(framing: BodyFraming, maxBytes: number) {
    this.#framing = framing;
    this.#done = framing.kind === "none";
    this.#declared = framing.kind === "length" ? framing.bytes : undefined;
    this.#maxBytes = maxBytes;
  }

  /** Whether all of it was read off the connection, so that another request may follow. */
  get done(): boolean {
    return this.#done;
  }

  /** Whether any byte of it has come. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Whether it takes no more until somebody asks. */
  get full(): boolean {
    return !this.#asked && !this.#unwanted && this.#length >= UNASKED_BYTES;
  }

  /** Takes what has come; the result is what stands behind the body. */
  take(piece: Bytes): Bytes {
    if (piece.length === 0 || this.#done) return piece;
    const isWhole = !this.#begun && piece.length === this.#declared;
    this.#begun = true;
    if (this.#failure !== undefined) return NOTHING;
    if (isWhole) {
      this.#done = true;
      this.#keepWhole(piece);
      return NOTHING;
    }
    return this.#decode(piece);
  }

  /** Takes what has come of a body in several pieces, or with more behind it. */
  #decode(piece: Bytes): Bytes {
    const decoder = this.#decoder ??= new BodyDecoder(this.#framing);
    let used: number;
    try {
      used = decoder.feed(piece, (data) => this.#keep(data));
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) throw error;
      const sentence = "The request body is not framed as HTTP/1.1 says.";
      this.#fail(new ProxyError("bad_request", sentence, { cause: error }));
      return NOTHING;
    }
    this.#done = decoder.done;
    if (this.#failure === undefined && this.#done) this.#settle();
    return used === piece.length ? NOTHING : piece.subarray(used);
  }

  /**
   * The whole body.
   *
   * @throws {ProxyError} see `ClientRequest`.
   */
  read(deadlines: Deadlines, timeoutMs: number): Bytes | Promise<Bytes> {
    this.#asked = true;
    if ((this.#declared ?? 0) > this.#maxBytes) throw this.#tooLarge();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#done) return this.#whole();
    this.#deadline = deadlines.start(() => {
      const sentence = `The request body did not arrive within ${timeoutMs} ms.`;
      this.fail(new ProxyError("body_timeout", sentence));
    });
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  /** Nobody will ask for it any more: what comes is dropped. */
  drop(): void {
    this.#unwanted = true;
    this.#arrived = undefined;
    this.#gathered = undefined;
  }

  /** It will not become whole, unless it is so already. */
  fail(error: ProxyError): void {
    if (!this.#done) this.#fail(error);
  }

  #fail(error: ProxyError): void {
    this.#failure ??= error;
    this.#arrived = undefined;
    this.#gathered = undefined;
    this.#settle();
  }

  #keep(data: Bytes): void {
    this.#length += data.length;
    if (this.#unwanted || this.#failure !== undefined) return;
    if (this.#length > this.#maxBytes) return this.#fail(this.#tooLarge());
    this.#gathered ??= new Gathered(Math.min(this.#declared ?? Infinity, this.#maxBytes));
    this.#gathered.add(data);
  }

  #keepWhole(body: Bytes): void {
    this.#length = body.length;
    // One that is too large is refused where it is asked for, by the length that was declared.
    if (!this.#unwanted) this.#arrived = body;
    if (this.#reader !== undefined) this.#settle();
  }

  #settle(): void {
    this.#deadline?.cancel();
    const reader = this.#reader;
    this.#reader = undefined;
    if (this.#failure === undefined) reader?.resolve(this.#whole());
    else reader?.reject(this.#failure);
  }

  #whole(): Bytes {
    const arrived = this.#arrived;
    this.#arrived = undefined;
    if (arrived !== undefined) return arrived;
    const gathered = this.#gathered;
    this.#gathered = undefined;
    return gathered?.take() ?? new Uint8Array();
  }

  #tooLarge(): ProxyError {
    return new ProxyError(
      "payload_too_large",
      `The request body is larger than ${this.#maxBytes} bytes, which is the limit here.`,
    );
  }
}
