/**
 * Ports for programs that have to be told theirs before they start.
 *
 * @module
 */

/** Below 32768, from where on Linux gives ports to whoever asks for any, and to every connection that is made. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;
const MAX_TRIES = 100;

/**
 * A port on 127.0.0.1 that was free a moment ago, and that nobody is given who does not ask for it by its number: what
 * starts there finds it free but for others who were given the same one here.
 */
export function freePort(): number {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error(`none of ${MAX_TRIES} ports from ${FIRST_PORT} on is free`);
}
