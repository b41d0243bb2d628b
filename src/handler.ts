/**
 * From a request to the front of its route: the checks at the door, who calls, the path, the log line.
 * No protocol logic.
 *
 * @module
 */

import { ANONYMOUS, type Authenticator, type Principal } from "./auth/mod.ts";
import type { Clock } from "./clock.ts";
import { ProxyError, toProxyError } from "./errors.ts";
import {
  type ClientAnswer,
  type ClientRequest,
  type Deliver,
  type Handler,
  ReadFields,
} from "./http/mod.ts";
import {
  allowedOrigin,
  checkHost,
  type DoorRules,
  type Exchanges,
  type Front,
  type FrontUse,
  preflight,
  refusal,
  type RequestFacts,
  targetPath,
  tellFailure,
  withCors,
} from "./front/mod.ts";
import {
  type FoundMetadata,
  mayBeMetadata,
  type MetadataSource,
  nameInChallenges,
} from "./server_oauth/mod.ts";
import type { Logger, RequestMeter } from "./telemetry/mod.ts";

/** How often it is asked who sends one request: once more for each reload that has come meanwhile. */
export const MAX_CHECKS = 3;

/** What answers under one path. */
export interface Route {
  /** Name in the log. */
  readonly name: string;
  /** What answers. */
  readonly front: Front;
  /** What OAuth clients of its server are to know; left out where no token of theirs goes there. */
  readonly metadata?: MetadataSource | undefined;
  /** Keeps open what the front works with until its answer has begun; left out where that is never replaced. */
  readonly use?: Pick<FrontUse, "enter" | "leave"> | undefined;
}

/** What one config says of who may call, and where. Never changed: another config makes another one. */
export interface HandlerRules {
  /** From where clients may call. */
  readonly door: DoorRules;
  /** Tells callers apart, for each request anew. */
  readonly authenticator: Authenticator;
  /** The metadata under a path, which everybody may read; undefined where there is none. Left out where there are none at all. */
  readonly metadata?: ((path: string, publicUrl: string) => FoundMetadata | undefined) | undefined;
  /** Routes by their exact path (R13). */
  readonly routes: ReadonlyMap<string, Route>;
  /** What clients put ahead of the paths of routes; the host that they name in each request where it is left out. */
  readonly publicUrl?: string | undefined;
}

/** What a handler works with. */
export interface HandlerOptions {
  /** The rules that hold now; a request keeps to those that hold when it is known who sends it. */
  current(): HandlerRules;
  /** Where log lines go. */
  readonly logger: Logger;
  /** Time. */
  readonly clock: Clock;
  /** Where requests are counted that wait for their answer. */
  readonly exchanges: Pick<Exchanges, "asked" | "answered">;
  /** Where requests are counted by what they were; left out where nobody can ask. */
  readonly meter?: RequestMeter | undefined;
}

/** What becomes known of a request on its way. */
interface Story {
  /** The rules that it goes by. */
  rules: HandlerRules;
  route?: string;
  /** The name of the caller, where callers are told apart. */
  principal?: string;
  era?: string;
  rpc?: string;
  origin: string | null;
  /** The path whose metadata its challenges name, once the route is known. */
  path?: string;
  /** Where it was sent. */
  readonly sent: RequestFacts["sent"];
  /** What the answer works with. */
  use?: Route["use"];
}

/** The handler of the address that clients use. One promise for all of it: each more is felt in every call. */
export function createHandler(options: HandlerOptions): Handler {
  const { logger, clock, exchanges, meter } = options;
  return async (request, deliver) => {
    const isTold = meter !== undefined || logger.enabled("info");
    const startedMs = isTold ? clock.monotonicMs() : 0;
    const story: Story = {
      rules: options.current(),
      origin: null,
      sent: { target: undefined },
    };
    let found: ClientAnswer;
    exchanges.asked();
    try {
      found = await dispatch(options, request, story, deliver);
    } catch (thrown) {
      const error = toProxyError(thrown);
      const { route, principal, rpc, sent: { target } } = story;
      tellFailure(options, error, { route, principal, rpc, target });
      found = refusal(error);
    } finally {
      exchanges.answered();
      story.use?.leave();
    }
    if (story.path !== undefined && found.status >= 400) {
      nameInChallenges(found, story.path, publicUrlOf(story.rules, request));
    }
    const answer = withCors(found, story.origin);
    if (isTold) {
      tellRequest(options, request, answer.status, story, clock.monotonicMs() - startedMs);
    }
    return answer;
  };
}

/** Throws, or rejects with, a `ProxyError`. */
function dispatch(
  options: HandlerOptions,
  request: ClientRequest,
  story: Story,
  deliver: Deliver | undefined,
): ClientAnswer | Promise<ClientAnswer> {
  const { rules } = story;
  story.origin = entered(request, rules.door);
  const { authenticator } = rules;
  const metadata = metadataFor(rules, request);
  if (metadata !== undefined) {
    const route = metadata.path === undefined ? undefined : rules.routes.get(metadata.path);
    if (route !== undefined) story.route = route.name;
    if (request.method === "GET") {
      route?.use?.enter();
      story.use = route?.use;
      return metadata.answer();
    }
    if (request.method === "OPTIONS") return preflight(request.headers, story.origin);
    throw new ProxyError("method_not_allowed", "Use GET here.", { headers: { allow: "GET" } });
  }
  if (request.method === "OPTIONS") {
    // A browser sends no credential here (Fetch standard, CORS-preflight fetch). Where one is wanted
    // all paths are answered alike, because who has none is to learn nothing of the routes.
    const isGuarded = authenticator.credentialFields.length > 0;
    if (!isGuarded) story.route = findRoute(rules, targetPath(request.target).path).name;
    return preflight(request.headers, story.origin);
  }
  const { path, query } = targetPath(request.target);
  const caller = authenticator.authenticate(request.headers, path);
  const pass = (principal: Principal) => {
    if (principal !== ANONYMOUS) story.principal = principal.name;
    const route = findRoute(story.rules, path);
    return passOn(route, request, { principal, path, query }, story, deliver);
  };
  return caller instanceof Promise
    ? passChecked(options, request, story, caller, path, pass)
    : pass(caller);
}

/**
 * Passes on whom a check that took a while has found. A reload may have come meanwhile: then the request goes by what
 * holds now, with who may call (R91), the door and the routes, whose servers of before may be closed by then.
 */
async function passChecked(
  { current }: HandlerOptions,
  request: ClientRequest,
  story: Story,
  checking: Principal | Promise<Principal>,
  path: string,
  pass: (principal: Principal) => Promise<ClientAnswer>,
): Promise<ClientAnswer> {
  for (let checks = 1; checks <= MAX_CHECKS; checks++) {
    let principal: Principal | undefined;
    try {
      principal = await checking;
    } catch (refusal) {
      // What the rules of before have refused, those of now may have a place for.
      if (current() === story.rules) throw refusal;
    }
    const rules = current();
    // At once: behind another wait they might be others again.
    if (rules === story.rules) return await pass(principal!);
    if (checks === MAX_CHECKS) break;
    story.rules = rules;
    story.origin = entered(request, rules.door);
    checking = rules.authenticator.authenticate(request.headers, path);
  }
  const sentence = "The config was replaced whenever the credentials had been checked; try again.";
  throw new ProxyError("authorization_unavailable", sentence, { headers: { "retry-after": "1" } });
}

/** Metadata for a client that has no credential yet, and is to learn where to get one (RFC 9728 section 3). */
function metadataFor(rules: HandlerRules, request: ClientRequest): FoundMetadata | undefined {
  const { target } = request;
  if (rules.metadata === undefined || !mayBeMetadata(target)) return undefined;
  return rules.metadata(targetPath(target).path, publicUrlOf(rules, request));
}

/** Who calls, and where. */
interface Passing {
  readonly principal: Principal;
  readonly path: string;
  readonly query: string;
}

/** Hands the request of a caller who was recognised to the front of its route. */
function passOn(
  route: Route,
  request: ClientRequest,
  { principal, path, query }: Passing,
  story: Story,
  deliver: Deliver | undefined,
): Promise<ClientAnswer> {
  story.route = route.name;
  story.path = path;
  route.use?.enter();
  story.use = route.use;
  // The answer to a page of a browser is still to get its fields.
  return route.front(request, principal, query, story, story.origin === null ? deliver : undefined);
}

function findRoute({ routes }: HandlerRules, path: string): Route {
  const route = routes.get(path);
  if (route === undefined) {
    throw new ProxyError("route_not_found", "There is no MCP endpoint under this path.");
  }
  return route;
}

/**
 * What the client puts ahead of paths. Where nobody has said it, it is what stands in Host, which the door has
 * checked; what says in a request that there was TLS, anybody may say (R20).
 */
function publicUrlOf({ publicUrl }: HandlerRules, { headers }: ClientRequest): string {
  return publicUrl ?? `http://${headers.get("host")}`;
}

/** The origin that was allowed by a door. */
interface Entered {
  readonly origin: string | null;
}

/** `enter`, once for all requests of a connection with the same head: the head is all that it goes by. */
function entered(request: ClientRequest, door: DoorRules): string | null {
  const { headers } = request;
  if (!(headers instanceof ReadFields)) return enter(request, door);
  return headers.derived<Entered>(door, () => ({ origin: enter(request, door) })).origin;
}

/** The checks at the door; the result is the allowed origin, or null where no page is asking. */
export function enter(request: ClientRequest, door: DoorRules): string | null {
  // R12: both would have the proxy act as something it is not.
  if (request.method === "CONNECT" || request.method === "TRACE") {
    throw new ProxyError("method_not_allowed", `${request.method} is not served here.`, {
      headers: { allow: "GET, POST, DELETE" },
    });
  }
  const host = checkHost(request, door);
  return allowedOrigin(request.headers, host, door);
}

function tellRequest(
  { logger, meter }: HandlerOptions,
  { method: http }: ClientRequest,
  status: number,
  { route, principal, era, rpc, sent }: Story,
  tookMs: number,
): void {
  meter?.answered({ route, http, era, rpc, status, seconds: tookMs / 1000 });
  if (!logger.enabled("info")) return;
  logger.info("request", {
    route,
    principal,
    http,
    era,
    rpc,
    target: sent.target,
    status,
    firstByteMs: Math.round(tookMs * 1000) / 1000,
  });
}
