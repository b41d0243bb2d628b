/**
 * The session that the client on stdio has with the handler, without knowing of it.
 *
 * Source: 2025-11-25 basic/transports, "Session Management": a session that is not known any more (404) is
 * made anew with `initialize`.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import type { Bytes, ClientAnswer } from "../http/mod.ts";
import type { Message } from "../json/mod.ts";
import { at, changingLists, missedChanges, readBody, type RpcText } from "../rpc/mod.ts";
import { discard, messagesOf } from "./answer_reader.ts";
import type { Caller, FieldList } from "./caller.ts";

/** What the client has set, and is set again in a session made anew; beyond it the first one set goes. */
const MAX_KEPT = 1_000;
/** What the key of a kept subscription begins with. */
const URI_KEY = "uri ";
/** A longer message of that kind is not kept, in bytes. */
const MAX_KEPT_BYTES = 16_384;

const ENCODED_INITIALIZED = new TextEncoder().encode(
  '{"jsonrpc":"2.0","method":"notifications/initialized"}',
);

/** What a session works with. */
export interface ClientSessionOptions {
  /** Makes requests. */
  readonly caller: Caller;
  /** The largest message, in bytes. */
  readonly maxMessageBytes: number;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  /** Told when a session was made anew. */
  readonly onRenewed: () => void;
}

/** The one session of a client, from before its `initialize`. */
export class ClientSession {
  readonly #options: ClientSessionOptions;
  #id: string | undefined;
  #revision: string | undefined;
  #initialize: Bytes | undefined;
  /** Lists whose changes the server tells. */
  #lists: readonly string[] = [];
  #generation = 0;
  #renewing: Promise<void> | undefined;
  /** What the client has set, by what it is about. */
  readonly #kept = new Map<string, Bytes>();

  /** No session yet. */
  constructor(options: ClientSessionOptions) {
    this.#options = options;
  }

  /** Whether there is a session with an id, which can be lost. */
  get hasId(): boolean {
    return this.#id !== undefined;
  }

  /** Whether the client has begun one, with an id or, at a server that gives none, without. */
  get isOpen(): boolean {
    return this.#initialize !== undefined;
  }

  /** Counts the sessions: another one is in use once this has changed. */
  get generation(): number {
    return this.#generation;
  }

  /** The fields that name it. */
  get fields(): FieldList {
    const named = this.#id === undefined ? [] : ["mcp-session-id", this.#id];
    return this.#revision === undefined
      ? named
      : [...named, "mcp-protocol-version", this.#revision];
  }

  /** What the client is to be told where it is not known what the server has said meanwhile. */
  get missed(): readonly RpcText[] {
    const keys = [...this.#kept.keys()].filter((key) => key.startsWith(URI_KEY));
    return missedChanges(this.#lists, keys.map((key) => key.slice(URI_KEY.length)));
  }

  /** Takes the session that an `initialize` of the client has opened; what it had before is given up. */
  opened(initialize: Bytes, answer: ClientAnswer): void {
    const before = this.fields;
    const hadId = this.hasId;
    this.#initialize = initialize;
    this.#id = answer.fields.get("mcp-session-id") ?? undefined;
    this.#revision = undefined;
    this.#kept.clear();
    this.#generation++;
    if (hadId) this.#end(before).catch(() => {});
  }

  /** Learns from a message that was answered with a result. */
  learn({ method, params }: Message, sent: Bytes, result: unknown): void {
    const uri = String(at(params, "uri"));
    if (method === "initialize") {
      this.#revision = revisionIn(result);
      this.#lists = changingLists(at(result, "capabilities"));
    } else if (method === "logging/setLevel") this.#keep("level", sent);
    else if (method === "resources/subscribe") this.#keep(URI_KEY + uri, sent);
    else if (method === "resources/unsubscribe") this.#kept.delete(URI_KEY + uri);
  }

  /**
   * Makes a session anew in which a request was answered with 404, once for all who ask at a time.
   *
   * @param generation that of the session that was lost
   * @throws {ProxyError} `session_not_found` where there is none like it any more, or what went wrong
   */
  renew(generation: number): Promise<void> {
    if (generation !== this.#generation) return Promise.resolve();
    return this.#renewing ??= this.#renew().finally(() => this.#renewing = undefined);
  }

  /** Ends it. */
  async end(): Promise<void> {
    if (this.hasId) await this.#end(this.fields);
  }

  async #end(fields: FieldList): Promise<void> {
    // Also when the client has gone, or just then.
    discard(await this.#options.caller.delete(fields, new AbortController().signal));
  }

  async #renew(): Promise<void> {
    const { caller, signal, maxMessageBytes, onRenewed } = this.#options;
    if (this.#initialize === undefined) throw notRenewed();
    const answer = await caller.post(this.#initialize, [], signal);
    let result: unknown;
    const place = { lastEventId: undefined, retryMs: undefined };
    for await (const text of messagesOf(answer, place, maxMessageBytes)) {
      const [message] = readBody(text)?.messages ?? [];
      if (message === undefined || typeof message.value.method === "string") continue;
      result = message.value.result;
      break;
    }
    const revision = revisionIn(result);
    if (answer.status !== 200 || revision === undefined || revision !== this.#revision) {
      throw notRenewed();
    }
    this.#id = answer.fields.get("mcp-session-id") ?? undefined;
    this.#lists = changingLists(at(result, "capabilities"));
    this.#generation++;
    discard(await caller.post(ENCODED_INITIALIZED, this.fields, signal));
    for (const sent of this.#kept.values()) {
      const again = await caller.post(sent, this.fields, signal);
      for await (const _ of messagesOf(again, { ...place }, maxMessageBytes));
    }
    onRenewed();
  }

  #keep(key: string, sent: Bytes): void {
    this.#kept.delete(key);
    if (sent.length > MAX_KEPT_BYTES) return;
    this.#kept.set(key, sent);
    if (this.#kept.size > MAX_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
  }
}

function revisionIn(result: unknown): string | undefined {
  const revision = at(result, "protocolVersion");
  return typeof revision === "string" ? revision : undefined;
}

function notRenewed(): ProxyError {
  const sentence =
    "The session was lost, and the server did not begin another one like it; restart the client.";
  return new ProxyError("session_not_found", sentence);
}

/** Whether an answer says that the session is not known; its text is left to be read. */
export function saysLost({ status }: ClientAnswer, session: ClientSession): boolean {
  return status === 404 && session.hasId;
}
