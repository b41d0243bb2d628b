/**
 * Opening a connection: TCP (both address families tried, names resolved anew each time), TLS, or a
 * Unix socket.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import type { HttpTarget } from "../http_client.ts";

const NOTHING_SENT = { requestSent: false, answerBegun: false };

/**
 * Connects within `timeoutMs`.
 *
 * @throws {ProxyError} `upstream_unreachable` or `upstream_connect_timeout`.
 */
export async function dial(
  target: HttpTarget,
  timeoutMs: number,
  clock: Clock,
): Promise<Deno.Conn> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const abort = new AbortController();
  const timer = clock.after(timeoutMs, () => {
    abort.abort();
    reject(
      new ProxyError(
        "upstream_connect_timeout",
        "The upstream server could not be reached in time.",
        {
          progress: NOTHING_SENT,
        },
      ),
    );
  });
  const connecting = open(target, abort.signal);
  try {
    return await Promise.race([connecting, late]);
  } catch (error) {
    // A connection that is there too late is closed.
    connecting.then((connection) => connection.close(), () => {});
    throw error instanceof ProxyError ? error : unreachable(error);
  } finally {
    timer.cancel();
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
  const secured = { hostname, caCerts: [...tls.caCerts], alpnProtocols: ["http/1.1"] };
  const { cert, key } = tls;
  // Only TLS that dials by itself can show a certificate of the client's.
  const connection = address !== undefined
    ? await Deno.startTls(await Deno.connect({ hostname: address, port, signal }), secured)
    : await Deno.connectTls({
      ...secured,
      port,
      ...(cert !== undefined && key !== undefined ? { cert, key } : {}),
    });
  try {
    await connection.handshake();
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}

function unreachable(cause: unknown): ProxyError {
  return new ProxyError("upstream_unreachable", "The upstream server cannot be reached.", {
    cause,
    progress: NOTHING_SENT,
  });
}
