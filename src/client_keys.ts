/**
 * What the proxy shows the authorization servers of its upstreams, from the config and the files that it names.
 *
 * @module
 */

import { readPem } from "./certificates.ts";
import {
  type Config,
  ConfigError,
  type ConfigProblem,
  type UpstreamOauthConfig,
} from "./config/mod.ts";
import { type ClientCredentials, type ClientKey, readClientKey } from "./server_tokens/mod.ts";

/** Every problem with the keys of all routes, each with the path of its setting. */
export function clientKeyProblems({ routes }: Pick<Config, "routes">): ConfigProblem[] {
  return routes.flatMap(({ upstream: { oauth } }, at) => {
    if (oauth?.authentication !== "private_key_jwt") return [];
    const read = readKey(oauth, `routes[${at}].upstream.oauth`);
    return "problem" in read ? [read.problem] : [];
  });
}

/**
 * What an upstream's setting `oauth` has for the authorization server.
 *
 * @param path of the setting, for what is told
 * @throws {ConfigError} where its key cannot be used
 */
export function clientCredentials(oauth: UpstreamOauthConfig, path: string): ClientCredentials {
  const { clientId, authentication, clientSecret = "", keyId } = oauth;
  if (authentication !== "private_key_jwt") return { clientId, authentication, clientSecret };
  const read = readKey(oauth, path);
  if ("problem" in read) throw new ConfigError([read.problem]);
  return { clientId, authentication, key: read.key, keyId };
}

function readKey(
  { privateKey, privateKeyFile }: UpstreamOauthConfig,
  path: string,
): { readonly key: ClientKey } | { readonly problem: ConfigProblem } {
  const setting = privateKeyFile === undefined ? "privateKey" : "privateKeyFile";
  try {
    return {
      key: readClientKey(privateKeyFile === undefined ? privateKey! : readPem(privateKeyFile)),
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const found = privateKeyFile === undefined ? why : `${privateKeyFile}: ${why}`;
    const wanted = "a private key of RSA, EC or Ed25519, as PEM without a passphrase or as JWK";
    return { problem: { path: `${path}.${setting}`, found, wanted } };
  }
}
