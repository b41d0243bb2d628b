/**
 * The seam beneath transports that are one stream of messages each way, such as stdio and HTTP+SSE: no
 * answer belongs to a request but by its id.
 *
 * @module
 */

import type { FieldReader } from "../http/mod.ts";
import { ProxyError, UNANSWERED } from "../errors.ts";

/** What a channel tells whoever has opened it. */
export interface ChannelEvents {
  /** A message has come: JSON text of one JSON-RPC message, or of a batch. */
  message(text: string): void;
  /** The channel is over, for good: cleanly, or because of `failure`. Nothing comes after it. */
  over(failure: ProxyError | undefined): void;
}

/** One connection to a server that speaks in messages. */
export interface Channel {
  /**
   * Sends one message. Resolves when the other side has it as far as the transport can tell.
   *
   * @param headers those of the client's request that it came in, where its credentials go along; left out for a
   * message of the proxy's own
   * @throws {ProxyError} of source upstream; its `progress` says whether any of it may have left
   */
  send(text: string, headers?: FieldReader): Promise<void>;
  /** Takes no more messages until `resume`: whoever reads them cannot keep up. */
  pause(): void;
  /** Takes them again. */
  resume(): void;
  /** Closes it by the book of its transport; resolves when nothing of it is left. Harmless again. */
  close(): Promise<void>;
}

/** Opens a channel; `headers` are those of the client's request that it is opened for. */
export type OpenChannel = (
  events: ChannelEvents,
  headers: FieldReader,
) => Promise<Channel>;

/** What those are told whose requests the server had when its channel failed: they may have run. */
export function closedFor(failure: ProxyError): ProxyError {
  return new ProxyError("upstream_closed", failure.message, {
    cause: failure,
    progress: UNANSWERED,
  });
}
