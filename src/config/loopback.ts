/**
 * Names of this machine.
 *
 * @module
 */

/** Host names that reach this machine alone. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

/** Whether a host name, without brackets, reaches this machine alone. */
export function isLoopback(hostname: string): boolean {
  return LOOPBACK.test(hostname);
}
