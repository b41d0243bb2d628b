/**
 * The HTTP/1.1 client: a pool, and the rule for sending again.
 *
 * @module
 */

import type { HttpAnswer, HttpClient, HttpClientOptions, HttpRequest } from "../http_client.ts";
import { mayRetry } from "../retry.ts";
import { Call } from "./call.ts";
import { Pool } from "./pool.ts";

/** A client for one target. */
export function http1Client(options: HttpClientOptions): HttpClient {
  const pool = new Pool(options);
  return {
    send: (request) => send(pool, options, request),
    close() {
      pool.close();
      return Promise.resolve();
    },
  };
}

async function send(
  pool: Pool,
  options: HttpClientOptions,
  request: HttpRequest,
): Promise<HttpAnswer> {
  const call = new Call(request, options.clock);
  try {
    const kept = request.fresh === true ? undefined : pool.unused();
    const connection = kept ?? await pool.acquire(call);
    // A fresh connection that fails tells something about the server, a used one only about itself.
    const reused = connection.used;
    try {
      return await connection.exchange(call);
    } catch (error) {
      if (!reused || !mayRetry(request.method, error)) throw error;
    }
    const fresh = await pool.acquire(call);
    return await fresh.exchange(call);
  } finally {
    call.settle();
  }
}
