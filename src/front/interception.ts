/**
 * The interceptors of one route, where messages pass: bodies of requests, JSON answers, and events.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import type { FieldReader } from "../http/mod.ts";
import {
  type InterceptContext,
  type JsonRpcMessage,
  parseMessages,
  type Pipeline,
  type ServerOutcome,
  stringifyMessage,
} from "../intercept/mod.ts";
import { at, type HeaderParam } from "../rpc/mod.ts";
import type { OutEvent, SseEvent } from "../sse/mod.ts";
import { mirrored } from "./mirrored_fields.ts";

/** What a client sent, as it goes on. */
export interface Inbound {
  /** The body for the upstream; null where nothing is left to send. */
  readonly body: Uint8Array | null;
  /** Header fields in the place of the client's: those that mirror what was changed. */
  readonly headers: FieldReader;
  /** The requests that were answered here. */
  readonly answers: readonly JsonRpcMessage[];
}

/** What a server sent, as it goes on. */
export interface Outbound {
  /** What the client gets. */
  readonly messages: readonly JsonRpcMessage[];
  /** Whether it was an array. */
  readonly batch: boolean;
  /** Whether that is anything but what came. */
  readonly changed: boolean;
  /** What the server gets back. */
  readonly replies: readonly JsonRpcMessage[];
}

/** An event of the server, as it goes on. */
export interface OutboundEvent {
  /** What the client gets. */
  readonly events: readonly OutEvent[];
  /** What the server gets back. */
  readonly replies: readonly JsonRpcMessage[];
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** JSON-RPC messages as bytes. */
export function messageBytes(
  messages: readonly JsonRpcMessage[],
  batch: boolean,
): Uint8Array<ArrayBuffer> {
  const texts = messages.map(stringifyMessage);
  return encoder.encode(batch ? `[${texts.join(",")}]` : texts.join(""));
}

/** What is mirrored into header fields of the tool with a name, where that is known. */
export type ParamsOf = (tool: unknown) => readonly HeaderParam[] | undefined;

/** Has the client's messages pass the interceptors; whoever answers some of them is heard at once. */
export async function interceptBody(
  pipeline: Pipeline,
  body: Uint8Array,
  headers: FieldReader,
  context: InterceptContext,
  paramsOf: ParamsOf,
): Promise<Inbound> {
  const { batch, messages } = parseMessages(decoder.decode(body));
  const sent: JsonRpcMessage[] = [];
  const answers: JsonRpcMessage[] = [];
  let changed = false;
  for (const message of messages) {
    const passing = pipeline.clientMessage(message, context);
    const outcome = passing instanceof Promise ? await passing : passing;
    if (outcome.kind === "send") sent.push(outcome.message);
    if (outcome.kind === "answer") answers.push(outcome.message);
    changed ||= outcome.kind !== "send" || outcome.changed;
  }
  if (!changed) return { body, headers, answers };
  if (sent.length === 0) return { body: null, headers, answers };
  const isModern = context.era === "modern" && !batch;
  return {
    body: messageBytes(sent, batch),
    headers: isModern
      ? mirrored(headers, messages[0]!, sent[0]!, calledParams(sent[0]!, paramsOf))
      : headers,
    answers,
  };
}

function calledParams({ method, params }: JsonRpcMessage, paramsOf: ParamsOf) {
  return method === "tools/call" ? paramsOf(at(params, "name")) : undefined;
}

/**
 * Has the messages of a JSON answer pass the interceptors.
 *
 * @returns undefined where the text is no JSON-RPC: then there is no message to look at
 * @throws {ProxyError} `upstream_protocol` where it cannot be looked into
 */
export async function interceptJson(
  pipeline: Pipeline,
  body: Uint8Array,
  context: InterceptContext,
): Promise<Outbound | undefined> {
  const parsed = parsedOrNone(decoder.decode(body));
  if (parsed === undefined) return undefined;
  return await interceptAll(pipeline, parsed, context);
}

/** Has an event, and the messages in it, pass the interceptors; at once where they are. */
export function interceptEvent(
  pipeline: Pipeline,
  event: SseEvent,
  context: InterceptContext,
): OutboundEvent | Promise<OutboundEvent> {
  if (event.data === undefined || event.data.length === 0) return unchanged(event);
  if (pipeline.seesEvents) return interceptView(pipeline, event, context);
  const parsed = parsedOrNone(decoder.decode(event.data));
  // R47: what is no JSON-RPC passes as it is.
  if (parsed === undefined) return unchanged(event);
  if (parsed.batch) return interceptView(pipeline, event, context);
  const finish = ({ messages, changed, reply }: ServerOutcome): OutboundEvent => {
    if (!changed) return unchanged(event);
    const events = messages.map((message): OutEvent => ({
      event: event.event,
      data: stringifyMessage(message),
    }));
    return { events: inPlaceOf(event, events), replies: reply === undefined ? [] : [reply] };
  };
  const passing = pipeline.serverMessage(parsed.messages[0]!, context);
  return passing instanceof Promise ? passing.then(finish) : finish(passing);
}

function unchanged(event: SseEvent): OutboundEvent {
  return { events: [event], replies: [] };
}

/** The events that stand for one that came: with what else it said, and its id on the last one. */
function inPlaceOf({ id, comments, retry }: SseEvent, events: readonly OutEvent[]): OutEvent[] {
  const said: OutEvent[] = comments.length > 0 || retry !== undefined ? [{ comments, retry }] : [];
  if (id === undefined) return [...said, ...events];
  if (events.length === 0) return [...said, { id }];
  return [...said, ...events.with(-1, { ...events.at(-1), id })];
}

async function interceptView(
  pipeline: Pipeline,
  event: SseEvent,
  context: InterceptContext,
): Promise<OutboundEvent> {
  const views = await viewsOf(pipeline, event, context);
  const events: OutEvent[] = [];
  const replies = [...views.replies];
  for (const view of views.events) {
    const passed = await interceptData(pipeline, view.data, context);
    replies.push(...passed.replies);
    for (const data of passed.texts) events.push({ event: view.event, data });
  }
  const isSame = !views.changed && events.length === 1 && events[0]!.data === views.text;
  return { events: isSame ? [event] : inPlaceOf(event, events), replies };
}

async function viewsOf(pipeline: Pipeline, event: SseEvent, context: InterceptContext) {
  const text = decoder.decode(event.data);
  const view = {
    ...(event.id === undefined ? {} : { id: event.id }),
    ...(event.event === undefined ? {} : { event: event.event }),
    data: text,
  };
  if (!pipeline.seesEvents) return { events: [view], replies: [], changed: false, text };
  return { ...await pipeline.event(view, context), text };
}

async function interceptData(
  pipeline: Pipeline,
  text: string,
  context: InterceptContext,
): Promise<{ texts: readonly string[]; replies: readonly JsonRpcMessage[] }> {
  if (!pipeline.seesServer) return { texts: [text], replies: [] };
  const parsed = parsedOrNone(text);
  // R47: what is no JSON-RPC passes as it is.
  if (parsed === undefined) return { texts: [text], replies: [] };
  const { messages, batch, changed, replies } = await interceptAll(pipeline, parsed, context);
  if (!changed) return { texts: [text], replies };
  if (!batch) return { texts: messages.map(stringifyMessage), replies };
  const texts = messages.length === 0 ? [] : [`[${messages.map(stringifyMessage).join(",")}]`];
  return { texts, replies };
}

/** Whether a text is JSON with an object where a message would be. */
function mayHoldMessages(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = (one: unknown) => typeof one === "object" && one !== null;
    return Array.isArray(value) ? value.some(isObject) : isObject(value);
  } catch {
    return false;
  }
}

type Parsed = ReturnType<typeof parseMessages>;

async function interceptAll(
  pipeline: Pipeline,
  { batch, messages }: Parsed,
  context: InterceptContext,
): Promise<Outbound> {
  const out: JsonRpcMessage[] = [];
  const replies: JsonRpcMessage[] = [];
  let changed = false;
  for (const message of messages) {
    const passing = pipeline.serverMessage(message, context);
    const outcome = passing instanceof Promise ? await passing : passing;
    out.push(...outcome.messages);
    changed ||= outcome.changed;
    if (outcome.reply !== undefined) replies.push(outcome.reply);
  }
  return { messages: out, batch, changed, replies };
}

/**
 * The messages in a text; undefined where it is no JSON-RPC.
 *
 * @throws {ProxyError} `upstream_protocol` where it is JSON that interceptors cannot look into
 */
function parsedOrNone(text: string): Parsed | undefined {
  try {
    return parseMessages(text);
  } catch (cause) {
    if (!mayHoldMessages(text)) return undefined;
    const sentence = "The upstream server sent a message that interceptors cannot look into.";
    throw new ProxyError("upstream_protocol", sentence, { cause });
  }
}
