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
import type { Logger, RequestMeter } from "./telemetry/mod.ts";

/** What answers under one path. */
export interface Route {
  /** Name in the log. */
  readonly name: string;
  /** What answers. */
  readonly front: Front;
  /** Keeps open what the front works with until its answer has begun; left out where that is never replaced. */
  readonly use?: Pick<FrontUse, "enter" | "leave"> | undefined;
}

/** What one config says of who may call, and where. Never changed: another config makes another one. */
export interface HandlerRules {
  /** From where clients may call. */
  readonly door: DoorRules;
  /** Tells callers apart, for each request anew. */
  readonly authenticator: Authenticator;
  /** Routes by their exact path (R13). */
  readonly routes: ReadonlyMap<string, Route>;
}

/** What a handler works with. */
export interface HandlerOptions {
  /** The rules that hold now; asked once for each request, which keeps to them. */
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
  route?: string;
  /** The name of the caller, where callers are told apart. */
  principal?: string;
  era?: string;
  rpc?: string;
  origin: string | null;
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
    const story: Story = { origin: null, sent: { target: undefined } };
    let found: ClientAnswer;
    exchanges.asked();
    try {
      found = await dispatch(options.current(), request, story, deliver);
    } catch (thrown) {
      const error = toProxyError(thrown);
      const { route, principal, rpc, sent: { target } } = story;
      tellFailure(options, error, { route, principal, rpc, target });
      found = refusal(error);
    } finally {
      exchanges.answered();
      story.use?.leave();
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
  rules: HandlerRules,
  request: ClientRequest,
  story: Story,
  deliver: Deliver | undefined,
): ClientAnswer | Promise<ClientAnswer> {
  story.origin = entered(request, rules.door);
  const { authenticator } = rules;
  if (request.method === "OPTIONS") {
    // A browser sends no credential here (Fetch standard, CORS-preflight fetch). Where one is wanted
    // all paths are answered alike, because who has none is to learn nothing of the routes.
    const isGuarded = authenticator.credentialFields.length > 0;
    if (!isGuarded) story.route = findRoute(rules, request).route.name;
    return preflight(request.headers, story.origin);
  }
  const caller = authenticator.authenticate(request.headers);
  return caller instanceof Promise
    ? caller.then((principal) => passOn(rules, request, principal, story, deliver))
    : passOn(rules, request, caller, story, deliver);
}

/** Hands the request of a caller who was recognised to the front of its route. */
function passOn(
  rules: HandlerRules,
  request: ClientRequest,
  principal: Principal,
  story: Story,
  deliver: Deliver | undefined,
): Promise<ClientAnswer> {
  if (principal !== ANONYMOUS) story.principal = principal.name;
  const { route, query } = findRoute(rules, request);
  story.route = route.name;
  route.use?.enter();
  story.use = route.use;
  // The answer to a page of a browser is still to get its fields.
  return route.front(request, principal, query, story, story.origin === null ? deliver : undefined);
}

function findRoute(
  { routes }: HandlerRules,
  { target }: ClientRequest,
): { route: Route; query: string } {
  const { path, query } = targetPath(target);
  const route = routes.get(path);
  if (route === undefined) {
    throw new ProxyError("route_not_found", "There is no MCP endpoint under this path.");
  }
  return { route, query };
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
