/**
 * The one upstream session of a hub: made once for all, and made anew when the server has lost it (R66).
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { detached, Fields, NEVER_ABORTED } from "../http/mod.ts";
import {
  allCapabilities,
  at,
  CLIENT_INFO,
  emptyAnswer,
  encode,
  errorAnswer,
  keep,
  type KeptAnswer,
  keyOf,
  readReply,
  type RpcText,
  textAt,
} from "../rpc/mod.ts";
import {
  lookInto,
  mayBeLost,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamCall,
} from "../upstream/mod.ts";
import { writtenId } from "./names.ts";
import type { Settings } from "./options.ts";

/** The longest refusal that is kept for those who wait, in bytes. */
const MAX_REFUSAL_BYTES = 65_536;

/** What a session is made for, and what it tells. */
export interface SessionOptions {
  /** Settings. */
  readonly settings: Settings;
  /** The server. */
  readonly upstream: Upstream;
  /** Whose calls it carries. */
  readonly principal: string;
  /** The query that goes with the proxy's own calls. */
  readonly query: string;
  /** The revision that clients asked for. */
  readonly revision: string;
  /** Numbers for ids of requests. */
  readonly serial: () => number;
  /** Messages that come beside the answer to a request of the proxy's own. */
  readonly onOther: (message: RpcText) => void;
  /** A new session stands in the place of the old one; nothing was said in it yet. */
  readonly onReplaced: () => void;
  /** Puts into the new session what the old one had. */
  readonly restore: () => Promise<void>;
  /** The server will not have a new one. */
  readonly onLost: () => void;
}

/** A session, the same one for its hub whatever the server makes of it. */
export class UpstreamSession {
  readonly #options: SessionOptions;
  #id: string | undefined;
  #written: string | undefined;
  #revision = "";
  #result = "{}";
  #generation = 0;
  #opening: Promise<KeptAnswer | undefined> | undefined;
  #renewing: Promise<boolean> | undefined;
  #lost = false;
  /** Whether GET was answered 404 where it cannot mean that the session is lost. */
  #isWithoutStream = false;

  /** A session that is not open yet. */
  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Counts the sessions that there were, one after the other. */
  get generation(): number {
    return this.#generation;
  }

  /** Its id upstream as it stands in messages; undefined for none, and one that is not looked for. */
  get written(): string | undefined {
    return this.#written;
  }

  /** The text of the server's `InitializeResult`. */
  get result(): string {
    return this.#result;
  }

  /**
   * Opens it, once for all who ask; undefined where it is open, otherwise what the server said.
   *
   * @throws {ProxyError} where the server could not be asked
   */
  open(): Promise<KeptAnswer | undefined> {
    return this.#opening ??= this.#initialize();
  }

  /**
   * Sends requests of a member; `onSend` is called before each time they go up.
   *
   * @param idText the id of the one request in it; undefined for several
   */
  exchange(
    call: UpstreamCall,
    body: Uint8Array,
    onSend: () => void,
    idText: string | undefined,
  ): Promise<UpstreamAnswer> {
    return this.#recovering((sessionId) => {
      onSend();
      return this.#options.upstream.exchange({ ...call, sessionId, lastEventId: null }, body);
    }, idText);
  }

  /**
   * Sends what gets no answer, in the session of this generation and no other: the ids in it mean nothing
   * elsewhere.
   */
  async notify(call: UpstreamCall, body: Uint8Array, generation: number): Promise<UpstreamAnswer> {
    const { settings: { clock }, upstream } = this.#options;
    // It does not wait while the session is made anew: the server may be waiting for just this.
    if (generation !== this.#generation) return emptyAnswer(clock, 202);
    const sent = upstream.notify({ ...call, sessionId: this.#id, lastEventId: null }, body);
    const { gone, answer } = await this.#look(await sent);
    return gone && await this.#renew(generation) ? emptyAnswer(clock, 202) : answer;
  }

  /**
   * Opens the stream on which the server speaks first. In a new session there is nothing to go on behind.
   *
   * A server without such a stream says 404 to GET where it has no such route, in place of 405 (2025-11-25
   * basic/transports, "Listening for Messages from the Server"). The session is made anew for that once; from
   * then on it is 405, and whether the session is lost is found out by what is posted (R89).
   */
  async listen(lastEventId: () => string | undefined): Promise<UpstreamAnswer> {
    let sent = 0;
    const answer = await this.#recovering(async (sessionId) => {
      sent++;
      // By the time it is sent the session may be another one, of which no event has come.
      const call = { ...this.#call(sessionId), lastEventId: lastEventId() ?? null };
      const given = await this.#options.upstream.listen(call);
      const isKnown = this.#isWithoutStream && isNotFound(given);
      return isKnown ? this.#noStream(given) : given;
    });
    if (sent < 2 || !isNotFound(answer)) return answer;
    this.#isWithoutStream = true;
    return this.#noStream(answer);
  }

  /** Goes on with a stream of this generation. */
  async resume(
    call: UpstreamCall,
    lastEventId: string,
    generation: number,
  ): Promise<UpstreamAnswer> {
    const { upstream, settings: { clock } } = this.#options;
    await this.#renewing?.catch(() => {});
    if (generation !== this.#generation) return errorAnswer(clock, streamLost());
    const { gone, answer } = await this.#look(
      await upstream.listen({ ...call, sessionId: this.#id, lastEventId }),
    );
    return gone && await this.#renew(generation) ? errorAnswer(clock, streamLost()) : answer;
  }

  /**
   * Asks something of the proxy's own; the response, whether it tells a result or an error.
   *
   * @param messageFor the request with this id
   * @param recovers whether a lost session is made anew: not while that is being done
   */
  async ask(messageFor: (idText: string) => string, recovers = true): Promise<RpcText> {
    const idText = `${this.#options.serial()}`;
    const body = encode(messageFor(idText));
    const send = (sessionId: string | undefined) =>
      this.#options.upstream.exchange(this.#call(sessionId), body);
    const answer = await (recovers ? this.#recovering(send, idText) : send(this.#id));
    return await readReply(answer, keyOf(idText)!, this.#reading());
  }

  /** Sends something of the proxy's own that gets no answer, in the session of this generation. */
  async tell(text: string, generation: number): Promise<void> {
    if (generation !== this.#generation) return;
    const answer = await this.#options.upstream.notify(this.#call(this.#id), encode(text));
    answer.body.discard();
  }

  /** Ends it at the server, as far as it will. */
  async terminate(): Promise<void> {
    if (this.#id === undefined) return;
    const answer = await this.#options.upstream.terminate(this.#call(this.#id));
    answer.body.discard();
  }

  /** As of a server that says by the book that it offers no such stream. */
  #noStream(answer: UpstreamAnswer): UpstreamAnswer {
    answer.body.discard();
    const sentence = "This server says nothing by itself; there is no stream to listen to.";
    const headers = { allow: "POST, DELETE" };
    const error = new ProxyError("method_not_allowed", sentence, { headers });
    return errorAnswer(this.#options.settings.clock, error);
  }

  #reading() {
    const { settings, onOther } = this.#options;
    return { maxBytes: settings.maxEventBytes, onOther };
  }

  #call(sessionId: string | undefined, revision = this.#revision): UpstreamCall {
    const { principal, query } = this.#options;
    const headers = new Fields(["content-type", "application/json"]);
    if (revision !== "") headers.append("mcp-protocol-version", revision);
    return { headers, sessionId, principal, query, lastEventId: null, signal: NEVER_ABORTED };
  }

  /** `initialize` and `notifications/initialized`; what the server said where it refused. */
  async #initialize(): Promise<KeptAnswer | undefined> {
    const { upstream, revision, serial } = this.#options;
    const idText = `${serial()}`;
    const params = JSON.stringify({
      protocolVersion: revision,
      capabilities: allCapabilities(revision),
      clientInfo: CLIENT_INFO,
    });
    const message = `{"jsonrpc":"2.0","id":${idText},"method":"initialize","params":${params}}`;
    const answer = await upstream.exchange(
      { ...this.#call(undefined, ""), method: "initialize" },
      encode(message),
    );
    if (answer.status !== 200) return await keep(answer, MAX_REFUSAL_BYTES);
    const reply = await readReply(answer, keyOf(idText)!, this.#reading());
    const result = textAt(reply, ["result"]);
    const fields = ["content-type", "application/json"];
    if (result === undefined) {
      return { status: 200, fields, kind: "json", bytes: encode(reply.text) };
    }
    const id = answer.sessionId === undefined ? undefined : detached(answer.sessionId);
    const settled = at(reply.value, "result", "protocolVersion");
    const spoken = typeof settled === "string" ? settled : revision;
    const told = await upstream.notify(
      this.#call(id, spoken),
      encode('{"jsonrpc":"2.0","method":"notifications/initialized"}'),
    );
    if (told.status >= 400) return await keep(told, MAX_REFUSAL_BYTES);
    told.body.discard();
    this.#id = id;
    this.#written = writtenId(id);
    this.#result = result;
    this.#revision = spoken;
    this.#generation++;
    this.#options.onReplaced();
    return undefined;
  }

  /** Sends something, and once more in a new session where the server has lost the old one: it cannot have run. */
  async #recovering(
    send: (sessionId: string | undefined) => Promise<UpstreamAnswer>,
    idText?: string,
  ): Promise<UpstreamAnswer> {
    await this.#renewing?.catch(() => {});
    const generation = this.#generation;
    const { gone, answer } = await this.#look(await send(this.#id), idText);
    if (!gone || !await this.#renew(generation)) return answer;
    answer.body.discard();
    return await send(this.#id);
  }

  /** Whether an answer says that the server does not know the session. */
  async #look(
    answer: UpstreamAnswer,
    idText?: string,
  ): Promise<{ gone: boolean; answer: UpstreamAnswer }> {
    if (this.#id === undefined || !mayBeLost(answer)) return { gone: false, answer };
    const { lost, answer: looked } = await lookInto(answer, idText);
    return { gone: lost, answer: looked };
  }

  /**
   * Makes the session anew, once for all who have found it lost; false where the server refuses.
   *
   * @throws {ProxyError} where the server could not be asked
   */
  async #renew(lost: number): Promise<boolean> {
    if (lost !== this.#generation) {
      await this.#renewing?.catch(() => {});
      return true;
    }
    if (this.#lost) return false;
    this.#renewing ??= this.#replace().finally(() => this.#renewing = undefined);
    return await this.#renewing;
  }

  async #replace(): Promise<boolean> {
    const before = this.#revision;
    const refusal = await this.#initialize();
    // Members go by what was settled when they joined.
    if (refusal !== undefined || this.#revision !== before) {
      this.#lost = true;
      this.#options.onLost();
      return false;
    }
    await this.#options.restore();
    return true;
  }
}

/** Whether the server itself has said 404: one that is not used any more may offer what the next one does. */
function isNotFound({ status, hasMoved }: UpstreamAnswer): boolean {
  return status === 404 && hasMoved === undefined;
}

function streamLost(): ProxyError {
  const sentence = "The upstream server holds this stream no longer; send the request again.";
  return new ProxyError("event_not_found", sentence);
}
