/**
 * Who may call, as one config has it: nobody told apart, API keys, access tokens.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import type { Parts } from "./app_parts.ts";
import { anybody, apiKeys, OauthCallers, Resources } from "./auth/mod.ts";
import { type Config, httpSsePaths } from "./config/mod.ts";
import type { HandlerRules } from "./handler.ts";

/** Who may call. */
export interface Callers extends Pick<HandlerRules, "authenticator" | "metadata"> {
  /** Those with tokens; undefined where the config has no authorization server. */
  readonly oauth: OauthCallers | undefined;
}

/** What was made of the config before. */
export interface CallersBefore extends Callers {
  /** That config. */
  readonly config: Config;
}

/**
 * The callers of a config; those of the one before where nothing that they were made of is another. The keys of an
 * authorization server, and tokens that were checked, are good as long as what the config says of it, and
 * `publicUrl`, are the same.
 */
export function callersOf(
  parts: Pick<Parts, "clock" | "logger">,
  config: Config,
  before: CallersBefore | undefined,
): Callers {
  if (before !== undefined && isDeepStrictEqual(basisOf(config), basisOf(before.config))) {
    return before;
  }
  const { auth } = config;
  const keys = auth.keys.length === 0 ? undefined : apiKeys(auth);
  if (auth.oauth === undefined) {
    return { authenticator: keys ?? anybody, oauth: undefined, metadata: undefined };
  }
  const isSame = isDeepStrictEqual(issuedFor(config), before && issuedFor(before.config));
  const oauth = isSame && before?.oauth ? before.oauth : new OauthCallers(auth.oauth, parts);
  const resources = resourcesOf(config);
  return {
    authenticator: oauth.authenticator(
      resources,
      keys && { authenticator: keys, header: auth.header },
    ),
    oauth,
    metadata(path) {
      const document = oauth.document(resources, path);
      return document && { answer: () => Promise.resolve(document) };
    },
  };
}

/** What a token is held against, whichever route it is for. */
function issuedFor({ auth: { oauth }, publicUrl }: Config): unknown {
  return [oauth, publicUrl];
}

/** All that callers are known by; tokens are issued for addresses of routes. */
function basisOf({ auth, publicUrl, listen, routes }: Config): unknown {
  if (auth.oauth === undefined) return [auth];
  return [auth, publicUrl, listen, routes.map(({ path }) => path)];
}

function resourcesOf({ auth: { oauth }, publicUrl, listen, routes }: Config): Resources {
  const audience = oauth?.audience;
  return new Resources({
    publicUrl: publicUrl ?? `http://${listen}`,
    routes: routes.map(({ path }) => {
      const { streams, messages } = httpSsePaths(path);
      return { named: [path, ...streams], told: [messages] };
    }),
    audiences: typeof audience === "string" ? [audience] : audience,
  });
}
