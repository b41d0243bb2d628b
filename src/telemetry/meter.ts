/**
 * What is told of each request to whoever counts.
 *
 * @module
 */

/** A request whose answer has begun. */
export interface AnsweredRequest {
  /** Name of its route; undefined where it came to none. */
  readonly route: string | undefined;
  /** Its HTTP method, as the client wrote it. */
  readonly http: string;
  /** `session` or `modern`; undefined where that was not looked at. */
  readonly era: string | undefined;
  /** Its JSON-RPC method, `batch` or `response`; undefined where it has no message. */
  readonly rpc: string | undefined;
  /** HTTP status of its answer. */
  readonly status: number;
  /** From its head to the head of its answer, in seconds. */
  readonly seconds: number;
}

/** A request or message that the proxy answers with an error of its own, or an answer that it breaks off. */
export interface FailedRequest {
  /** Name of its route; undefined where it came to none. */
  readonly route: string | undefined;
  /** What happened, as in the log. */
  readonly kind: string;
  /** At whose door it is laid: `client`, `proxy` or `upstream`. */
  readonly source: string;
}

/** What is told of each request. */
export interface RequestMeter {
  /** The head of its answer is there. */
  answered(request: AnsweredRequest): void;
  /** It has failed, ahead of the head of its answer or behind it; `answered` is told as well. */
  failed(request: FailedRequest): void;
}
