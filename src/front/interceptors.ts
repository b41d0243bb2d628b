/**
 * The interceptors of one route at work: what a request, its answer and its stream have to do with them.
 *
 * @module
 */

import type { Era } from "../era/mod.ts";
import { errorBody, ProxyError, toProxyError } from "../errors.ts";
import { type FieldReader, Fields, NEVER_ABORTED } from "../http/mod.ts";
import type { InterceptContext, JsonRpcMessage, Pipeline } from "../intercept/mod.ts";
import type { Inspect, Outgoing } from "../relay/mod.ts";
import { decode } from "../rpc/mod.ts";
import { encodeEvents, EVENT_STREAM, type SseEvent } from "../sse/mod.ts";
import type { Logger } from "../telemetry/mod.ts";
import type { Upstream, UpstreamCall } from "../upstream/mod.ts";
import {
  type Inbound,
  interceptBody,
  interceptEvent,
  interceptJson,
  messageBytes,
  type ParamsOf,
} from "./interception.ts";
import type { ListedTools } from "./listed_tools.ts";

/** What the interceptors of a route work with. */
export interface InterceptorsOptions {
  /** The route's name. */
  readonly route: string;
  /** They themselves. */
  readonly pipeline: Pipeline;
  /** The server, for what they answer in the client's place. */
  readonly upstream: Upstream;
  /** Where they log, and where their failures are told. */
  readonly logger: Logger;
  /** The largest JSON answer that is looked into, in bytes. */
  readonly maxBytes: number;
  /** Learns which arguments of tools are mirrored into header fields, which a changed body changes too. */
  readonly tools: ListedTools;
}

/** What is known of a request when they see it. */
export interface Subject {
  /** The name of the caller. */
  readonly principal: string;
  /** The era of the request. */
  readonly era: Era;
  /** The revision, where it is known. */
  readonly revision: string | undefined;
  /** The client's session id, if any. */
  readonly sessionId: string | undefined;
  /** The method of the one request that is answered. */
  readonly method: string | undefined;
  /** The exact text of its id. */
  readonly idText: string | undefined;
}

/** A JSON answer as the client gets it. */
export interface Rewritten {
  /** The bytes. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** The Content-Type where it is not JSON any more. */
  readonly contentType?: string;
}

/** Characters of a session id that an interceptor is shown: enough to tell sessions apart, no credential. */
const SHOWN_CHARACTERS = 12;

/** The interceptors of one route, for one request. */
export class RequestInterceptors {
  readonly #options: InterceptorsOptions;
  readonly #context: InterceptContext;
  readonly #idText: string | undefined;
  /** Whether the answer is a list of tools that changed calls will have to be held against. */
  readonly #isToolList: boolean;
  /** Answers that were given here to some of a batch, until they are sent. */
  #answers: readonly JsonRpcMessage[] = [];

  /** Those of a route, for one request. */
  constructor(options: InterceptorsOptions, subject: Subject) {
    const { route, logger } = options;
    const { principal, era, revision, sessionId, method, idText } = subject;
    this.#options = options;
    this.#idText = idText;
    this.#isToolList = era === "modern" && method === "tools/list" && options.pipeline.seesClient;
    this.#context = {
      route,
      era: era === "modern" ? "modern" : "session",
      revision,
      sessionId: sessionId?.slice(0, SHOWN_CHARACTERS),
      method,
      principal,
      signal: NEVER_ABORTED,
      log: (fields) => logger.info("interceptor", { route, ...fields }),
    };
  }

  /** The largest JSON answer that is looked into, in bytes; undefined where none is. */
  get maxBytes(): number | undefined {
    return this.#options.pipeline.seesServer || this.#answers.length > 0 || this.#isToolList
      ? this.#options.maxBytes
      : undefined;
  }

  /** The client's messages on their way; undefined where nobody looks at them. */
  async inbound(body: Uint8Array, headers: FieldReader): Promise<Inbound | undefined> {
    const { pipeline, tools } = this.#options;
    if (!pipeline.seesClient) return undefined;
    const paramsOf: ParamsOf = (name) => tools.paramsOf(this.#context.principal, name);
    const inbound = await interceptBody(pipeline, body, headers, this.#context, paramsOf);
    this.#answers = inbound.answers;
    return inbound;
  }

  /** A JSON answer on its way; undefined where it passes as it came. */
  async json(body: Uint8Array, call: UpstreamCall): Promise<Rewritten | undefined> {
    const { pipeline } = this.#options;
    this.#learn(body);
    const outbound = await interceptJson(pipeline, body, this.#context);
    if (outbound === undefined) return undefined;
    this.#reply(outbound.replies, call);
    const { batch, changed } = outbound;
    const messages = [...outbound.messages, ...(batch ? this.#takeAnswers() : [])];
    if (!changed && messages.length === outbound.messages.length) return undefined;
    if (batch || messages.length === 1) return { body: messageBytes(messages, batch) };
    // JSON holds one message: what has become several is a stream, which every client has to take.
    const events = messages.map((message): Outgoing => ({
      event: "message",
      data: messageBytes([message], false),
    }));
    return { body: encodeEvents(events), contentType: EVENT_STREAM };
  }

  /** What becomes of the events of a stream; undefined where they pass as they came. */
  inspect(call: UpstreamCall): Inspect | undefined {
    const { pipeline } = this.#options;
    const looks = pipeline.seesServer || pipeline.seesEvents || this.#answers.length > 0 ||
      this.#isToolList;
    if (!looks) return undefined;
    return (event) => this.#inspect(event, call);
  }

  /** Events ahead of all others of a stream: the answers to some of a batch. */
  first(): readonly Outgoing[] {
    return this.#takeAnswers().map((message): Outgoing => ({
      event: "message",
      data: messageBytes([message], false),
    }));
  }

  #inspect(
    event: SseEvent,
    call: UpstreamCall,
  ): readonly Outgoing[] | Promise<readonly Outgoing[]> {
    try {
      if (event.data !== undefined) this.#learn(event.data);
      const passing = interceptEvent(this.#options.pipeline, event, this.#context);
      if (!(passing instanceof Promise)) {
        if (passing.replies.length > 0) this.#reply(passing.replies, call);
        return passing.events;
      }
      return passing.then(({ events, replies }) => {
        this.#reply(replies, call);
        return events;
      }).catch((error) => this.#unreadable(error));
    } catch (error) {
      return this.#unreadable(error);
    }
  }

  /** As the server says it, since that is who reads the fields of a call. */
  #learn(message: Uint8Array): void {
    if (this.#isToolList) this.#options.tools.learn(this.#context.principal, decode(message));
  }

  /** In the place of a message that cannot be looked into: it does not pass unseen. */
  #unreadable(thrown: unknown): readonly Outgoing[] {
    const error = toProxyError(thrown);
    this.#options.logger.warn("a message was held back", { route: this.#options.route, error });
    if (this.#idText === undefined) return [];
    return [{ event: "message", data: errorBody(error.withId(this.#idText)) }];
  }

  #takeAnswers(): readonly JsonRpcMessage[] {
    const answers = this.#answers;
    this.#answers = [];
    return answers;
  }

  /** Answers the server; a failure to do so is told in the log. */
  #reply(replies: readonly JsonRpcMessage[], call: UpstreamCall): void {
    const { upstream, logger, route } = this.#options;
    for (const reply of replies) {
      const headers = replyFields(call.headers);
      upstream.notify(
        { ...call, headers, signal: NEVER_ABORTED, lastEventId: null },
        messageBytes([reply], false),
      ).then(({ body }) => body.discard()).catch((error) =>
        logger.warn("an interceptor's answer to the server was lost", { route, error })
      );
    }
  }
}

/** The answer to requests that went no further. */
export function answeredHere(inbound: Inbound, batch: boolean): Uint8Array<ArrayBuffer> {
  return messageBytes(inbound.answers, batch);
}

/** An answer too large to be looked into. */
export function tooLargeToInspect(maxBytes: number): ProxyError {
  const sentence = `The upstream server's answer is larger than the ${maxBytes} bytes that ` +
    "interceptors may look into here.";
  return new ProxyError("upstream_protocol", sentence);
}

/** The client's fields for a POST of the proxy's own. */
function replyFields(headers: FieldReader): Fields {
  const list: string[] = [];
  headers.forEach((value, name) => {
    if (name !== "content-type" && name !== "last-event-id") list.push(name, value);
  });
  return new Fields([...list, "content-type", "application/json"]);
}
