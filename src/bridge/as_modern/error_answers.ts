/**
 * Answers of a server that are no results, for the client whose request they are about.
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import type { CancelSignal } from "../../http/mod.ts";
import {
  again,
  at,
  decode,
  encode,
  errorAnswer,
  isRecord,
  readBody,
  readWithin,
  type RpcText,
  wholeBody,
} from "../../rpc/mod.ts";
import type { UpstreamAnswer } from "../../upstream/mod.ts";
import type { ClientRequest } from "./client_request.ts";
import type { Settings } from "./options.ts";
import { refusalIn, type SessionRefused } from "./session_refusal.ts";
import { errorTold, saysNoMethod } from "./toward_client.ts";

const METHOD_NOT_FOUND = -32601;

/** An answer that was read whole, and the JSON-RPC error in it, if there is one. */
export interface ReadAnswer {
  /** The answer, to be read again. */
  readonly answer: UpstreamAnswer;
  /** The error. */
  readonly error: RpcText | undefined;
}

/**
 * Reads an answer of JSON that has an error status; given up when `signal` is aborted.
 *
 * @throws {ProxyError} `upstream_protocol` where it is too long, what broke it off
 */
export async function readAnswer(
  answer: UpstreamAnswer,
  settings: Settings,
  signal: CancelSignal,
): Promise<ReadAnswer> {
  if (answer.kind !== "json") return { answer, error: undefined };
  const { clock, maxEventBytes } = settings;
  const bytes = await readWithin(answer.body, maxEventBytes, signal);
  if (bytes === null) {
    answer.body.discard();
    const sentence = `The upstream server sent an error of more than ${maxEventBytes} bytes.`;
    throw new ProxyError("upstream_protocol", sentence);
  }
  const message = readBody(decode(bytes))?.messages[0];
  const error = isRecord(message?.value.error) ? message : undefined;
  return { answer: { ...answer, body: wholeBody(clock, bytes) }, error };
}

/**
 * An error answer with its error as the client is to be told it; its status and header fields stay.
 *
 * @param has whether the server has the method: an error that says otherwise has no status of its own then
 */
export function errorAnswered(
  { answer, error }: ReadAnswer,
  { idText, declared }: ClientRequest,
  { clock }: Settings,
  has = false,
): UpstreamAnswer {
  if (error === undefined) return answer;
  const told = errorTold(error, idText, declared, has);
  const keepsStatus = told.status === 200 && !saysNoMethod(error);
  answer.body.discard();
  return {
    ...answer,
    status: keepsStatus ? answer.status : told.status,
    body: wholeBody(clock, encode(told.text)),
  };
}

/** What a client is told whose request has found no session. */
export function refusedAnswer(
  { kept }: SessionRefused,
  request: ClientRequest,
  settings: Settings,
): UpstreamAnswer {
  const answer = again(settings.clock, kept);
  const error = refusalIn(kept);
  const fail = (sentence: string) => {
    answer.body.discard();
    const { idText } = request;
    return errorAnswer(settings.clock, new ProxyError("upstream_protocol", sentence, { idText }));
  };
  if (answer.status < 400 && error === undefined) {
    return fail("The upstream server did not answer initialize with a result.");
  }
  // With the server's own words the client would take it to be about the method that it has asked for.
  if (at(error?.value, "error", "code") === METHOD_NOT_FOUND) {
    return fail("The upstream server opens no sessions any more; send the request again.");
  }
  return errorAnswered({ answer, error }, request, settings);
}
