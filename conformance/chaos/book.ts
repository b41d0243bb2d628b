/**
 * What clients did and saw, and what passed on the way to the servers, as it is noted during a run and judged
 * at its end. All times are milliseconds of `performance.now()` of the process that runs the test.
 *
 * @module
 */

/** What a call is: opening a session, a quick call, one with progress, `tools/list`. */
export type CallKind = "open" | "echo" | "steps" | "list";

/** One call of a client. */
export interface Call {
  /** What stands in the request and in no other one. */
  readonly token: string;
  /** Which kind of client made it, and the client's number. */
  readonly client: string;
  readonly kind: CallKind;
  /** How many progress events belong to it. */
  readonly steps: number;
  /** Whether the proxy may have to open a session of its own for it, in which no token tells whose it is. */
  readonly isBridged: boolean;
  /** Whether it was made when all faults were over. */
  readonly isLast: boolean;
  readonly startMs: number;
  endMs: number | undefined;
  /** How long its stream stayed open behind the answer; undefined where it had no stream, or failed. */
  openMs: number | undefined;
  /** Whether the client has an event id of a stream whose events the server keeps too. */
  isResumable: boolean;
  /** The numbers of its progress events as they came. */
  readonly progress: number[];
  /** Why it failed; undefined where it did not, or is not over. */
  failure: string | undefined;
}

/** A call's token was seen on a connection to a target. */
export interface Delivery {
  readonly target: string;
  readonly atMs: number;
  /** The number of the connection. */
  readonly connection: number;
}

/** What the processes of the targets noted of a call. */
export interface Received {
  /** How often it came. */
  readonly got: number;
  /** How often it was refused without being looked at, since the server did not know its session. */
  readonly refused: number;
  /** How often its tool ran. */
  readonly ran: number;
}

/** Of a call that came to no process. */
export const NOTHING_RECEIVED: Received = { got: 0, refused: 0, ran: 0 };

/** What a target notes in front of a token. */
export const NOTED = { got: "+", refused: "-", ran: "!" } as const;

/** The numbered events that one client got of one session at a server. */
export interface Ticks {
  readonly client: string;
  /** Target, process and session. */
  readonly epoch: string;
  readonly numbers: number[];
  /** When each of them came. */
  readonly atMs: number[];
}

/** Something that is wrong in itself, whatever else happened. */
export interface Oddity {
  readonly client: string;
  readonly what: string;
  readonly atMs: number;
}

const TOKEN = /tk\.\d+\.\d+\.k/g;

/** How many characters a token has at most. */
export const MAX_TOKEN_CHARS = 32;

/** More than this is not noted: the run is longer than it was made for. */
const MAX_NOTES = 500_000;

/** The tokens in a text. */
export function tokensIn(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

/** What stands in the files of the targets, by token. */
export function receivedIn(notes: string): Map<string, Received> {
  const all = new Map<string, Received>();
  for (const line of notes.split("\n")) {
    const token = line.slice(1);
    const what = (["got", "refused", "ran"] as const).find((name) => NOTED[name] === line[0]);
    if (what === undefined) continue;
    const before = all.get(token) ?? NOTHING_RECEIVED;
    all.set(token, { ...before, [what]: before[what] + 1 });
  }
  return all;
}

/** All that is noted. */
export class Book {
  readonly calls = new Map<string, Call>();
  /** Where calls went, by token, as the relays saw it. */
  readonly deliveries = new Map<string, Delivery[]>();
  /** By client and epoch. */
  readonly ticks = new Map<string, Ticks>();
  readonly oddities: Oddity[] = [];
  /** Counts of what is told and not judged. */
  readonly counts: Record<string, number> = {};

  /** A call begins. */
  begin(call: Pick<Call, "token" | "client" | "kind" | "steps" | "isBridged" | "isLast">): Call {
    const startMs = performance.now();
    const noted: Call = {
      ...call,
      startMs,
      endMs: undefined,
      openMs: undefined,
      isResumable: false,
      progress: [],
      failure: undefined,
    };
    if (this.calls.size < MAX_NOTES) this.calls.set(call.token, noted);
    return noted;
  }

  /** A call is over. */
  end(call: Call, failure?: string): void {
    call.endMs ??= performance.now();
    call.failure ??= failure;
  }

  /** A call's answer is here, whatever becomes of its stream. */
  answered(call: Call): void {
    call.endMs = performance.now();
  }

  /** The stream of an answer has ended, or nobody waits for that any more. */
  streamEnded(call: Call): void {
    call.openMs = performance.now() - call.endMs!;
  }

  /** A token was seen on its way to a target. */
  delivered(token: string, delivery: Delivery): void {
    const noted = this.deliveries.get(token);
    if (noted !== undefined) noted.push(delivery);
    else if (this.deliveries.size < MAX_NOTES) this.deliveries.set(token, [delivery]);
  }

  /** A numbered event came. */
  tick(client: string, epoch: string, number: number): void {
    const key = `${client} ${epoch}`;
    let ticks = this.ticks.get(key);
    if (ticks === undefined) {
      if (this.ticks.size >= MAX_NOTES) return;
      this.ticks.set(key, ticks = { client, epoch, numbers: [], atMs: [] });
    }
    ticks.numbers.push(number);
    ticks.atMs.push(performance.now());
  }

  /** Something that must not be. */
  odd(client: string, what: string): void {
    if (this.oddities.length < 1_000) {
      this.oddities.push({ client, what, atMs: performance.now() });
    }
  }

  /** Counts something. */
  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}
