/**
 * What the messages of a session mean for what is kept of it: the revision it settled on, the lists whose
 * changes the server tells, and what has to be said anew to a server that has forgotten it.
 *
 * @module
 */

import type { Message } from "../json/mod.ts";
import { changingLists } from "../rpc/mod.ts";
import type { Session, SessionRecord, SessionTable } from "../session/mod.ts";
import type { UpstreamAnswer } from "../upstream/mod.ts";
import { watchResult } from "./response_watch.ts";

/** Subscriptions of a session that are made again; further ones are not. */
export const MAX_KEPT_SUBSCRIPTIONS = 1_000;

/** Characters of their URIs in all: a client could have gigabytes kept otherwise. */
export const MAX_KEPT_URI_CHARACTERS = 65_536;

/** What is kept of a request that was answered with a result; undefined for nothing new. */
type Lesson = (record: SessionRecord, params: Params) => SessionRecord | undefined;
type Params = Readonly<Record<string, unknown>>;

const LESSONS: ReadonlyMap<string, Lesson> = new Map<string, Lesson>([
  ["resources/subscribe", (record, { uri }) => {
    const { subscriptions } = record;
    if (typeof uri !== "string" || subscriptions.includes(uri)) return undefined;
    if (subscriptions.length >= MAX_KEPT_SUBSCRIPTIONS) return undefined;
    const keptCharacters = subscriptions.reduce((sum, one) => sum + one.length, 0);
    if (keptCharacters + uri.length > MAX_KEPT_URI_CHARACTERS) return undefined;
    return { ...record, subscriptions: [...subscriptions, uri] };
  }],
  ["resources/unsubscribe", (record, { uri }) => {
    const { subscriptions } = record;
    if (typeof uri !== "string" || !subscriptions.includes(uri)) return undefined;
    return { ...record, subscriptions: subscriptions.filter((one) => one !== uri) };
  }],
  [
    "logging/setLevel",
    (record, { level }) =>
      typeof level === "string" && level !== record.logLevel && level.length <= 32
        ? { ...record, logLevel: level }
        : undefined,
  ],
]);

/** Learns from the answer to `message` what is to be kept of its session. */
export function learn(
  sessions: SessionTable,
  session: Session,
  message: Pick<Message, "kind" | "method" | "params"> | undefined,
  answer: UpstreamAnswer,
): void {
  if (message?.method === undefined || answer.status >= 300) return;
  if (message.method === "notifications/initialized") {
    return sessions.note(
      session,
      (record) => record.state === "initialising" ? { ...record, state: "open" } : undefined,
    );
  }
  const lesson = LESSONS.get(message.method);
  if (lesson === undefined || message.kind !== "request") return;
  const params = message.params ?? {};
  watchResult(answer, () => sessions.note(session, (record) => lesson(record, params)));
}

/** Learns from the answer to `initialize` which revision the two sides settled on, and what the server tells of. */
export function learnInitialized(
  sessions: SessionTable,
  session: Session,
  answer: UpstreamAnswer,
): void {
  watchResult(answer, ({ protocolVersion, capabilities }) => {
    if (typeof protocolVersion !== "string" || protocolVersion.length > 64) return;
    sessions.note(session, (record) => ({
      ...record,
      revision: protocolVersion,
      changingLists: changingLists(capabilities),
    }));
  });
}
