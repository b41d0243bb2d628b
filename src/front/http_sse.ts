/**
 * The front for clients of HTTP+SSE, the transport of revision 2024-11-05: a stream by GET, on which all
 * comes that is for the client, and an address for messages by POST, which the stream names first.
 *
 * Behind it the upstream is spoken to as a client of Streamable HTTP would; it may be of any transport.
 *
 * Source: 2024-11-05 basic/transports, "HTTP with SSE".
 *
 * @module
 */

import type { Clock, Timer } from "../clock.ts";
import { classifyPost } from "../era/mod.ts";
import { ProxyError, toProxyError } from "../errors.ts";
import { type ClientAnswer, Fields } from "../http/mod.ts";
import { type Message, parseBody } from "../json/mod.ts";
import { StreamTally, type StreamTraffic } from "../relay/mod.ts";
import { notFound, type Session } from "../session/mod.ts";
import { EVENT_STREAM, streamFields } from "../sse/mod.ts";
import { targetPath } from "./door.ts";
import type { Exchanges } from "./exchanges.ts";
import { requireAcceptStream, requireJsonBody } from "./media.ts";
import { type Arrival, describe } from "./passage.ts";
import { SseExchange } from "./sse_exchange.ts";
import type { SseRouteOptions } from "./sse_route.ts";
import { SseSession } from "./sse_session.ts";
import { SseStream } from "./sse_stream.ts";
import type { Front, RequestFacts } from "./front.ts";
import { countRequest } from "./traffic.ts";
import { servesStill } from "./use.ts";

/** What the front of one route works with. */
export interface HttpSseFrontOptions extends SseRouteOptions {
  /** The path for messages. */
  readonly messagesPath: string;
  /** The answers under way on all routes. */
  readonly exchanges: Exchanges;
  /** The clients of the route, where they outlive this front; its own where it is left out. */
  readonly clients?: HttpSseClients | undefined;
}

/** The clients of one route whose streams are open here. */
export class HttpSseClients {
  /** By the ids that they have. */
  readonly byId = new Map<string, SseSession>();
  readonly #tallies = new WeakMap<Session, StreamTally>();

  /** Ends their streams, each when what its client has asked for is answered. */
  end(): void {
    for (const client of [...this.byId.values()]) client.end();
  }

  /** What has passed on the stream of a session. */
  told(session: Session): Iterable<StreamTraffic> {
    return this.#tallies.get(session) ?? [];
  }

  /** Counts what passes on the stream of a session that has none yet. */
  tally(session: Session, clock: Clock): StreamTally {
    const tally = new StreamTally(session.traffic, clock);
    this.#tallies.set(session, tally);
    return tally;
  }
}

/**
 * How long a POST of a client whose credentials go upstream waits for the head of the upstream's answer, in
 * milliseconds: one that refuses them says so at once, and one that works on an answer may take long.
 */
export const CHALLENGE_WAIT_MS = 1_000;

/** The parameter with the session's id, as the SDKs name it. */
const SESSION_PARAMETER = "sessionId";

/** The name under which the table has the sessions of HTTP+SSE of a route: they do not exist on the other. */
export function httpSseSessions(route: string): string {
  return `${route}/sse`;
}

/** The front of one route. */
export class HttpSseFront {
  readonly #options: HttpSseFrontOptions;
  readonly #clients: HttpSseClients;

  /** Without clients yet, or with those that are there. */
  constructor(options: HttpSseFrontOptions) {
    this.#options = options;
    this.#clients = options.clients ?? new HttpSseClients();
  }

  /** Answers on the path of the stream. */
  readonly stream: Front = async (request, principal, query, facts) => {
    if (request.method !== "GET") throw wrongMethod("GET");
    facts.era = "session";
    requireAcceptStream(request.headers);
    return await this.#open({ request, principal, query, bytes: 0 });
  };

  /** Answers on the path for messages. */
  readonly messages: Front = async (request, principal, query, facts) => {
    if (request.method !== "POST") throw wrongMethod("POST");
    facts.era = "session";
    return await this.#take({ request, principal, query, bytes: 0 }, facts);
  };

  async #open({ request, principal, query }: Arrival): Promise<ClientAnswer> {
    const { sessions, exchanges, clock, limits, route, messagesPath } = this.#options;
    // Its upstream session begins with the client's `initialize`.
    const release = sessions.reserve(principal.id);
    const opening = { route: httpSseSessions(route), principal: principal.id, upstreamId: "" };
    let session: Session;
    try {
      session = await sessions.open(opening, release);
    } finally {
      release();
    }
    const tally = this.#clients.tally(session, clock);
    const client = new SseSession(this.#options, {
      session,
      principal,
      query,
      path: targetPath(request.target).path,
      headers: Fields.from(request.headers),
      stream: (onOver) =>
        new SseStream({
          clock,
          keepAliveMs: limits.keepAliveMs,
          traffic: tally.begin("subscription"),
          onOver,
        }),
    });
    this.#clients.byId.set(session.id, client);
    const { body } = client.begin(() => this.#clients.byId.delete(session.id));
    const endpoint = `${messagesPath}?${SESSION_PARAMETER}=${session.id}`;
    client.stream.sendNow({ event: "endpoint", data: endpoint });
    exchanges.follow(client, true, servesStill(this.#options.use, client.served));
    return { status: 200, fields: streamFields(new Fields(["content-type", EVENT_STREAM])), body };
  }

  async #take(arrival: Arrival, facts: RequestFacts): Promise<ClientAnswer> {
    const { request } = arrival;
    requireJsonBody(request.headers);
    const client = await this.#clientOf(arrival);
    const bytes = await request.body();
    const message = this.#read(bytes, facts);
    if (client.over) throw notFound().withId(message.idText);
    client.adopt(this.#options);
    client.showed(arrival.principal);
    const decision = client.route.forwardsCredentials
      ? new Decision(this.#options.clock)
      : undefined;
    try {
      const headers = Fields.from(request.headers);
      client.take(
        { message, bytes, headers, decide: decision?.decide },
        (one, inLine) => new SseExchange(client, one, inLine).run(),
      );
    } catch (error) {
      decision?.decide();
      throw toProxyError(error).withId(message.idText);
    }
    countRequest(client.session, bytes.length);
    const refused = await decision?.made;
    return refused ?? { status: 202, fields: new Fields(), body: null };
  }

  /**
   * The client that a POST is from.
   *
   * @throws {ProxyError} `session_not_found` for an id that is not of a stream which is open here, or is
   * somebody else's (R72); `bad_request` for none, or several
   */
  async #clientOf({ query, principal }: Arrival): Promise<SseSession> {
    const ids = new URLSearchParams(query).getAll(SESSION_PARAMETER);
    if (ids.length !== 1) {
      const sentence = `The query must have one ${SESSION_PARAMETER}, as the endpoint event says.`;
      throw new ProxyError("bad_request", sentence);
    }
    const client = this.#clients.byId.get(ids[0]!);
    if (client === undefined) throw notFound();
    const { sessions, route } = this.#options;
    await sessions.find(httpSseSessions(route), principal.id, ids[0]!);
    return client;
  }

  #read(bytes: Uint8Array, facts: RequestFacts): Message {
    const body = parseBody(bytes, this.#options.limits);
    facts.rpc = describe(body);
    if (body.batch) {
      throw new ProxyError(
        "invalid_request",
        "HTTP+SSE has no batches; send one JSON-RPC message in each POST.",
      );
    }
    const message = body.messages[0]!;
    const { era } = classifyPost(body, { protocolVersion: null, method: null, name: null });
    if (era === "modern") {
      throw new ProxyError(
        "invalid_request",
        "Revisions from 2026-07-28 on have no HTTP+SSE; send this to the endpoint of Streamable HTTP.",
        { idText: message.idText },
      );
    }
    return message;
  }
}

/** What a POST is answered with, which waits for the upstream to want other credentials: for so long at most. */
class Decision {
  readonly #made = Promise.withResolvers<ClientAnswer | undefined>();
  readonly #timer: Timer;
  #isMade = false;

  constructor(clock: Clock) {
    this.#timer = clock.after(CHALLENGE_WAIT_MS, () => this.decide());
  }

  /** The refusal, if it is one. */
  get made(): Promise<ClientAnswer | undefined> {
    return this.#made.promise;
  }

  /** See `SseArrival`. */
  readonly decide = (refused?: ClientAnswer): boolean => {
    if (this.#isMade) return false;
    this.#isMade = true;
    this.#timer.cancel();
    this.#made.resolve(refused);
    return true;
  };
}

function wrongMethod(allow: string): ProxyError {
  return new ProxyError("method_not_allowed", `Use ${allow} here.`, { headers: { allow } });
}
