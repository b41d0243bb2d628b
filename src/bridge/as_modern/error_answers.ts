/**
 * Answers of a server that are no results, for the client whose request they are about.
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import type { CancelSignal } from "../../http/mod.ts";
import {
  again,
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
import { refusalIn, type SessionRefused } from "./session_wire.ts";
import { errorTold } from "./toward_client.ts";

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

/** An error answer with its error as the client is to be told it; its status and header fields stay. */
export function errorAnswered(
  { answer, error }: ReadAnswer,
  { idText, declared }: ClientRequest,
  { clock }: Settings,
): UpstreamAnswer {
  if (error === undefined) return answer;
  const told = errorTold(error, idText, declared);
  answer.body.discard();
  return {
    ...answer,
    status: told.status === 200 ? answer.status : told.status,
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
  if (answer.status < 400 && error === undefined) {
    answer.body.discard();
    const sentence = "The upstream server did not answer initialize with a result.";
    const { idText } = request;
    return errorAnswer(settings.clock, new ProxyError("upstream_protocol", sentence, { idText }));
  }
  const told = errorAnswered({ answer, error }, request, settings);
  // That it has no initialize says nothing of the method that the client has asked for.
  return told.status === 404 && kept.status === 200 ? { ...told, status: 502 } : told;
}
