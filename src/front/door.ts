/**
 * What is checked before anything else: whose name the client called, and from which web page.
 *
 * Guards against DNS rebinding on every route (R90; 2025-11-25 basic/transports, "Security Warning")
 * and against request targets that are read in two ways (R9-R11, R13).
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import type { ClientRequest, FieldReader } from "../http/mod.ts";

/** Who may call. */
export interface DoorRules {
  /** Host names, in lower case, beside the loopback ones; `*` allows any. */
  readonly hosts: ReadonlySet<string>;
  /** Origins, in lower case, beside loopback ones; `*` allows any. */
  readonly origins: ReadonlySet<string>;
}

const HOST = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/;
/** An address in place of a name. */
const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/;
const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;
const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/**
 * Checks the Host field and returns it.
 *
 * @throws {ProxyError} `bad_host` where it is missing or malformed, or differs from an
 * absolute-form target; `forbidden_host` where it is not one of this proxy's names.
 */
export function checkHost(request: ClientRequest, rules: DoorRules): string {
  return checkedHost(request, (host) => rules.hosts.has("*") || isNamed(host, rules));
}

/**
 * The same for what is only read by operators and probes, who may call by address, as those of Kubernetes do: a web
 * page that had a name rebound has that name in Host.
 *
 * @throws {ProxyError} see `checkHost`
 */
export function checkReader(request: ClientRequest, rules: DoorRules): string {
  return checkedHost(
    request,
    (host) => ADDRESS.test(host) || rules.hosts.has("*") || isNamed(host, rules),
  );
}

function checkedHost(request: ClientRequest, isAllowed: (host: string) => boolean): string {
  const host = request.headers.get("host");
  if (host === null || !HOST.test(host)) {
    throw new ProxyError(
      "bad_host",
      "The Host header is missing or malformed; it must be a host name and optionally a port.",
    );
  }
  if (!agrees(request.target, host)) {
    throw new ProxyError("bad_host", "The Host header differs from the host in the request line.");
  }
  if (!isAllowed(host)) {
    throw new ProxyError(
      "forbidden_host",
      "This host name is not one of this proxy's; add it to allowedHosts if it is meant to be.",
    );
  }
  return host;
}

/** Whether a target names no other host than `host`: a path names none, a whole URL may. */
function agrees(target: string, host: string): boolean {
  if (target.startsWith("/") || target === "*") return true;
  return [`http://${host}`, `https://${host}`].some((origin) =>
    target.startsWith(origin) && /^($|[/?])/.test(target.slice(origin.length))
  );
}

/** Whether the config names this host; `*` names none. */
function isNamed(host: string, rules: DoorRules): boolean {
  if (LOOPBACK_HOST.test(host)) return true;
  const lower = host.toLowerCase();
  return rules.hosts.has(lower) || rules.hosts.has(lower.replace(/:\d{1,5}$/, ""));
}

/**
 * Checks the Origin field and returns it, or null where there is none (no web page is asking).
 *
 * @throws {ProxyError} `forbidden_origin` (2025-11-25 basic/transports: 403).
 */
export function allowedOrigin(headers: FieldReader, host: string, rules: DoorRules): string | null {
  const origin = headers.get("origin");
  if (origin === null) return null;
  const lower = origin.toLowerCase();
  if (LOOPBACK_ORIGIN.test(lower) || rules.origins.has("*") || rules.origins.has(lower)) {
    return origin;
  }
  // A page that the same name serves, where it is one of this proxy's: any other may have been rebound.
  const sameHost = lower === `https://${host.toLowerCase()}` ||
    lower === `http://${host.toLowerCase()}`;
  if (sameHost && isNamed(host, rules)) return origin;
  throw new ProxyError(
    "forbidden_origin",
    "Web pages of this origin may not call this proxy; add it to allowedOrigins if they are meant to.",
  );
}

/** The path and the query (with its `?`) of a request, exactly as the client wrote them (R13). */
export function targetPath(target: string): { path: string; query: string } {
  // Of a whole URL, what stands behind the host; the host was checked before.
  const text = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?]*/, "");
  const question = text.indexOf("?");
  if (question === -1) return { path: text, query: "" };
  return { path: text.slice(0, question), query: text.slice(question) };
}
