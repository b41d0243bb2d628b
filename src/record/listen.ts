/**
 * A recorder that listens: the door, the tap, the forwarder, around one server.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { toProxyError } from "../errors.ts";
import { allowedOrigin, checkHost, type DoorRules, refusal } from "../front/mod.ts";
import type { Handler } from "../http/mod.ts";
import { switchyardServer } from "../listener/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import { http1Client, parseTarget } from "../upstream/mod.ts";
import { forward } from "./forward.ts";
import { Recorder, type Recording, type RecordingWatch } from "./recorder.ts";
import { tap } from "./tap.ts";

/** What to record, and how. */
export interface ListenOptions {
  /** The server's MCP endpoint. */
  readonly upstream: string;
  /** Where clients call. */
  readonly listen: { readonly hostname: string; readonly port: number };
  /** Bytes to hold; then capture stops and the traffic goes on. */
  readonly maxBytes: number;
  /** Time. */
  readonly clock: Clock;
  /** Where it is told that the limit is reached. */
  readonly logger: Logger;
  /** Told of all that is recorded, as it is; nobody by default. */
  readonly watch?: RecordingWatch | undefined;
}

/** A recorder that listens. */
export interface RunningRecorder {
  /** The MCP endpoint for clients. */
  readonly endpoint: string;
  /** Ends the recording; the traffic goes on until `close`. */
  stop(): Recording;
  /** Cuts every connection. */
  close(): Promise<void>;
}

/** Nobody but this machine; there are no other names to allow. */
const DOOR: DoorRules = { hosts: new Set(), origins: new Set() };

/** How long clients may take to notice that they are cut, in milliseconds. */
const CLOSE_GRACE_MS = 500;

/** Connections to the server: a recording is small, so these are never in the way. */
const CONNECTIONS = {
  connectTimeoutMs: 10_000,
  maxConnections: 256,
  maxStreams: 1_024,
  maxQueued: 1_024,
  queueTimeoutMs: 10_000,
  keepAliveMs: 4_000,
};

/** What clients may use. */
const LIMITS = {
  maxRequestBytes: 4_194_304,
  requestBodyTimeoutMs: 30_000,
  requestHeadTimeoutMs: 10_000,
  connectionIdleTimeoutMs: 75_000,
  clientWriteTimeoutMs: 60_000,
  maxConnections: 1_024,
};

/** Starts to listen and to record. Throws what the system says where it cannot listen. */
export function listenAndRecord(options: ListenOptions): RunningRecorder {
  const { clock, logger } = options;
  const address = parseTarget(options.upstream, { caCerts: [], cert: undefined, key: undefined })!;
  const client = http1Client({ ...CONNECTIONS, target: address.target, clock });
  const recorder = new Recorder({
    clock,
    maxBytes: options.maxBytes,
    hosts: address.target.kind === "tcp" ? [address.target.host] : [],
    onLimit: () => warnOfLimit(logger, options.maxBytes),
    watch: options.watch,
  });
  const handler = door(tap(forward({ client, address }), recorder));
  const server = switchyardServer({
    ...options.listen,
    handler,
    limits: LIMITS,
    clock,
    events: {
      refused: (error) => logger.debug("request refused", { kind: error.kind, error }),
      // The recording holds it.
      cutShort: () => {},
      full: () => logger.warn("as many clients as the recorder takes"),
      acceptFailed: (error) => logger.error("a connection could not be taken", { error }),
    },
  });
  const { hostname, port } = server.address;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    endpoint: `http://${host}:${port}${address.path}`,
    stop() {
      recorder.stop();
      return recorder.recording();
    },
    async close() {
      const finished = server.shutdown();
      await client.close();
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = clock.after(CLOSE_GRACE_MS, resolve);
      await Promise.race([finished, late]);
      timer.cancel();
      server.cut();
    },
  };
}

/** Says that the recording ends here and the traffic does not. */
export function warnOfLimit(logger: Logger, maxBytes: number): void {
  logger.warn("the recording is full; the traffic goes on unrecorded", { maxBytes });
}

/** The checks at the door of the proxy, on any path (R90). */
function door(handler: Handler): Handler {
  return async (request) => {
    try {
      allowedOrigin(request.headers, checkHost(request, DOOR), DOOR);
    } catch (error) {
      return refusal(toProxyError(error));
    }
    return await handler(request);
  };
}
