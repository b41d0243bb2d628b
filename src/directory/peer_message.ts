/**
 * What instances say to each other, as text.
 *
 * @module
 */

import type { PeerMessage, PeerWord } from "../relay/mod.ts";
import { isSeq } from "./kept.ts";

/** Longest text of a message: 8 KiB. */
export const MAX_MESSAGE_CHARACTERS = 8_192;

/** What names of streams and instances are made of. */
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

type Say = PeerWord["say"];
type Check = (value: unknown) => boolean;

/** The members that each word has beside `say`, and what they may be. */
const MEMBERS:
  & { readonly [S in Say]: Readonly<Record<MemberOf<S>, Check>> }
  & Readonly<Record<Say, Readonly<Record<string, Check>>>> = {
    follow: { seq: orNull(isSeq) },
    following: { seq: isSeq, upTo: isSeq, finished: (value) => typeof value === "boolean" },
    refused: {},
    more: { upTo: isSeq },
    close: { upTo: isSeq, broken: orNull((value) => typeof value === "string") },
    taken: { seq: isSeq },
    left: { seq: isSeq },
  };

type MemberOf<S extends Say> = Exclude<keyof Extract<PeerWord, { say: S }>, "say">;

function orNull(check: Check): Check {
  return (value) => value === null || check(value);
}

/** A message as text. */
export function peerMessageText(message: PeerMessage): string {
  return JSON.stringify(message);
}

/** The message of a text, with the members that it has here; undefined for what is none. */
export function parsePeerMessage(text: string): PeerMessage | undefined {
  if (text.length > MAX_MESSAGE_CHARACTERS) return undefined;
  const members = parsedMembers(text);
  if (members === undefined) return undefined;
  const { say, stream, from, follower } = members;
  if (!isName(stream) || !isName(from) || !isSeq(follower)) return undefined;
  if (typeof say !== "string") return undefined;
  if (!Object.hasOwn(MEMBERS, say)) return undefined;
  const message: Record<string, unknown> = { stream, from, follower, say };
  for (const [name, check] of Object.entries(MEMBERS[say as Say])) {
    const value = members[name];
    if (!check(value)) return undefined;
    message[name] = value;
  }
  return message as unknown as PeerMessage;
}

function parsedMembers(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}

function isName(value: unknown): value is string {
  return typeof value === "string" && NAME.test(value);
}
