/**
 * Holds a recording in bounded memory: what was said, by whom, and when.
 *
 * Heads are redacted here, before they are kept. Bodies are redacted when they are whole
 * (`normalise.ts`, `growing.ts`), because a secret may be split over pieces; nothing is written before that.
 *
 * @module
 */

import { REDACTED } from "../../fixtures/format/mod.ts";
import type { Clock } from "../clock.ts";
import { type Field, isDistinct, parameterSpans, redactField, secretsOfField } from "./redact.ts";
import { replaceWithin } from "./spans.ts";

/** Who said it. */
export type Side = "client" | "server";

/** What every entry tells. */
export interface EntryCommon {
  /** Milliseconds since the start of the recording. */
  readonly at: number;
  /** The number of the exchange, from 1. */
  readonly exchange: number;
}

/** A piece of a body, as it came. */
export type DataEntry = EntryCommon & {
  readonly from: Side;
  readonly type: "data";
  readonly bytes: Uint8Array;
};

/** One thing that happened; bodies as they came. */
export type RawEntry =
  | EntryCommon & {
    readonly from: "client";
    readonly type: "request";
    readonly method: string;
    readonly target: string;
    readonly fields: readonly Field[];
  }
  | EntryCommon & {
    readonly from: "server";
    readonly type: "response";
    readonly status: number;
    readonly fields: readonly Field[];
  }
  | DataEntry
  | EntryCommon & { readonly from: Side; readonly type: "end" | "abort" };

/** What was recorded. */
export interface Recording {
  /** In the order in which it happened. */
  readonly entries: readonly RawEntry[];
  /** Whether the limit was reached. */
  readonly truncated: boolean;
  /** Wall-clock time of the start. */
  readonly startedAt: Date;
  /** `host:port` of the server, and the names by which clients called. */
  readonly hosts: readonly string[];
  /** Secrets that heads held. */
  readonly secrets: readonly string[];
}

/** What a recorder works with. */
export interface RecorderOptions {
  /** Time. */
  readonly clock: Clock;
  /** Bytes to hold; then capture stops. */
  readonly maxBytes: number;
  /** `host:port` of the servers. */
  readonly hosts: readonly string[];
  /** Fields, in lower case, that hold secrets beside those that are known by their names. */
  readonly secretFields?: ReadonlySet<string>;
  /** Called once when the limit is reached. */
  readonly onLimit: () => void;
  /** Told of all that is recorded, as it is; nobody by default. */
  readonly watch?: RecordingWatch | undefined;
}

/** Whoever sees a recording grow. */
export interface RecordingWatch {
  /** Called once, ahead of all else. */
  begin(growing: GrowingRecording): void;
  /** An entry was added at the end. */
  kept(entry: RawEntry): void;
  /** An entry is none any more. */
  dropped(entry: RawEntry): void;
}

/** What may be read of a recording at any time. */
export interface GrowingRecording {
  /** As `Recording.hosts`, growing. */
  readonly hosts: ReadonlySet<string>;
  /** As `Recording.secrets`, growing. */
  readonly secrets: ReadonlySet<string>;
  /** All of it up to now. */
  recording(): Recording;
}

/** The head of a request. */
export interface RequestHead {
  /** The HTTP method. */
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Names in lower case. */
  readonly fields: readonly Field[];
}

/** What an entry takes beside its bytes: its line in the file, roughly. */
const ENTRY_BYTES = 96;

/** A name or address that is no plain word, which would be replaced wherever it stands. */
const HOST = /^(?=.*[.:])[A-Za-z0-9._:[\]-]{4,255}$/;

/** Names by which clients call, and secrets; further ones are not looked for elsewhere. */
const MAX_HOSTS = 64;
const MAX_SECRETS = 1_024;

/** What is told about one exchange; nothing after its end, and each side ends once. */
export interface RecordedExchange {
  /** The head of the answer. */
  response(status: number, fields: readonly Field[]): void;
  /** A piece of a body; it is copied. */
  data(from: Side, bytes: Uint8Array): void;
  /** A body is whole. */
  end(from: Side): void;
  /** The client has gone, or the answer broke off. */
  abort(from: Side): void;
}

/** Holds what exchanges tell it, until its limit is reached or it is stopped. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #startedMs: number;
  readonly #startedAt: Date;
  readonly #hosts: Set<string>;
  readonly #secrets = new Set<string>();
  #entries: RawEntry[] = [];
  #bytes = 0;
  #exchanges = 0;
  #truncated = false;
  #stopped = false;

  /** Begins now. */
  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
    this.#startedAt = options.clock.now();
    this.#hosts = new Set(options.hosts);
    const [hosts, secrets] = [this.#hosts, this.#secrets];
    options.watch?.begin({ hosts, secrets, recording: () => this.recording() });
  }

  /** Begins an exchange; undefined where nothing is recorded any more. */
  begin(head: RequestHead): RecordedExchange | undefined {
    if (this.#stopped) return undefined;
    const exchange = ++this.#exchanges;
    const host = head.fields.find(([name]) => name === "host")?.[1];
    if (host !== undefined && HOST.test(host) && this.#hosts.size < MAX_HOSTS) {
      this.#hosts.add(host);
    }
    this.#keep({
      at: this.#now(),
      exchange,
      from: "client",
      type: "request",
      method: head.method,
      target: this.#redactTarget(head.target),
      fields: this.#redact(head.fields),
    });
    return this.#exchange(exchange);
  }

  /** Ends the recording: what happens from now on is not in it. */
  stop(): void {
    this.#stopped = true;
  }

  /** What was recorded so far. */
  recording(): Recording {
    return {
      entries: this.#entries,
      truncated: this.#truncated,
      startedAt: this.#startedAt,
      hosts: [...this.#hosts],
      secrets: [...this.#secrets],
    };
  }

  #exchange(exchange: number): RecordedExchange {
    const over = { client: false, server: false };
    let requestEnd: RawEntry | undefined;
    const close = (from: Side, type: "end" | "abort"): RawEntry => {
      over[from] = true;
      const entry: RawEntry = { at: this.#now(), exchange, from, type };
      this.#keep(entry);
      return entry;
    };
    return {
      response: (status, fields) => {
        if (over.server) return;
        const common = { at: this.#now(), exchange, from: "server", type: "response" } as const;
        this.#keep({ ...common, status, fields: this.#redact(fields) });
      },
      data: (from, bytes) => {
        if (over[from] || this.#stopped || bytes.length === 0) return;
        const copy = this.#hasRoom(bytes.length) ? bytes.slice() : bytes;
        this.#keep({ at: this.#now(), exchange, from, type: "data", bytes: copy });
      },
      end: (from) => {
        if (over[from]) return;
        const entry = close(from, "end");
        if (from === "client") requestEnd = entry;
      },
      abort: (from) => {
        // Who has the whole answer may go.
        if (over.server) return;
        // The format has one end for each side: a client that goes away while it waits for the
        // answer has an abort in place of the end of its request.
        if (from === "client" && requestEnd !== undefined) this.#drop(requestEnd);
        close(from, "abort");
        over.client = over.server = true;
      },
    };
  }

  #drop(entry: RawEntry): void {
    if (this.#stopped) return;
    this.#entries = this.#entries.filter((other) => other !== entry);
    this.#options.watch?.dropped(entry);
  }

  #now(): number {
    return Math.max(0, Math.round(this.#options.clock.monotonicMs() - this.#startedMs));
  }

  #hasRoom(bytes: number): boolean {
    return this.#bytes + bytes + ENTRY_BYTES <= this.#options.maxBytes;
  }

  #keep(entry: RawEntry): void {
    if (this.#stopped) return;
    const bytes = sizeOf(entry);
    if (!this.#hasRoom(bytes)) {
      this.#truncated = true;
      this.#stopped = true;
      this.#options.onLimit();
      return;
    }
    this.#bytes += bytes + ENTRY_BYTES;
    this.#entries.push(entry);
    this.#options.watch?.kept(entry);
  }

  #redact(fields: readonly Field[]): Field[] {
    if (this.#stopped) return [];
    const { secretFields } = this.#options;
    for (const field of fields) {
      for (const secret of secretsOfField(field, secretFields)) this.#learn(secret);
    }
    return fields.map((field) => redactField(field, secretFields));
  }

  #redactTarget(target: string): string {
    return replaceWithin(target, parameterSpans(target), 0, target.length, (_, value) => {
      if (isDistinct(value)) this.#learn(value);
      return REDACTED;
    });
  }

  #learn(secret: string): void {
    if (this.#secrets.size < MAX_SECRETS) this.#secrets.add(secret);
  }
}

/** The bytes that grow with what was said. */
function sizeOf(entry: RawEntry): number {
  const ofFields = (fields: readonly Field[]) =>
    fields.reduce((sum, [name, value]) => sum + name.length + value.length + 8, 0);
  switch (entry.type) {
    case "request":
      return entry.method.length + entry.target.length + ofFields(entry.fields);
    case "response":
      return ofFields(entry.fields);
    case "data":
      return entry.bytes.length;
    default:
      return 0;
  }
}
