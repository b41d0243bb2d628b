/**
 * Opening a connection: TCP (both address families tried, names resolved anew each time), TLS, or a
 * Unix socket.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import type { HttpTarget } from "../http_client.ts";
import { answersTls, isSilent, shakeHands } from "./handshakes.ts";

const NOTHING_SENT = { requestSent: false, answerBegun: false };

/**
 * Connects within `timeoutMs`.
 *
 * @param givenUp aborted, with the error that is thrown then, where nobody wants the connection any more
 * @throws {ProxyError} `upstream_unreachable` or `upstream_connect_timeout`.
 */
export async function dial(
  target: HttpTarget,
  timeoutMs: number,
  clock: Clock,
  givenUp: AbortSignal,
): Promise<Deno.Conn> {
  if (givenUp.aborted) throw givenUp.reason;
  const { promise: over, reject } = Promise.withResolvers<never>();
  const abort = new AbortController();
  const giveUp = (error: unknown) => {
    abort.abort();
    reject(error);
  };
  const onGivenUp = () => giveUp(givenUp.reason);
  givenUp.addEventListener("abort", onGivenUp, { once: true });
  const timer = clock.after(timeoutMs, () => giveUp(tooLate()));
  const connecting = open(target, abort.signal);
  try {
    return await Promise.race([connecting, over]);
  } catch (error) {
    // A connection that is there too late is closed.
    connecting.then((connection) => connection.close(), () => {});
    throw error instanceof ProxyError ? error : unreachable(error);
  } finally {
    timer.cancel();
    givenUp.removeEventListener("abort", onGivenUp);
  }
}

async function open(target: HttpTarget, signal: AbortSignal): Promise<Deno.Conn> {
  if (target.kind === "unix") {
    return await Deno.connect({ transport: "unix", path: target.path });
  }
  const { hostname, port, address, tls } = target;
  if (tls === undefined) {
    const connection = await Deno.connect({ hostname: address ?? hostname, port, signal });
    connection.setNoDelay(true);
    return connection;
  }
  const place = `${address ?? hostname} ${port}`;
  if (isSilent(place)) await answersTls(target, signal);
  const secured = { hostname, caCerts: [...tls.caCerts], alpnProtocols: ["http/1.1"] };
  const { cert, key } = tls;
  // Only TLS that dials by itself can show a certificate of the client's.
  if (address === undefined && cert !== undefined && key !== undefined) {
    return await shakeHands(await Deno.connectTls({ ...secured, port, cert, key }), place, signal);
  }
  const connection = await Deno.connect({ hostname: address ?? hostname, port, signal });
  connection.setNoDelay(true);
  // So the socket for a peer that is no more goes, handshake or not.
  connection.setKeepAlive(true);
  return await shakeHands(await Deno.startTls(connection, secured), place, signal);
}

function tooLate(): ProxyError {
  const sentence = "The upstream server could not be reached in time.";
  return new ProxyError("upstream_connect_timeout", sentence, { progress: NOTHING_SENT });
}

function unreachable(cause: unknown): ProxyError {
  return new ProxyError("upstream_unreachable", "The upstream server cannot be reached.", {
    cause,
    progress: NOTHING_SENT,
  });
}
