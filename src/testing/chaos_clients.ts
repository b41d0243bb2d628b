/**
 * Clients that make calls and come back with `Last-Event-ID` to whichever instance, whenever their
 * connection breaks and at random, and what became of their calls.
 *
 * @module
 */

import type { CountedServer } from "./counted_server.ts";
import { pause } from "./counted_server.ts";
import { call, type ClientStream, listen, openSession } from "./event_client.ts";

/** What clients work with. */
export interface ChaosOptions {
  /** Numbers below 1 that decide what they do. */
  readonly random: () => number;
  /** The server behind the proxy. */
  readonly upstream: CountedServer;
  /** Where the proxy can be reached at the moment, or could a moment ago. */
  readonly origins: readonly string[];
  /** How likely it is that a client leaves behind an event. */
  readonly leaves: number;
  /** Whether to begin another call. */
  readonly goesOn: () => boolean;
}

/** What became of the calls. */
export interface ChaosFigures {
  /** Calls that reached the server. */
  calls: number;
  /** Events that clients have got. */
  events: number;
  /** Connections that clients made to go on with a call. */
  resumes: number;
  /** Calls whose connection broke before they had an event id: no client can go on with those. */
  unbegun: number;
  /** Calls that were answered with an error before their first event, whether they may have run or not. */
  told: number;
  /** Events that did not come. */
  lost: number;
  /** Events that came again. */
  doubled: number;
  /** Calls that the server got more than once. */
  repeated: number;
  /** What else went wrong, in words. */
  readonly faults: string[];
}

/** What a call is told that was in flight when its proxy stopped. */
const MAY_HAVE_RUN = "this request may have been carried out";

/** A client that hears nothing for so long has been forgotten, in milliseconds. */
const PATIENCE_MS = 25_000;

/** Has so many clients make calls; resolves when all calls are over. */
export async function chaosClients(count: number, options: ChaosOptions): Promise<ChaosFigures> {
  const figures: ChaosFigures = {
    calls: 0,
    events: 0,
    resumes: 0,
    unbegun: 0,
    told: 0,
    lost: 0,
    doubled: 0,
    repeated: 0,
    faults: [],
  };
  let number = 0;
  await Promise.all(Array.from({ length: count }, async () => {
    const session = await insist(options, (origin) => openSession(origin, "2025-11-25"));
    while (options.goesOn()) await new Call(session, ++number, options, figures).run();
  }));
  const counts = [...options.upstream.calls.values()];
  figures.calls = counts.length;
  figures.repeated = counts.filter((times) => times !== 1).length;
  return figures;
}

/** Does something at one instance after the other until it works. */
async function insist<T>(
  { random, origins }: ChaosOptions,
  act: (origin: string) => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await act(origins[Math.floor(random() * origins.length)]!);
    } catch {
      await pause(20 + random() * 80);
    }
  }
}

/** One call of a client. */
class Call {
  readonly #data: string[] = [];
  /** Connections that it has left without closing them. */
  readonly #left: ClientStream[] = [];
  #lastId: string | undefined;
  #refused = "";
  /** Whether it was told that its proxy has cut it, and that it may have run. */
  #isCut = false;

  constructor(
    readonly session: string,
    readonly number: number,
    readonly options: ChaosOptions,
    readonly figures: ChaosFigures,
  ) {}

  async run(): Promise<void> {
    try {
      while (await this.#isGoingOn()) {
        // Once more, somewhere.
      }
    } finally {
      for (const stream of this.#left) stream[Symbol.dispose]();
    }
    this.figures.events += this.#data.length;
    this.#judge();
  }

  /** One connection; whether there has to be another one. */
  async #isGoingOn(): Promise<boolean> {
    const { random, origins } = this.options;
    const origin = origins[Math.floor(random() * origins.length)]!;
    const from = this.#lastId;
    let stream: ClientStream;
    try {
      stream = from === undefined
        ? await call(origin, this.session, this.number)
        : await listen(origin, this.session, from);
    } catch {
      await pause(20 + random() * 80);
      // Without an id it may have got to the server or not.
      return from !== undefined || !this.options.upstream.calls.has(String(this.number));
    }
    if (from !== undefined) this.figures.resumes++;
    if (stream.status !== 200) return await this.#refusedBy(stream);
    const ending = await this.#read(stream);
    if (ending === "left" && random() < 0.5) this.#left.push(stream);
    else stream[Symbol.dispose]();
    if (ending !== "silent") return ending !== "done" && this.#lastId !== undefined;
    this.figures.faults.push(`call ${this.number}: silence behind ${this.#data.length} events`);
    return false;
  }

  async #refusedBy(stream: ClientStream): Promise<boolean> {
    const { status } = stream;
    const said = await stream.text().catch(String);
    stream[Symbol.dispose]();
    this.#refused += ` ${status} ${said}`;
    this.#isCut = status === 503 && said.includes(MAY_HAVE_RUN);
    if (this.#lastId === undefined || status !== 503) return false;
    await pause(this.options.random() * 200);
    return true;
  }

  async #read(stream: ClientStream): Promise<"cut" | "done" | "left" | "silent"> {
    for (;;) {
      const event = await withPatience(stream.next());
      if (event === "silent") return event;
      if (event === "cut" || event === null) return this.#isWhole() ? "done" : "cut";
      this.#lastId = event.id ?? this.#lastId;
      if (event.data) this.#data.push(event.data);
      if (this.options.random() < this.options.leaves) return this.#isWhole() ? "done" : "left";
    }
  }

  /** Whether its answer is there. */
  #isWhole(): boolean {
    const last = this.#data.at(-1) ?? "";
    return last.includes('"result"') || last.includes('"error"');
  }

  #judge(): void {
    const { figures, number, options: { upstream } } = this;
    if (!upstream.calls.has(String(number))) return;
    const data = this.#data;
    if (data.length === 0 && this.#lastId === undefined && this.#refused === "") {
      figures.unbegun++;
      return;
    }
    const isTold = data.length === 1 && data[0]!.includes('"error"');
    if (isTold || this.#isCut && data.length === 0 && this.#lastId === undefined) {
      figures.told++;
      return;
    }
    const wanted = upstream.dataOf(String(number));
    const unique = new Set(data);
    const lost = wanted.filter((text) => !unique.has(text)).length;
    figures.lost += lost;
    figures.doubled += data.length - unique.size;
    if (wanted.every((text, at) => text === data[at]) && wanted.length === data.length) return;
    const got = data.map((text) => text.includes('"error"') ? text : wanted.indexOf(text) + 1);
    figures.faults.push(
      `call ${number}, last id ${this.#lastId}: refused with${
        this.#refused || " nothing"
      }, got ${got}`,
    );
  }
}

async function withPatience<T>(coming: Promise<T>): Promise<T | "silent"> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<"silent">((resolve) => {
    timer = setTimeout(() => resolve("silent"), PATIENCE_MS);
  });
  try {
    return await Promise.race([coming, silence]);
  } finally {
    clearTimeout(timer);
  }
}
