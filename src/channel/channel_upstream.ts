/**
 * An upstream on channels: each upstream session is one, and each principal whose requests have no session
 * has one.
 *
 * @module
 */

import { maySpeak } from "../era/mod.ts";
import { NOTHING_SENT, ProxyError, stopping } from "../errors.ts";
import {
  decode,
  Drops,
  emptyAnswer,
  errorAnswer,
  readBody,
  type RpcBody,
  textAt,
} from "../rpc/mod.ts";
import {
  unlessAborted,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamCall,
} from "../upstream/mod.ts";
import type { OpenChannel } from "./channel.ts";
import type { ModernChannel } from "./modern_channel.ts";
import { LATER, ModernChannels } from "./modern_channels.ts";
import type { ChannelStats, ChannelUpstreamOptions } from "./options.ts";
import { ChannelSession } from "./session.ts";

/** Random bytes in the id of a session: 256 bits. */
const SESSION_ID_BYTES = 32;

/** An upstream on channels. */
export interface ChannelUpstream extends Upstream {
  /** What is going on. */
  stats(): ChannelStats;
}

/** An upstream whose sessions are channels that `open` opens. */
export function channelUpstream(
  open: OpenChannel,
  options: ChannelUpstreamOptions,
): ChannelUpstream {
  return new Channels(open, options);
}

class Channels implements ChannelUpstream {
  readonly #open: OpenChannel;
  readonly #options: ChannelUpstreamOptions;
  readonly #drops = new Drops();
  readonly #sessions = new Map<string, ChannelSession>();
  /** Channels that are being opened or closed. */
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #modern: ModernChannels;
  #closed = false;

  constructor(open: OpenChannel, options: ChannelUpstreamOptions) {
    this.#open = open;
    this.#options = options;
    this.#modern = new ModernChannels({
      ...options,
      open,
      drops: this.#drops,
      makeRoom: () => this.#makeRoom(),
      follow: (work) => this.#follow(work),
    });
  }

  exchange = async (call: UpstreamCall, bytes: Uint8Array): Promise<UpstreamAnswer> => {
    const body = read(bytes);
    if (call.sessionId !== undefined) {
      return await this.#in(call, (session) => session.exchange(call, body), body);
    }
    if (this.#isModern(call)) return await this.#modern.exchange(call, body);
    const isInitialize = !body.batch && body.messages[0]!.value.method === "initialize";
    return isInitialize ? await this.#begin(call, body) : this.#sessionless(body);
  };

  notify = async (call: UpstreamCall, bytes: Uint8Array): Promise<UpstreamAnswer> => {
    const text = decode(bytes);
    const body = read(bytes);
    if (this.#isModern(call)) return await this.#modern.notify(call, body);
    return await this.#in(call, (session) => session.notify(call, text, body));
  };

  listen = (call: UpstreamCall): Promise<UpstreamAnswer> =>
    this.#in(call, (session) => {
      const named = call.lastEventId === undefined
        ? call.headers.get("last-event-id")
        : call.lastEventId;
      return named === null ? session.listen() : this.#nothingToResume();
    });

  terminate = (call: UpstreamCall): Promise<UpstreamAnswer> =>
    this.#in(call, (session) => {
      // Its channel may take its time; nobody has to wait for that.
      this.#endInBackground(session);
      return { ...emptyAnswer(this.#options.clock, 200), failure: null };
    });

  async close(): Promise<void> {
    this.#closed = true;
    for (const session of [...this.#sessions.values()]) {
      session.stop();
      this.#endInBackground(session);
    }
    this.#modern.close();
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    await this.#options.beneath?.close();
  }

  stats(): ChannelStats {
    const sessions = [...this.#sessions.values()];
    return {
      sessions: sessions.length,
      sessionless: this.#modern.size,
      inFlight: sessions.reduce((sum, { inFlight }) => sum + inFlight, this.#modern.inFlight),
      waiting: sessions.reduce((sum, { waiting }) => sum + waiting, 0),
      dropped: this.#drops.counts,
    };
  }

  /** Does something in the session that a call names, if there is one and it speaks a revision of it. */
  async #in(
    { sessionId, headers }: UpstreamCall,
    act: (session: ChannelSession) => UpstreamAnswer | Promise<UpstreamAnswer>,
    body?: RpcBody,
  ): Promise<UpstreamAnswer> {
    if (sessionId === undefined) return this.#sessionless();
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return this.#unknown(body);
    if (maySpeak(headers.get("mcp-protocol-version"), session.revision)) return await act(session);
    const sentence = "MCP-Protocol-Version names no revision that can be spoken in this session.";
    return this.#refusal(new ProxyError("bad_request", sentence), body);
  }

  /** Opens a session with its `initialize`; one that the server refuses is none. */
  async #begin(call: UpstreamCall, body: RpcBody): Promise<UpstreamAnswer> {
    const { maxSessions } = this.#options.limits;
    const room = this.#makeRoom();
    if (room === false) {
      const sentence = `The upstream server has ${maxSessions} sessions, which is the limit here.`;
      throw new ProxyError("upstream_saturated", sentence, LATER);
    }
    const id = this.#options.clock.randomBytes(SESSION_ID_BYTES).toHex();
    const session = new ChannelSession({
      ...this.#options,
      drops: this.#drops,
      onOver: () => void this.#sessions.delete(id),
    });
    // From before it is open: it counts, and `close` finds it.
    this.#sessions.set(id, session);
    try {
      await unlessAborted(this.#follow(this.#connect(session, call, room)), call.signal);
      const answer = await session.exchange(call, body, this.#options.limits.startMs);
      if (answer.kind === "sse" || session.isAccepted) return { ...answer, sessionId: id };
      this.#endInBackground(session);
      return answer;
    } catch (error) {
      this.#endInBackground(session);
      throw error;
    }
  }

  /** Whether there may be one more channel. @throws {ProxyError} where there will be none any more */
  get #hasRoom(): boolean {
    if (this.#closed) throw stopping(NOTHING_SENT);
    return this.#sessions.size + this.#modern.size < this.#options.limits.maxSessions;
  }

  /** Makes room for one more channel; what has to be waited for then, if anything, and false where there is none. */
  #makeRoom(): Promise<void> | boolean {
    return this.#hasRoom || (this.#evict() ?? false);
  }

  /** The longest idle channel gives way; resolves when nothing of it is left. Undefined where none may go. */
  #evict(): Promise<void> | undefined {
    const { limits: { sessionEvictIdleMs }, logger } = this.#options;
    let [longest, idleMs]: [ChannelSession | ModernChannel | undefined, number] = [undefined, -1];
    for (const one of [...this.#sessions.values(), ...this.#modern.channels]) {
      const itsMs = one.idleMs ?? -1;
      if (itsMs > idleMs) [longest, idleMs] = [one, itsMs];
    }
    if (longest === undefined || idleMs < sessionEvictIdleMs) return undefined;
    logger.info("the longest idle channel to an upstream server gives way to a new one", {
      idleMs,
    });
    return longest instanceof ChannelSession
      ? this.#endInBackground(longest)
      : this.#modern.end(longest);
  }

  #isModern({ era, sessionId }: UpstreamCall): boolean {
    return this.#options.modern === true && era === "modern" && sessionId === undefined;
  }

  /** Opens the channel of a session, when `room` says that there is room for it. */
  async #connect(
    session: ChannelSession,
    { headers }: UpstreamCall,
    room: Promise<void> | boolean,
  ): Promise<void> {
    await room;
    session.use(await this.#open(session, headers));
    // It was closed meanwhile, and could not close what was not there yet.
    if (session.isOver) await session.close();
  }

  /** Resolves when nothing of it is left; never rejects. */
  #endInBackground(session: ChannelSession): Promise<void> {
    return this.#follow(session.close()).catch((error) => {
      this.#options.logger.error("a session with an upstream server did not close", { error });
    });
  }

  #follow<T>(work: Promise<T>): Promise<T> {
    const followed = work.finally(() => this.#underWay.delete(followed));
    this.#underWay.add(followed);
    return followed;
  }

  /** As of a server that does not know the session: the front makes it anew (R81). */
  #unknown(body?: RpcBody): UpstreamAnswer {
    const sentence = "This session does not exist or has ended; start a new one with initialize.";
    return this.#refusal(new ProxyError("session_not_found", sentence), body);
  }

  /** As of a server that wants a session: a client of several eras goes on with `initialize`. */
  #sessionless(body?: RpcBody): UpstreamAnswer {
    const sentence = "This server is spoken to in sessions; start one with initialize.";
    return this.#refusal(new ProxyError("invalid_request", sentence), body);
  }

  #nothingToResume(): UpstreamAnswer {
    const sentence =
      "This session has no event with the id in Last-Event-ID; open a stream without it.";
    return this.#refusal(new ProxyError("event_not_found", sentence));
  }

  #refusal(error: ProxyError, body?: RpcBody): UpstreamAnswer {
    const only = body?.batch === false ? body.messages[0] : undefined;
    const idText = only && textAt(only, ["id"]);
    return { ...errorAnswer(this.#options.clock, error.withId(idText)), failure: null };
  }
}

function read(bytes: Uint8Array): RpcBody {
  const body = readBody(decode(bytes));
  if (body === undefined) {
    throw new ProxyError("invalid_request", "The body holds no JSON-RPC message.");
  }
  return body;
}
