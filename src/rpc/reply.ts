/**
 * The answer to one request of the proxy's own.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import type { Bytes } from "../http/mod.ts";
import { EventParser, EventTooLargeError, type SseEvent } from "../sse/mod.ts";
import type { UpstreamAnswer, UpstreamBody } from "../upstream/mod.ts";
import { readWithin } from "./answers.ts";
import { decode, type Key, keyOf, kindOf, readBody, type RpcText, textAt } from "./text.ts";

/** How an answer is read. */
export interface ReplyOptions {
  /** The largest event or JSON body, in bytes. */
  readonly maxBytes: number;
  /** Gets the messages beside the response. */
  readonly onOther: (message: RpcText) => void;
}

/**
 * The JSON-RPC response with the id `key`, whether it tells a result or an error.
 *
 * @throws {ProxyError} where there is none
 */
export async function readReply(
  answer: UpstreamAnswer,
  key: Key,
  options: ReplyOptions,
): Promise<RpcText> {
  try {
    const found = answer.kind === "sse" && answer.status === 200
      ? await fromEvents(answer.body, key, options)
      : await fromJson(answer, key, options);
    if (found !== undefined) return found;
  } finally {
    answer.body.discard();
  }
  throw answer.status === 200
    ? new ProxyError("upstream_closed", "The upstream server ended its answer without a response.")
    : new ProxyError(
      "upstream_status",
      `The upstream server refused a request with HTTP status ${answer.status}.`,
    );
}

async function fromJson(
  { kind, body, status }: UpstreamAnswer,
  key: Key,
  options: ReplyOptions,
): Promise<RpcText | undefined> {
  const bytes = kind === "json" ? await readWithin(body, options.maxBytes) : null;
  const isRefusal = status >= 400;
  return bytes === null ? undefined : responseIn(bytes, key, options, isRefusal);
}

async function fromEvents(
  body: UpstreamBody,
  key: Key,
  options: ReplyOptions,
): Promise<RpcText | undefined> {
  const parser = new EventParser({ maxEventBytes: options.maxBytes });
  for (let pieces = await body.next(); pieces !== null; pieces = await body.next()) {
    for (const { data } of pieces.flatMap((piece) => feed(parser, piece))) {
      const found = data && responseIn(data, key, options, false);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function feed(parser: EventParser, piece: Bytes): readonly SseEvent[] {
  try {
    return parser.feed(piece);
  } catch (error) {
    if (!(error instanceof EventTooLargeError)) throw error;
    throw new ProxyError("upstream_protocol", error.message, { cause: error });
  }
}

function responseIn(
  bytes: Bytes,
  key: Key,
  { onOther }: ReplyOptions,
  anyId: boolean,
): RpcText | undefined {
  let found: RpcText | undefined;
  for (const message of readBody(decode(bytes))?.messages ?? []) {
    const isResponse = kindOf(message) === "response";
    if (isResponse && (anyId || keyOf(textAt(message, ["id"])) === key)) found ??= message;
    else onOther(message);
  }
  return found;
}
