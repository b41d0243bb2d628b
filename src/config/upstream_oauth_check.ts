/**
 * What no single setting of `upstream.oauth` shows: credentials that stand beside others, a secret without its way to
 * be used, a server to which no token may go.
 *
 * Works on the config as it was written, like `cross_check.ts`.
 *
 * @module
 */

import { isSecureUrl } from "../http/mod.ts";
import { privateAddress } from "./private_address.ts";
import { type ConfigProblem, shown } from "./problems.ts";

type Raw = Readonly<Record<string, unknown>>;

/** The problems of `oauth` of one upstream as it was written, which stands at `path`. */
export function upstreamOauthProblems(path: string, upstream: Raw): ConfigProblem[] {
  const { oauth } = upstream;
  if (!isRecord(oauth)) return [];
  const at = `${path}.oauth`;
  const isPrivateAllowed = oauth.allowPrivateAddresses === true;
  const setting = "oauth.allowPrivateAddresses";
  return [
    ...otherCredentials(at, upstream),
    ...(oauth.authentication === "private_key_jwt"
      ? keyProblems(at, oauth)
      : secretProblems(at, oauth)),
    ...servers(path, upstream).flatMap((server) => serverProblems(server, at, oauth)),
    ...(isPrivateAllowed ? [] : privateAddress(`${at}.issuer`, oauth.issuer, setting)),
  ];
}

/** R93: a request has one `Authorization`. */
function otherCredentials(path: string, { credentials, headers }: Raw): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const refuse = (found: string, wanted: string) => problems.push({ path, found, wanted });
  if (credentials === "forward") {
    refuse(
      'oauth beside credentials: "forward"',
      "one of the two: the proxy's own credentials, or those of its clients",
    );
  }
  const names = isRecord(headers) ? Object.keys(headers) : [];
  if (names.some((name) => name.toLowerCase() === "authorization")) {
    refuse("oauth beside authorization in headers", "one of the two: both say who the proxy is");
  }
  return problems;
}

function secretProblems(path: string, oauth: Raw): ConfigProblem[] {
  const key = ["privateKey", "privateKeyFile", "keyId"].find((name) => oauth[name] !== undefined);
  const problems = key === undefined ? [] : [{
    path: `${path}.${key}`,
    found: "a key without a use for it",
    wanted: 'authentication: "private_key_jwt" beside it, or clientSecret in its place',
  }];
  if (oauth.clientSecret !== undefined) return problems;
  const wanted = "the secret of the client, or private_key_jwt in authentication, and a key";
  return [...problems, { path: `${path}.clientSecret`, found: "nothing", wanted }];
}

function keyProblems(path: string, oauth: Raw): ConfigProblem[] {
  const wanted = "one of privateKey and privateKeyFile";
  const keys = ["privateKey", "privateKeyFile"].filter((name) => oauth[name] !== undefined);
  const problems = keys.length === 1 ? [] : [{
    path: `${path}.privateKey`,
    found: keys.length === 0 ? "nothing" : "privateKey beside privateKeyFile",
    wanted,
  }];
  if (oauth.clientSecret === undefined) return problems;
  const found = "a secret beside private_key_jwt, which has no use for it";
  return [...problems, {
    path: `${path}.clientSecret`,
    found,
    wanted: `nothing here, and ${wanted}`,
  }];
}

/** The addresses of an upstream, each with the path of its setting. */
function servers(path: string, { url, targets }: Raw): { path: string; url: unknown }[] {
  const listed = Array.isArray(targets) ? targets : [];
  return [
    { path: `${path}.url`, url },
    ...listed.map((target: unknown, index) => ({
      path: `${path}.targets[${index}].url`,
      url: isRecord(target) ? target.url : undefined,
    })),
  ];
}

/** RFC 6750 section 5.3: a token goes over TLS; on a machine it may go without. */
function serverProblems(
  { path, url }: { readonly path: string; readonly url: unknown },
  at: string,
  { resource }: Raw,
): ConfigProblem[] {
  if (typeof url !== "string") return [];
  if (url.startsWith("unix:")) {
    if (resource !== undefined) return [];
    const wanted =
      "the URL that tokens for the server are issued for, which its socket does not tell";
    return [{ path: `${at}.resource`, found: "nothing, beside a unix: address", wanted }];
  }
  // What is no URL at all is told by the schema.
  if (!URL.canParse(url) || isSecureUrl(new URL(url))) return [];
  const wanted = "https://, or http:// on this machine: anybody on the way could take the token";
  return [{ path, found: `${shown(url)} beside oauth`, wanted }];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
