/**
 * Addresses that are not dialled without a word.
 *
 * @module
 */

import { isAddress, isPublicAddress, isSecureUrl } from "../http/mod.ts";
import { isLoopback } from "./loopback.ts";
import { type ConfigProblem, shown } from "./problems.ts";

/**
 * R95: what is not dialled without a word is known from a number, or from the name of this machine.
 *
 * @param path of the setting with the URL
 * @param setting that allows such addresses
 */
export function privateAddress(path: string, url: unknown, setting: string): ConfigProblem[] {
  // What is no such URL is a problem of its own, and what it holds is not shown twice.
  if (typeof url !== "string" || !URL.canParse(url) || !isSecureUrl(new URL(url))) return [];
  const hostname = new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
  const isPrivate = isLoopback(hostname) || (isAddress(hostname) && !isPublicAddress(hostname));
  if (!isPrivate) return [];
  return [{
    path,
    found: `${shown(url)}, which is not of the public internet`,
    wanted: `${setting}: true beside it, or a public address`,
  }];
}
