/**
 * A modern server that looks to fronts like one of the session era.
 *
 * Source: 2025-11-25 basic/lifecycle and basic/transports; 2026-07-28 basic/versioning.
 *
 * @module
 */

import type { Timer } from "../../clock.ts";
import { maySpeak, SESSION_REVISIONS } from "../../era/mod.ts";
import { NOTHING_SENT, ProxyError, stopping, UNANSWERED } from "../../errors.ts";
import { detached } from "../../http/mod.ts";
import type { Verb } from "../../peers/mod.ts";
import {
  again,
  at,
  decode,
  Drops,
  emptyAnswer,
  errorAnswer,
  isRecord,
  jsonAnswer,
  noMember,
  readBody,
  type RpcBody,
  type RpcText,
  textAt,
} from "../../rpc/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../../upstream/mod.ts";
import {
  clientCapabilities,
  clientInfo,
  offersOf,
  serverCapabilities,
  serverInfo,
} from "./capabilities.ts";
import { Discovery } from "./discovery.ts";
import { ModernServer } from "./modern_call.ts";
import {
  type AsSessionOptions,
  type SessionBridge,
  type SessionBridgeStats,
  type Settings,
  settings,
} from "./options.ts";
import { SERVER_INFO_KEY } from "./requests.ts";
import { BridgedSession } from "./session.ts";
import { Tools } from "./tools.ts";

/**
 * What the ids of sessions start with that this bridge makes. With several instances the name of the one that
 * has the session follows, and a dot.
 */
export const BRIDGED_SESSION = "switchyard-bridge.";

/** Random bytes in the id of a session: 256 bits. */
const SESSION_ID_BYTES = 32;

/** The revision for clients that ask for one nobody knows. */
const NEWEST_REVISION = SESSION_REVISIONS.at(-1)!;

/** How often sessions are looked at that may not be used any more: at least so often while one may live. */
const LOOKS_PER_IDLE_TIME = 4;

/** Sessions for clients of the session era on `modern`, which is somebody else's to close. */
export function asSession(modern: Upstream, options: AsSessionOptions): SessionBridge {
  return new Bridge(modern, settings(options));
}

class Bridge implements SessionBridge {
  readonly #settings: Settings;
  readonly #server: ModernServer;
  readonly #discovery: Discovery;
  readonly #tools: Tools;
  readonly #drops = new Drops();
  readonly #sessions = new Map<string, BridgedSession>();
  #beginning = 0;
  #sweep: Timer | undefined;
  #closed = false;

  constructor(modern: Upstream, settings: Settings) {
    this.#settings = settings;
    this.#server = new ModernServer(modern, settings);
    this.#discovery = new Discovery(this.#server, settings);
    this.#tools = new Tools(this.#server, settings);
    settings.peers?.serve({
      exchange: this.#exchange,
      notify: this.#notify,
      listen: this.#listen,
      terminate: this.#terminate,
    });
  }

  exchange = (call: UpstreamCall, bytes: Uint8Array): Promise<UpstreamAnswer> =>
    this.#whereItIs("exchange", call, bytes) ?? this.#exchange(call, bytes);

  notify = (call: UpstreamCall, bytes: Uint8Array): Promise<UpstreamAnswer> =>
    this.#whereItIs("notify", call, bytes) ?? this.#notify(call, bytes);

  listen = (call: UpstreamCall): Promise<UpstreamAnswer> =>
    this.#whereItIs("listen", call) ?? this.#listen(call);

  terminate = (call: UpstreamCall): Promise<UpstreamAnswer> =>
    this.#whereItIs("terminate", call) ?? this.#terminate(call);

  close(): Promise<void> {
    this.#closed = true;
    for (const [id, session] of [...this.#sessions]) this.#end(id, session, stopping(UNANSWERED));
    this.#sweep?.cancel();
    return Promise.resolve();
  }

  stats(): SessionBridgeStats {
    const sessions = [...this.#sessions.values()];
    const sum = (count: (session: BridgedSession) => number) =>
      sessions.reduce((total, session) => total + count(session), 0);
    return {
      sessions: sessions.length,
      listening: sum(({ isListening }) => isListening ? 1 : 0),
      inFlight: sum(({ inFlight }) => inFlight),
      questions: sum(({ questions }) => questions),
      waiting: sum(({ waiting }) => waiting),
      dropped: this.#drops.counts,
    };
  }

  #exchange = async (call: UpstreamCall, bytes: Uint8Array): Promise<UpstreamAnswer> => {
    const body = read(bytes);
    if (call.sessionId !== undefined) {
      return await this.#inSession(call, (session) => session.exchange(call, body), body);
    }
    const first = body.messages[0]!;
    const isInitialize = !body.batch && first.value.method === "initialize";
    return isInitialize ? await this.#begin(call, first) : this.#sessionless(body);
  };

  #notify = (call: UpstreamCall, bytes: Uint8Array): Promise<UpstreamAnswer> =>
    this.#inSession(call, (session) => session.notify(read(bytes)));

  #listen = (call: UpstreamCall): Promise<UpstreamAnswer> =>
    this.#inSession(call, (session) => {
      const named = call.lastEventId === undefined
        ? call.headers.get("last-event-id")
        : call.lastEventId;
      return named === null ? session.listen(call) : this.#nothingToResume();
    });

  #terminate = (call: UpstreamCall): Promise<UpstreamAnswer> =>
    this.#inSession(call, (session) => {
      this.#end(call.sessionId!, session);
      return emptyAnswer(this.#settings.clock, 200);
    });

  /**
   * The answer of the instance that has the session of a call, where that is another one. All that a client
   * says goes there, since questions, ids in use and what it subscribes to are there; where it has gone, the
   * session has gone with it.
   */
  #whereItIs(
    verb: Verb,
    call: UpstreamCall,
    bytes?: Uint8Array,
  ): Promise<UpstreamAnswer> | undefined {
    const { peers } = this.#settings;
    const instance = instanceIn(call.sessionId);
    if (peers === undefined || instance === undefined || instance === peers.instance) {
      return undefined;
    }
    return peers.call(instance, verb, call, bytes)
      .then((answer) => answer ?? this.#unknown(bytes && read(bytes)));
  }

  /** Does something in the session that a call names, if there is one and it speaks a revision of it. */
  async #inSession(
    call: UpstreamCall,
    act: (session: BridgedSession) => UpstreamAnswer | Promise<UpstreamAnswer>,
    body?: RpcBody,
  ): Promise<UpstreamAnswer> {
    if (call.sessionId === undefined) return this.#sessionless();
    const session = this.#sessionOf(call);
    if (session === undefined) return this.#unknown(body);
    if (maySpeak(call.headers.get("mcp-protocol-version"), undefined)) return await act(session);
    const sentence = "MCP-Protocol-Version names no revision that can be spoken in this session.";
    const error = new ProxyError("bad_request", sentence, { idText: onlyId(body) });
    return errorAnswer(this.#settings.clock, error);
  }

  /** The session that a call names; undefined where there is none, or it is somebody else's (R72). */
  #sessionOf({ sessionId, principal }: UpstreamCall): BridgedSession | undefined {
    const session = this.#sessions.get(sessionId!);
    return session?.principal === principal ? session : undefined;
  }

  /** Answers `initialize` from what the server says of itself, and begins a session. */
  async #begin(call: UpstreamCall, message: RpcText): Promise<UpstreamAnswer> {
    const { clock, maxSessions, limits: { maxClientCharacters } } = this.#settings;
    if (this.#closed) throw stopping(NOTHING_SENT);
    if (this.#sessions.size + this.#beginning >= maxSessions) {
      const sentence = `The upstream server has ${maxSessions} sessions, which is the limit here.`;
      throw new ProxyError("upstream_saturated", sentence);
    }
    const revision = revisionFor(message);
    if (clientCapabilities(message, revision).length > maxClientCharacters) {
      const sentence =
        `The capabilities have more than ${maxClientCharacters} characters, which is the limit here.`;
      throw new ProxyError("invalid_params", sentence, { idText: textAt(message, ["id"]) });
    }
    this.#beginning++;
    try {
      const { response, refusal } = await this.#discovery.ask(call);
      if (refusal !== undefined) return again(clock, refusal, textAt(message, ["id"]));
      if (!isRecord(at(response.value, "result", "capabilities"))) throw noCapabilities();
      if (this.#closed) throw stopping(NOTHING_SENT);
      const answer = jsonAnswer(clock, 200, initialized(message, response, revision));
      return { ...answer, sessionId: this.#open(call, message, response, revision) };
    } finally {
      this.#beginning--;
    }
  }

  #open(call: UpstreamCall, message: RpcText, response: RpcText, revision: string): string {
    const { clock, peers, limits: { maxClientCharacters } } = this.#settings;
    const info = clientInfo(message, maxClientCharacters);
    const instance = peers === undefined ? "" : `${peers.instance}.`;
    const id = BRIDGED_SESSION + instance + clock.randomBytes(SESSION_ID_BYTES).toHex();
    const session = new BridgedSession({
      settings: this.#settings,
      server: this.#server,
      tools: this.#tools,
      drops: this.#drops,
      client: {
        principal: call.principal,
        revision,
        clientInfo: info && detached(info),
        capabilities: detached(clientCapabilities(message, revision)),
      },
      offers: offersOf(at(response.value, "result", "capabilities")),
    }, call);
    this.#sessions.set(id, session);
    this.#watchIdle();
    return id;
  }

  #end(id: string, session: BridgedSession, why?: ProxyError): void {
    this.#sessions.delete(id);
    session.end(why);
    if (this.#sessions.size > 0) return;
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  /** Ends sessions that nobody has used for long: their clients may have gone to another instance. */
  #watchIdle(): void {
    const { clock, sessionIdleMs } = this.#settings;
    this.#sweep ??= clock.after(sessionIdleMs / LOOKS_PER_IDLE_TIME, () => {
      this.#sweep = undefined;
      const sinceMs = clock.monotonicMs() - sessionIdleMs;
      for (const [id, session] of [...this.#sessions]) {
        if (session.lastUsedMs <= sinceMs) this.#end(id, session);
      }
      if (this.#sessions.size > 0) this.#watchIdle();
    });
  }

  #unknown(body?: RpcBody): UpstreamAnswer {
    return noMember(this.#settings.clock, onlyId(body));
  }

  /** As of a server that wants a session: a client of several eras goes on with `initialize`. */
  #sessionless(body?: RpcBody): UpstreamAnswer {
    const sentence = "This server is spoken to in sessions; start one with initialize.";
    const error = new ProxyError("invalid_request", sentence, { idText: onlyId(body) });
    return errorAnswer(this.#settings.clock, error);
  }

  #nothingToResume(): UpstreamAnswer {
    const sentence =
      "This session has no event with the id in Last-Event-ID; open a stream without it.";
    return errorAnswer(this.#settings.clock, new ProxyError("event_not_found", sentence));
  }
}

/** The instance that has a session, by its id; undefined where the id names none. */
function instanceIn(sessionId: string | undefined): string | undefined {
  if (!sessionId?.startsWith(BRIDGED_SESSION)) return undefined;
  const [instance, random] = sessionId.slice(BRIDGED_SESSION.length).split(".");
  return random === undefined ? undefined : instance;
}

/** The revision that the client asks for, or the newest with sessions (2025-11-25 lifecycle, "Version Negotiation"). */
function revisionFor(message: RpcText): string {
  const wanted = at(message.value, "params", "protocolVersion");
  return SESSION_REVISIONS.find((revision) => revision === wanted) ?? NEWEST_REVISION;
}

/** The response to `initialize`. */
function initialized(message: RpcText, response: RpcText, revision: string): string {
  const capabilities = serverCapabilities(at(response.value, "result", "capabilities"), revision);
  const info = serverInfo(response, ["result", "_meta", SERVER_INFO_KEY], revision);
  const isTold = typeof at(response.value, "result", "instructions") === "string";
  const instructions = isTold ? textAt(response, ["result", "instructions"]) : undefined;
  return `{"jsonrpc":"2.0","id":${textAt(message, ["id"])},"result":{` +
    `"protocolVersion":"${revision}","capabilities":${JSON.stringify(capabilities)},` +
    `"serverInfo":${info}` +
    `${instructions === undefined ? "" : `,"instructions":${instructions}`}}}`;
}

function onlyId(body: RpcBody | undefined): string | undefined {
  const only = body?.batch === false ? body.messages[0] : undefined;
  return only && textAt(only, ["id"]);
}

function read(bytes: Uint8Array): RpcBody {
  const body = readBody(decode(bytes));
  if (body === undefined) {
    throw new ProxyError("invalid_request", "The body holds no JSON-RPC message.");
  }
  return body;
}

function noCapabilities(): ProxyError {
  const sentence =
    "The upstream server does not say what it is capable of, which server/discover demands.";
  return new ProxyError("upstream_protocol", sentence);
}
