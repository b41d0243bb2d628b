/**
 * One request of a session-era client on its way through a modern server: sent, answered, and sent again with
 * the answers to what the server wants to know first.
 *
 * Source: 2026-07-28 basic/patterns/mrtr; basic/transports/streamable-http, "Client Behavior".
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import type { CancelSignal } from "../../http/mod.ts";
import {
  again,
  at,
  type Drops,
  type Exchange,
  isRecord,
  type Key,
  kindOf,
  mirroredValues,
  type RpcText,
  textAt,
} from "../../rpc/mod.ts";
import { delayBefore, pause } from "../../relay/mod.ts";
import type { UpstreamCall } from "../../upstream/mod.ts";
import type { ModernServer, Outcome } from "./modern_call.ts";
import type { Settings } from "./options.ts";
import { type Asker, type Questions, questionsIn, type Refused } from "./questions.ts";
import { modernFields, modernRequest, type Retry, type Speaker } from "./requests.ts";
import { isHeaderMismatch, legacyNotification, legacyResponse } from "./results.ts";
import type { Tools } from "./tools.ts";

/** What all requests of one session have in common. */
export interface ForwardingOptions {
  /** Settings and bounds. */
  readonly settings: Settings;
  /** The server. */
  readonly server: ModernServer;
  /** What is known of its tools. */
  readonly tools: Tools;
  /** The questions to the client. */
  readonly questions: Questions;
  /** What could not be delivered. */
  readonly drops: Drops;
  /** The revision of the client, and what it declared. */
  readonly client: Pick<Asker, "revision" | "capabilities">;
  /** What the client is now. */
  readonly speaker: () => Speaker;
  /** Told of the call of each request that the server has answered as such. */
  readonly onTaken: (call: UpstreamCall) => void;
  /** An id of the JSON type of another, which no request of the session has. */
  readonly newId: (idText: string) => string;
}

/** One request. */
export interface Forwarded {
  /** The request. */
  readonly message: RpcText;
  /** The key of its id. */
  readonly key: Key;
  /** The POST it came with. */
  readonly exchange: Exchange;
  /** The call of that. */
  readonly call: UpstreamCall;
  /** Aborted when nobody waits any more, or the client has cancelled it. */
  readonly signal: CancelSignal;
  /** Waited for before more is read of the server. */
  readonly mayRead: () => Promise<void> | undefined;
}

/** Rounds in a row in which the server asks nothing. */
interface Polling {
  /** When the request came. */
  readonly begunMs: number;
  readonly sinceMs: number;
  rounds: number;
}

/** Methods whose results may want input ("Supported Requests"). */
const MAY_ASK: ReadonlySet<unknown> = new Set(["tools/call", "prompts/get", "resources/read"]);

/** Waits between rounds in which the server asks nothing, each about twice as long as the one before. */
const POLLING = { attempts: Infinity, initialDelayMs: 250, maxDelayMs: 4_000 };

/**
 * How long a client waits, where there are such rounds, before its answer becomes a stream, which is kept alive:
 * at most, and of the time in which an answer has to begin.
 */
const SILENT_MS = 10_000;
const SILENT_SHARE = 0.5;

/** Sends requests on. */
export class Forwarding {
  readonly #options: ForwardingOptions;

  /** For one session. */
  constructor(options: ForwardingOptions) {
    this.#options = options;
  }

  /**
   * Sends a request, as often as the server wants input for it, and answers it.
   *
   * @throws {ProxyError} what kept the answer from coming; `client_closed` where the signal was aborted
   */
  async run(forwarded: Forwarded): Promise<void> {
    const { message, key, exchange } = forwarded;
    const { clock, limits: { maxRounds } } = this.#options.settings;
    let idText = textAt(message, ["id"])!;
    let retry: Retry | undefined;
    let questions = 0;
    let polling: Polling | undefined;
    const begunMs = clock.monotonicMs();
    for (;;) {
      const outcome = await this.#send(forwarded, idText, retry);
      if (outcome.refusal !== undefined) {
        if (exchange.pass(again(clock, outcome.refusal, exchange.idText(key)))) return;
        throw refusedWith(outcome.refusal.status);
      }
      const { response } = outcome;
      if (!wantsInput(response, message)) return this.#respond(forwarded, response);
      const asked = questionsIn(response);
      const requestState = textAt(response, ["result", "requestState"]);
      let inputResponses: string | undefined;
      if (asked.length === 0) {
        if (requestState === undefined) throw nothingWanted();
        polling ??= { begunMs, sinceMs: clock.monotonicMs(), rounds: 0 };
        await this.#poll(forwarded, polling);
      } else {
        polling = undefined;
        if (questions++ >= maxRounds) throw tooManyRounds(maxRounds);
        const { text, refused } = await this.#ask(forwarded, asked);
        if (refused !== undefined) {
          return exchange.respond(key, refusal(exchange.idText(key)!, refused));
        }
        inputResponses = text;
      }
      retry = { inputResponses, requestState };
      idText = this.#options.newId(idText);
    }
  }

  /** Sends it; once more where the server says that header fields are missing that a newer schema asks for. */
  async #send(forwarded: Forwarded, idText: string, retry?: Retry): Promise<Outcome> {
    const { tools, speaker, newId } = this.#options;
    const first = await this.#sendOnce(forwarded, idText, retry);
    const isTool = forwarded.message.value.method === "tools/call";
    if (!isTool || first.response === undefined || !isHeaderMismatch(first.response)) return first;
    await tools.refresh({ call: forwarded.call, speaker: speaker() });
    return await this.#sendOnce(forwarded, newId(idText), retry);
  }

  async #sendOnce(
    { message, exchange, call, signal, mayRead }: Forwarded,
    idText: string,
    retry: Retry | undefined,
  ): Promise<Outcome> {
    const { server, speaker, drops } = this.#options;
    const method = message.value.method as string;
    const params = message.value.params;
    const mirrored = method === "tools/call" ? await this.#mirrored(params, call) : [];
    if (signal.aborted) throw new ProxyError("client_closed", "The client has gone.");
    const outcome = await server.ask({
      call,
      fields: modernFields(call.headers, method, params, mirrored),
      text: modernRequest(message, idText, speaker(), retry),
      signal,
      mayRead,
      // Its client can come back to a stream; and what passes between keeps its connection.
      onStream: () => exchange.open(),
      onMessage: (told) => {
        // Requests of a server came with results, not beside them.
        if (kindOf(told) !== "notification") return drops.count("(request on a modern stream)");
        exchange.tell(legacyNotification(told));
      },
    });
    if (outcome.refusal === undefined) this.#options.onTaken(call);
    return outcome;
  }

  async #mirrored(params: unknown, call: UpstreamCall): Promise<[string, string][]> {
    const name = at(params, "name");
    if (typeof name !== "string") return [];
    const { tools, speaker } = this.#options;
    const found = await tools.paramsOf(name, { call, speaker: speaker() });
    return mirroredValues(found, at(params, "arguments"));
  }

  /** The text of the answers to what the server asks. */
  #ask({ exchange, signal }: Forwarded, asked: ReturnType<typeof questionsIn>) {
    const { questions, client } = this.#options;
    const asker = { ...client, signal, tell: (text: string) => exchange.tell(text) };
    return questions.ask(asked, asker);
  }

  /**
   * Waits before the next round where the server only wants to be asked again: it is not ready yet. Such rounds
   * are bounded by time and not by number, since nobody else can say how long they go on.
   *
   * @throws {ProxyError} `upstream_timeout` where they have gone on for too long
   */
  async #poll({ exchange, signal }: Forwarded, polling: Polling): Promise<void> {
    const { clock, pollingMs, firstMessageMs } = this.#options.settings;
    const nowMs = clock.monotonicMs();
    const goneMs = nowMs - polling.sinceMs;
    if (goneMs >= pollingMs) throw tooLong(pollingMs);
    const random = clock.randomBytes(1)[0]! / 256;
    const { initialDelayMs, maxDelayMs } = POLLING;
    const leastMs = Math.min(initialDelayMs * 2 ** polling.rounds / 2, maxDelayMs);
    const delayMs = delayBefore(polling.rounds, leastMs, random, POLLING);
    polling.rounds++;
    const silentMs = Math.min(SILENT_MS, firstMessageMs * SILENT_SHARE);
    if (nowMs - polling.begunMs + delayMs >= silentMs) exchange.open();
    await pause(clock, Math.min(delayMs, pollingMs - goneMs), signal);
  }

  #respond({ message, key, exchange, call }: Forwarded, response: RpcText): void {
    const { tools } = this.#options;
    const { method, params } = message.value;
    if (method === "tools/list") tools.learn(response, call);
    const text = legacyResponse(response, {
      method: method as string,
      idText: exchange.idText(key)!,
      params,
      onRejectedTool: (name, why) => tools.reject(name, why),
    });
    exchange.respond(key, text);
  }
}

/**
 * Whether a response wants input before it can be complete.
 *
 * @throws {ProxyError} `upstream_protocol` for a kind of result that nobody can have asked for
 */
function wantsInput({ value }: RpcText, { value: { method } }: RpcText): boolean {
  if (!isRecord(value.result)) return false;
  const { resultType } = value.result;
  // Servers of earlier revisions leave it out ("Result" of the schema).
  if (resultType === undefined || resultType === "complete") return false;
  if (resultType === "input_required" && MAY_ASK.has(method)) return true;
  const sentence =
    "The upstream server answered with a kind of result that this request cannot have in 2026-07-28.";
  throw new ProxyError("upstream_protocol", sentence);
}

/** What a client is told whose answer to a question was an error: the server has nobody to tell ("Error Handling"). */
function refusal(idText: string, { method, code, message }: Refused): string {
  const told = JSON.stringify(
    `The client answered ${method}, which this request needs, with an error: ${message}`,
  );
  return `{"jsonrpc":"2.0","id":${idText},"error":{"code":${code},"message":${told}}}`;
}

function refusedWith(status: number): ProxyError {
  const sentence =
    `The upstream server refused to go on with this request, with HTTP status ${status}.`;
  return new ProxyError("upstream_status", sentence);
}

function tooManyRounds(maxRounds: number): ProxyError {
  const sentence = `The upstream server wants input for the ${
    maxRounds + 1
  }th time, and ${maxRounds} times is the limit here.`;
  return new ProxyError("upstream_protocol", sentence);
}

function tooLong(pollingMs: number): ProxyError {
  const sentence = `The upstream server has wanted to be asked again for ${
    Math.round(pollingMs / 1_000)
  } seconds, which is the limit here.`;
  return new ProxyError("upstream_timeout", sentence);
}

function nothingWanted(): ProxyError {
  const sentence = "The upstream server wants input and does not say which.";
  return new ProxyError("upstream_protocol", sentence);
}
