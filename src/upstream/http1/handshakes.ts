/**
 * TLS handshakes with peers that keep silent.
 *
 * The runtime closes no socket in a handshake: `close` has it wait until the peer says something or goes away, and
 * nobody can say how many wait. So a handshake that was given up is waited for here, and as long as one is at a place,
 * the next connection there is made only behind a trial that can be closed: a silent peer holds what was being dialled
 * when it fell silent, and no more with each attempt.
 *
 * @module
 */

import { isAddress } from "../../http/mod.ts";
import type { HttpTarget } from "../http_client.ts";

/** How many handshakes are waited for that were given up, by place. No longer than there are such sockets. */
const givenUp = new Map<string, number>();

/** Whether a handshake at this place, an address and a port, was given up and is not over. */
export function isSilent(place: string): boolean {
  return givenUp.has(place);
}

/**
 * Brings the handshake of a new connection to its end, whether or not somebody waits for it: the connection of one that
 * fails is closed.
 */
export async function shakeHands(
  connection: Deno.TlsConn,
  place: string,
  signal: AbortSignal,
): Promise<Deno.TlsConn> {
  let isGivenUp = false;
  const onGivenUp = () => {
    isGivenUp = true;
    givenUp.set(place, (givenUp.get(place) ?? 0) + 1);
  };
  if (signal.aborted) onGivenUp();
  else signal.addEventListener("abort", onGivenUp, { once: true });
  try {
    await connection.handshake();
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  } finally {
    signal.removeEventListener("abort", onGivenUp);
    if (isGivenUp) settle(place);
  }
}

function settle(place: string): void {
  const left = givenUp.get(place)! - 1;
  if (left > 0) givenUp.set(place, left);
  else givenUp.delete(place);
}

/** Resolves when a peer has answered a handshake, with whatever: what is wrong with it the next one tells. */
export async function answersTls(
  { hostname, address, port, tls }: HttpTarget & { readonly kind: "tcp" },
  signal: AbortSignal,
): Promise<void> {
  // Not at the start of each process: it takes 50 ms to load, for what hardly ever happens.
  const { connect } = await import("node:tls");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({
    host: address ?? hostname,
    port,
    // An address is no name for it (RFC 6066 section 3).
    ...(!isAddress(hostname) && { servername: hostname }),
    ca: [...tls?.caCerts ?? []],
    ALPNProtocols: ["http/1.1"],
  });
  const onGivenUp = () => reject(signal.reason);
  if (signal.aborted) onGivenUp();
  else signal.addEventListener("abort", onGivenUp, { once: true });
  for (const event of ["secureConnect", "error", "close"]) socket.on(event, () => resolve());
  return await promise.finally(() => {
    signal.removeEventListener("abort", onGivenUp);
    socket.destroy();
  });
}
