/**
 * Interceptors composed by a fold: messages of the client pass them in the configured order, those
 * of the server, and events, the other way round.
 *
 * What an interceptor answers goes straight back; the other interceptors do not see it.
 *
 * @module
 */

import { ProxyError } from "../errors.ts";
import { parseMessages, stringifyMessage } from "./codec.ts";
import { guarded, type GuardOptions, type PipelineEntry, type Soon, whenThere } from "./guard.ts";
import { hasId, jsonOf, kindOf, responseTo, RubbishError } from "./message.ts";
import type { EventView, InterceptContext, JsonRpcMessage } from "./types.ts";
import {
  MAX_EXPANSION,
  type Move,
  readClientVerdict,
  readEventVerdict,
  readServerVerdict,
  type VerdictReader,
} from "./verdict.ts";

/** What becomes of a message of the client. */
export type ClientOutcome =
  | { readonly kind: "send"; readonly message: JsonRpcMessage; readonly changed: boolean }
  | { readonly kind: "answer"; readonly message: JsonRpcMessage }
  | { readonly kind: "drop" };

/** What becomes of a message of the server. */
export interface ServerOutcome {
  /** What the client gets, in this order. */
  readonly messages: readonly JsonRpcMessage[];
  /** Whether that is anything but the message that came. */
  readonly changed: boolean;
  /** What the server gets back, where it asked something that does not go to the client. */
  readonly reply?: JsonRpcMessage;
}

/** What becomes of an event. */
export interface EventOutcome {
  /** What the client gets, in this order; the id of the event that came is on the last one. */
  readonly events: readonly EventView[];
  /** Whether that is anything but the event that came. */
  readonly changed: boolean;
  /** What the server gets back, where the event asked something and does not go to the client. */
  readonly replies: readonly JsonRpcMessage[];
}

/** The interceptors of one route. Nothing here throws or rejects. */
export interface Pipeline {
  /** Whether any interceptor looks at messages of the client. */
  readonly seesClient: boolean;
  /** Whether any interceptor looks at messages of the server. */
  readonly seesServer: boolean;
  /** Whether any interceptor looks at events. */
  readonly seesEvents: boolean;
  /** Passes on a message of the client; the same object comes back where nobody changed it. */
  clientMessage(message: JsonRpcMessage, context: InterceptContext): Soon<ClientOutcome>;
  /** Passes on a message of the server. */
  serverMessage(message: JsonRpcMessage, context: InterceptContext): Soon<ServerOutcome>;
  /** Passes on an event, which is frozen by it. */
  event(view: EventView, context: InterceptContext): Soon<EventOutcome>;
  /** Tells every interceptor that the proxy stops. */
  close(): Promise<void>;
}

/** One message or event on its way. */
interface Passage {
  readonly context: InterceptContext;
  /** How many have been made of the one that came. */
  made: number;
}

/** What a step hands back: what goes on to the client, and what goes back to the server. */
interface Passed<T> {
  readonly out: readonly T[];
  readonly back: readonly JsonRpcMessage[];
}

type ClientStep = (message: JsonRpcMessage, context: InterceptContext) => Soon<ClientOutcome>;
type Step<T> = (item: T, passage: Passage) => Soon<Passed<T>>;

/** What stands in the place of an item that does not go on, because of `error`. */
type InPlaceOf<T> = (item: T, error: ProxyError) => Passed<T>;

/** Composes interceptors, in the configured order. */
export function createPipeline(
  entries: readonly PipelineEntry[],
  options: GuardOptions,
): Pipeline {
  const backwards = entries.toReversed();
  const seen = <K extends "clientMessage" | "serverMessage" | "event">(hook: K) =>
    entries.some(({ interceptor }) => interceptor[hook] !== undefined);
  const client = entries.reduceRight<ClientStep>(
    (next, entry) => clientStep(options, entry, next),
    (message) => ({ kind: "send", message, changed: false }),
  );
  const server = fold<JsonRpcMessage>(backwards, (entry, next) => serverStep(options, entry, next));
  const event = fold<EventView>(backwards, (entry, next) => eventStep(options, entry, next));
  return {
    seesClient: seen("clientMessage"),
    seesServer: seen("serverMessage"),
    seesEvents: seen("event"),
    clientMessage(message, context) {
      const frozen = frozenMessage(message);
      return whenThere(client(frozen, context), (outcome) => {
        if (outcome.kind !== "send") return outcome;
        if (outcome.message === frozen) return { kind: "send", message, changed: false };
        return { ...outcome, changed: true };
      });
    },
    serverMessage(message, context) {
      const frozen = frozenMessage(message);
      return whenThere(server(frozen, { context, made: 1 }), ({ out, back }) => {
        if (out.length === 1 && out[0] === frozen) return { messages: [message], changed: false };
        const reply = back[0];
        return { messages: out, changed: true, ...(reply === undefined ? {} : { reply }) };
      });
    },
    event(view, context) {
      const frozen = Object.freeze(view);
      return whenThere(event(frozen, { context, made: 1 }), ({ out, back }) => ({
        events: out,
        changed: out.length !== 1 || out[0] !== frozen,
        replies: back,
      }));
    },
    close: () => closeAll(options, entries),
  };
}

/** `parseMessages` freezes what it makes; anything else is copied. */
function frozenMessage(message: JsonRpcMessage): JsonRpcMessage {
  return Object.isFrozen(message) ? message : jsonOf(message) as JsonRpcMessage;
}

function fold<T>(
  entries: readonly PipelineEntry[],
  step: (entry: PipelineEntry, next: Step<T>) => Step<T>,
): Step<T> {
  return entries.reduceRight<Step<T>>(
    (next, entry) => step(entry, next),
    (item) => ({ out: [item], back: [] }),
  );
}

function clientStep(options: GuardOptions, entry: PipelineEntry, next: ClientStep): ClientStep {
  const { interceptor, onError } = entry;
  if (interceptor.clientMessage === undefined) return next;
  return (message, context) =>
    whenThere(
      guarded(
        options,
        entry,
        "clientMessage",
        () => interceptor.clientMessage!(message, context),
        (verdict) => readClientVerdict(verdict, message),
      ),
      (move): Soon<ClientOutcome> => {
        switch (move.kind) {
          case "replace":
            return next(move.by, context);
          case "answer":
            return { kind: "answer", message: move.response };
          case "drop":
            return withheld(message, dropped(options, entry, "clientMessage", move.why), false);
          case "failed":
            return onError === "pass"
              ? next(message, context)
              : withheld(message, move.error, true);
          default:
            return next(message, context);
        }
      },
    );
}

/**
 * What becomes of a message of the client that does not go on: a request gets an error, and where an
 * interceptor failed on a response the server gets an error in its place rather than wait for ever.
 */
function withheld(message: JsonRpcMessage, error: ProxyError, isFailure: boolean): ClientOutcome {
  const kind = kindOf(message);
  if (kind === "request") return { kind: "answer", message: errorResponse(message, error) };
  if (kind === "response" && isFailure && hasId(message)) {
    return { kind: "send", message: errorResponse(message, error), changed: true };
  }
  return { kind: "drop" };
}

function serverStep(
  options: GuardOptions,
  entry: PipelineEntry,
  next: Step<JsonRpcMessage>,
): Step<JsonRpcMessage> {
  const hook = entry.interceptor.serverMessage?.bind(entry.interceptor);
  if (hook === undefined) return next;
  return step(options, entry, next, "serverMessage", hook, readServerVerdict, messageInPlace);
}

function eventStep(
  options: GuardOptions,
  entry: PipelineEntry,
  next: Step<EventView>,
): Step<EventView> {
  const hook = entry.interceptor.event?.bind(entry.interceptor);
  if (hook === undefined) return next;
  return step(options, entry, next, "event", hook, readEventVerdict, eventInPlace);
}

function step<T>(
  options: GuardOptions,
  entry: PipelineEntry,
  next: Step<T>,
  hookName: string,
  hook: (item: T, context: InterceptContext) => unknown,
  read: VerdictReader<T>,
  inPlace: InPlaceOf<T>,
): Step<T> {
  const { onError } = entry;
  return (item, passage) =>
    whenThere(
      guarded(
        options,
        entry,
        hookName,
        () => hook(item, passage.context),
        (verdict) => counted(read(verdict, item), passage),
      ),
      (move): Soon<Passed<T>> => {
        switch (move.kind) {
          case "replace":
            return next(move.by, passage);
          case "expand":
            return passEach(move.into, passage, next);
          case "answer":
            return { out: [], back: [move.response] };
          case "drop":
            return inPlace(item, dropped(options, entry, hookName, move.why));
          case "failed":
            return onError === "pass" ? next(item, passage) : inPlace(item, move.error);
          default:
            return next(item, passage);
        }
      },
    );
}

/** Holds what all interceptors together make of one message to the limit. */
function counted<T>(move: Move<T>, passage: Passage): Move<T> {
  if (move.kind !== "expand") return move;
  const made = passage.made + Math.max(0, move.into.length - 1);
  if (made > MAX_EXPANSION) {
    throw new RubbishError(
      `expanded into ${move.into.length}; at most ${MAX_EXPANSION} may come of one in all`,
    );
  }
  passage.made = made;
  return move;
}

/** Passes one after the other, so that they keep their order and each sees what the one before did. */
function passEach<T>(items: readonly T[], passage: Passage, next: Step<T>): Soon<Passed<T>> {
  const out: T[] = [];
  const back: JsonRpcMessage[] = [];
  const from = (start: number): Soon<Passed<T>> => {
    for (let at = start; at < items.length; at++) {
      const passed = next(items[at]!, passage);
      if (passed instanceof Promise) {
        return passed.then((later) => {
          add(later);
          return from(at + 1);
        });
      }
      add(passed);
    }
    return { out, back };
  };
  const add = (passed: Passed<T>) => {
    out.push(...passed.out);
    back.push(...passed.back);
  };
  return from(0);
}

/** An id must always be answered: an error for the client that waits, or for the server that asked. */
function messageInPlace(message: JsonRpcMessage, error: ProxyError): Passed<JsonRpcMessage> {
  const kind = kindOf(message);
  if (kind === "notification" || !hasId(message)) return { out: [], back: [] };
  const response = errorResponse(message, error);
  return kind === "response" ? { out: [response], back: [] } : { out: [], back: [response] };
}

/** The same for the messages in an event, where its data holds any. */
function eventInPlace(view: EventView, error: ProxyError): Passed<EventView> {
  const passed = messagesOf(view).map((message) => messageInPlace(message, error));
  const responses = passed.flatMap(({ out }) => out);
  const type = view.event === undefined ? {} : { event: view.event };
  return {
    out: responses.map((response, at) => ({
      ...(view.id !== undefined && at === responses.length - 1 ? { id: view.id } : {}),
      ...type,
      data: stringifyMessage(response),
    })),
    back: passed.flatMap(({ back }) => back),
  };
}

function messagesOf(view: EventView): readonly JsonRpcMessage[] {
  try {
    return parseMessages(view.data).messages;
  } catch {
    // R47: not JSON-RPC, so nobody waits for it.
    return [];
  }
}

function dropped(
  { log }: GuardOptions,
  { interceptor: { name } }: PipelineEntry,
  hook: string,
  why: string,
): ProxyError {
  // Why is for whoever waits: a user's module may quote the message in it (R96).
  log.debug("interceptor dropped a message", { interceptor: name, hook });
  return new ProxyError("message_dropped", `The interceptor ${name} dropped this message: ${why}`);
}

function errorResponse(message: JsonRpcMessage, { code, message: text }: ProxyError) {
  return responseTo(message, { error: { code, message: text } });
}

async function closeAll(options: GuardOptions, entries: readonly PipelineEntry[]): Promise<void> {
  await Promise.all(entries.map((entry) => {
    const { interceptor } = entry;
    if (interceptor.close === undefined) return;
    return guarded(options, entry, "close", () => interceptor.close!(), () => undefined);
  }));
}
