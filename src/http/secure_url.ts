/**
 * Which URLs secrets and keys may go over.
 *
 * @module
 */

/** Hosts that are this machine, as URLs write them. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Whether a URL goes over TLS or stays on this machine, and names no user. */
export function isSecureUrl({ protocol, hostname, username, password }: URL): boolean {
  if (username + password !== "") return false;
  return protocol === "https:" || (protocol === "http:" && LOOPBACK.test(hostname));
}
