/**
 * Where a server of HTTP+SSE wants its messages: the address in its `endpoint` event. Pure.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";

/** Longest address that is taken, in bytes; session ids of servers are far shorter. */
export const MAX_ENDPOINT_BYTES = 8_192;

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * The path and query for POSTs, from the data of the `endpoint` event of the stream at `base`.
 *
 * The address often is a credential: whoever has it speaks in the session. So no error repeats it (R97).
 *
 * Source: 2024-11-05 basic/transports, "HTTP with SSE"; R71.
 *
 * @throws {ProxyError} `upstream_protocol` for what is no address, or one on another origin: messages and
 * credentials would go to a server that the config does not name
 */
export function endpointPath(data: Uint8Array, base: URL): string {
  const url = data.length > MAX_ENDPOINT_BYTES ? undefined : resolve(data, base);
  if (url === undefined) {
    throw refused("named no usable address for messages in its endpoint event");
  }
  if (url.origin !== base.origin || url.username + url.password !== "") {
    throw refused("named an address on another origin in its endpoint event");
  }
  return url.pathname + url.search;
}

function resolve(data: Uint8Array, base: URL): URL | undefined {
  try {
    const text = decoder.decode(data).trim();
    return text === "" ? undefined : new URL(text, base);
  } catch {
    return undefined;
  }
}

function refused(what: string): ProxyError {
  return new ProxyError("upstream_protocol", `The upstream server ${what}.`);
}
