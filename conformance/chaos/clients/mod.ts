/**
 * The clients of the chaos test: how many of each kind, and what each does.
 *
 * @module
 */

import type { Random } from "../random.ts";
import { type Connection, type Field, Worker } from "./field.ts";
import { ModernClient } from "./modern_client.ts";
import { SdkClient } from "./sdk_client.ts";
import { SessionClient } from "./session_client.ts";
import { SseClient } from "./sse_client.ts";

export { type Field, pause } from "./field.ts";

/** The route in front of servers with sessions. */
export const SESSION_PATH = "/session";

/** The route in front of servers of 2026-07-28. */
export const MODERN_PATH = "/modern";

interface Kind {
  readonly name: string;
  /** Its part of all clients, in hundredths. */
  readonly percent: number;
  readonly lists: boolean;
  /** Whether the proxy has sessions of its own for it. */
  readonly isBridged?: boolean;
  readonly connect: (name: string, field: Field) => Connection;
}

/** All kinds; the first one makes up what is missing to the number of clients. */
const KINDS: readonly Kind[] = [
  {
    name: "session",
    percent: 30,
    lists: true,
    connect: (name, field) => new SessionClient(name, SESSION_PATH, false, true, field),
  },
  {
    name: "session-listening",
    percent: 20,
    lists: true,
    connect: (name, field) => new SessionClient(name, SESSION_PATH, true, true, field),
  },
  {
    name: "modern",
    percent: 15,
    lists: true,
    connect: (name, field) => new ModernClient(name, MODERN_PATH, false, field),
  },
  {
    name: "modern-listening",
    percent: 8,
    lists: true,
    connect: (name, field) => new ModernClient(name, MODERN_PATH, true, field),
  },
  {
    name: "http+sse",
    percent: 13,
    lists: true,
    connect: (name, field) => new SseClient(name, `${SESSION_PATH}/sse`, field),
  },
  {
    name: "session-on-modern",
    percent: 4,
    lists: true,
    connect: (name, field) => new SessionClient(name, MODERN_PATH, false, false, field),
  },
  {
    name: "modern-on-session",
    percent: 4,
    lists: true,
    isBridged: true,
    connect: (name, field) => new ModernClient(name, SESSION_PATH, false, field),
  },
  {
    name: "sdk-session",
    percent: 3,
    lists: false,
    connect: (name, field) => new SdkClient(name, SESSION_PATH, false, field),
  },
  {
    name: "sdk-modern",
    percent: 3,
    lists: false,
    connect: (name, field) => new SdkClient(name, MODERN_PATH, true, field),
  },
];

/** So many clients, a share of each kind that is not left out. */
export function workers(
  count: number,
  field: Field,
  random: Random,
  only: readonly string[] = [],
): Worker[] {
  const kinds = KINDS.filter(({ name }) => only.length === 0 || only.includes(name));
  if (kinds.length === 0) {
    throw new Error(`no such kind of client: ${KINDS.map(({ name }) => name).join(", ")}`);
  }
  const all = kinds.reduce((sum, { percent }) => sum + percent, 0);
  const chosen: Kind[] = kinds.slice(1).flatMap((kind) =>
    Array.from({ length: Math.max(1, Math.floor(count * kind.percent / all)) }, () => kind)
  );
  while (chosen.length < count) chosen.push(kinds[0]!);
  return chosen.slice(0, count).map(({ name, lists, isBridged = false, connect }, number) => {
    const traits = { lists, isBridged };
    return new Worker(name, number, traits, field, random.fork(), (label) => connect(label, field));
  });
}
