/**
 * Instances in one process: a directory in memory, and messages that are delivered when the test says so.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type EventLog, MemoryEventLog } from "../event_log/mod.ts";
import {
  type Attachment,
  Instances,
  LiveStreams,
  type Outgoing,
  type PeerMessage,
  type RelayLimits,
  SessionStreams,
  type StreamDirectory,
  type StreamEntry,
  type StreamMark,
  StreamTally,
} from "../relay/mod.ts";
import { ManualClock } from "./manual_clock.ts";
import { event, progress } from "./streams.ts";
import {
  answerWith,
  type FilledBody,
  filledBody,
  ROOMY_LOG,
  settled,
  type SourceReader,
  sourceReader,
} from "./relay.ts";

/** A message on its way. */
export interface Underway {
  readonly to: string;
  readonly message: PeerMessage;
}

interface Kept {
  readonly entry: StreamEntry;
  mark: StreamMark;
  owner: string;
}

/** What instances share. */
export class Cluster {
  readonly clock: ManualClock = new ManualClock();
  readonly streams = new Map<string, Kept>();
  readonly members = new Map<string, Member>();
  readonly limits: RelayLimits;
  /** Messages that were sent and not delivered, the oldest first. */
  underway: Underway[] = [];
  /** Words of all messages that were sent, in order. */
  readonly said: string[] = [];
  readonly #log: EventLog;

  constructor(limits: Partial<RelayLimits> = {}, log: (log: EventLog) => EventLog = (one) => one) {
    this.limits = {
      clock: this.clock,
      maxEventBytes: 1_000_000,
      keepAliveMs: 0,
      resumeWindowMs: 60_000,
      maxAheadBytes: 1_000_000,
      maxAheadEvents: 1_000,
      ...limits,
    };
    this.#log = log(rewindable(new MemoryEventLog(this.clock, ROOMY_LOG)));
  }

  /** Another instance. */
  join(name: string): Member {
    const member = new Member(name, this, this.#log);
    this.members.set(name, member);
    return member;
  }

  /** Delivers the messages that `which` names, in order, and those that they lead to; the others stay. */
  async deliver(which: (underway: Underway) => boolean = () => true): Promise<void> {
    await settled();
    for (;;) {
      const next = this.underway.find(which);
      if (next === undefined) return;
      this.underway = this.underway.filter((one) => one !== next);
      const to = this.members.get(next.to);
      if (to?.runs) to.listener?.(next.message);
      await settled();
    }
  }

  /** Loses the messages that `which` names. */
  async lose(which: (underway: Underway) => boolean = () => true): Promise<void> {
    await settled();
    this.underway = this.underway.filter((one) => !which(one));
  }

  /** Lets time pass, and what falls due happen, with all messages delivered. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.deliver();
  }

  /** Ends the session everywhere; no stream and no timer may be left. */
  async close(): Promise<void> {
    for (const { session } of this.members.values()) session.close();
    await this.deliver();
    const streams = [...this.members.values()].map(({ live }) => live.size);
    assertEquals(streams, streams.map(() => 0), "streams are left");
    assertEquals(this.clock.timers, 0, "timers are left");
  }
}

/** One instance. */
export class Member {
  readonly session: SessionStreams;
  readonly instances: Instances;
  readonly live: LiveStreams = new LiveStreams();
  /** With which event ids the upstream was asked for the rest of streams, and what it gives. */
  readonly regained: { readonly lastEventId: string | undefined; readonly upstream: FilledBody }[] =
    [];
  readonly directory: StreamDirectory;
  listener: ((message: PeerMessage) => void) | undefined;
  /** What its upstream answers when it is asked for the rest of a stream. */
  status = 200;
  /** Whether it runs: otherwise nothing that it does is felt outside. */
  runs = true;

  constructor(readonly name: string, readonly cluster: Cluster, log: EventLog) {
    const { clock, limits } = cluster;
    this.directory = directoryOf(this);
    const guarded = this.#guarded(log);
    const instances = new Instances({
      directory: this.directory,
      log: guarded,
      limits,
      clock,
      live: this.live,
    });
    this.instances = instances;
    this.session = new SessionStreams({
      log: guarded,
      limits,
      clock,
      backOff: { attempts: 1, initialDelayMs: 1, maxDelayMs: 1, maxSilentMs: 60_000 },
      live: this.live,
      session: "session",
      tally: new StreamTally({ bytesOut: 0, events: 0, streams: 0 }, clock),
      instances,
    });
  }

  /** Begins a stream here; its name is that of the newest in the directory. */
  async open(
    requestIds: readonly string[] = ["7"],
    first: readonly Outgoing[] = [],
  ): Promise<Opened> {
    const upstream = filledBody(this.cluster.clock);
    const attachment = this.session.open({
      body: upstream.body,
      requestIds,
      first,
      clientPolls: true,
      ...this.#upstream(),
    });
    const reader = sourceReader(attachment);
    await reader.readAll();
    return { upstream, attachment, reader, name: [...this.cluster.streams.keys()].at(-1)! };
  }

  /** A client that comes here, with the number of an event or, for null, without an id. */
  come(name: string, seq: number | null): Promise<Attachment | undefined> {
    const how = { begin: () => this.#upstream() };
    return seq === null
      ? Promise.resolve(this.session.comeBack(how))
      : Promise.resolve(this.session.resume(`${name}.${seq}`, how));
  }

  /** The same, with all messages delivered, read as far as it goes. */
  async read(name: string, seq: number | null): Promise<SourceReader & { attachment: Attachment }> {
    const coming = this.come(name, seq);
    await this.cluster.deliver();
    const attachment = (await coming)!;
    const reader = sourceReader(attachment);
    await reader.readAll();
    return Object.assign(Object.create(reader) as SourceReader, { attachment });
  }

  #upstream() {
    return {
      listen: (lastEventId: string | undefined) => {
        const upstream = filledBody(this.cluster.clock);
        this.regained.push({ lastEventId, upstream });
        return Promise.resolve(answerWith(upstream.body, this.status));
      },
      onSessionGone: () => {},
    };
  }

  /** Who was killed writes no more. */
  #guarded(log: EventLog): EventLog {
    return {
      append: (...args) => this.runs ? log.append(...args) : undefined,
      appendRun: (...args) => this.runs ? log.appendRun(...args) : undefined,
      after: (...args) => log.after(...args),
      rewind: (...args) => log.rewind!(...args),
      forget: (...args) => this.runs ? log.forget(...args) : undefined,
      close: () => {},
      size: log.size,
    };
  }
}

/** A stream that has begun, and both its ends. */
export interface Opened {
  readonly upstream: FilledBody;
  readonly attachment: Attachment;
  readonly reader: SourceReader;
  readonly name: string;
}

/** The numbers in the data of progress notifications that a client has read. */
export function steps(reader: SourceReader): number[] {
  return reader.events.flatMap(({ data }) =>
    data?.includes('"progress":') ? [JSON.parse(data).params.progress] : []
  );
}

function directoryOf(member: Member): StreamDirectory {
  const { name: instance, cluster } = member;
  const { streams } = cluster;
  const own = (name: string) => {
    const kept = streams.get(name);
    return member.runs && kept?.owner === instance ? kept : undefined;
  };
  // What is found has to be what was found: a copy.
  const found = (kept: Kept | undefined) => kept && { ...kept };
  return {
    instance,
    open: (entry) => {
      if (!member.runs) return;
      const mark = { seq: 0, pending: entry.requestIds, finished: false };
      streams.set(entry.name, { entry, mark, owner: instance });
    },
    mark: (name, mark) => {
      const kept = own(name);
      if (kept === undefined) return !streams.has(name);
      kept.mark = mark;
      return true;
    },
    close: ({ name }) => void (own(name) && streams.delete(name)),
    release: (name) => {
      const kept = own(name);
      if (kept !== undefined) kept.owner = "";
    },
    find: (session, name) => {
      const kept = streams.get(name);
      return Promise.resolve(found(kept?.entry.session === session ? kept : undefined));
    },
    subscriptions: (session) => {
      const all = [...streams.values()].filter(({ entry }) =>
        entry.session === session && entry.requestIds.length === 0
      );
      return Promise.resolve(all.map((kept) => found(kept)!));
    },
    isAlive: (name) => Promise.resolve(cluster.members.get(name)?.runs === true),
    takeOver: (name, owner) => {
      const kept = streams.get(name);
      if (kept?.owner !== owner) return Promise.resolve(false);
      kept.owner = instance;
      return Promise.resolve(true);
    },
    peers: {
      send: (to, stream, words) => {
        if (!member.runs) return;
        cluster.said.push(words.say);
        cluster.underway.push({ to, message: { stream, from: instance, ...words } });
      },
      listen: (listener) => member.listener = listener,
    },
    shutdown: () => {},
  };
}

/** A log in memory that can be gone on with where another one has left it. */
function rewindable(log: MemoryEventLog): EventLog {
  return {
    append: log.append.bind(log),
    appendRun: log.appendRun.bind(log),
    after: log.after.bind(log),
    rewind: (stream, seq) => {
      const { events } = log.after(stream, 0, Infinity);
      if ((events.at(-1)?.seq ?? 0) <= seq) return;
      log.forget(stream);
      log.append(stream, events.filter((event) => event.seq <= seq));
    },
    forget: log.forget.bind(log),
    close: log.close.bind(log),
    get size() {
      return log.size;
    },
  };
}

/** Registers a test with three instances of which nothing may be left. */
export function clusterTest(
  name: string,
  run: (members: Readonly<Record<"a" | "b" | "c", Member>>, all: Cluster) => Promise<void>,
  { limits, log }: {
    readonly limits?: Partial<RelayLimits>;
    readonly log?: (log: EventLog) => EventLog;
  } = {},
): void {
  Deno.test(name, async () => {
    const all = new Cluster(limits, log);
    await run({ a: all.join("a"), b: all.join("b"), c: all.join("c") }, all);
    await all.close();
  });
}

/** Events of an upstream with these numbers. */
export function sent(...numbers: number[]): string {
  return numbers.map((number) => event(`u${number}`, progress(number))).join("");
}

/** The log, whose appends take longer than a message; what is read overtakes them. */
export function heldUpLog(log: EventLog): EventLog {
  const later = async (act: () => void | Promise<void>) => {
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    await act();
  };
  return {
    append: (stream, events) => later(() => log.append(stream, events)),
    appendRun: (stream, seq, bytes, ends) =>
      later(() => log.appendRun(stream, seq, bytes.slice(), ends)),
    after: log.after,
    rewind: log.rewind!,
    forget: log.forget,
    close: log.close,
    size: log.size,
  };
}
