/**
 * Writes a recording while it grows, so that a process that is killed leaves what it has recorded.
 *
 * Lines are added to the file as they come, in a fixture that says that it is truncated. When the recording is over
 * it is written anew as a whole (`save.ts`).
 *
 * @module
 */

import {
  EXCHANGE_FILE,
  formatEntries,
  formatMeta,
  MAX_EXCHANGE_BYTES,
  META_FILE,
  replaceFile,
} from "../../fixtures/format/mod.ts";
import type { Clock, Timer } from "../clock.ts";
import type { Logger } from "../telemetry/mod.ts";
import { factsOf } from "./facts.ts";
import { type FixtureName, metaOf } from "./fixture.ts";
import { GrowingLines } from "./growing.ts";
import type { GrowingRecording, RawEntry, RecordingWatch } from "./recorder.ts";

/** How long lines wait for others that come with them, in milliseconds. */
export const WRITE_AFTER_MS = 100;

/** Of so many entries the head of the fixture is made, at most: reading them takes longer the more there are. */
const MAX_TOLD_ENTRIES = 512;

/** Where a recording is written, and with what. */
export interface WriterOptions extends FixtureName {
  /** The folder of the fixture, made when there is something to write. */
  readonly out: string;
  /** Time. */
  readonly clock: Clock;
  /** Where it is told that it cannot be written. */
  readonly logger: Pick<Logger, "warn">;
}

/** Writes one recording while it grows. */
export class RecordingWriter implements RecordingWatch {
  readonly #options: WriterOptions;
  #growing: GrowingRecording | undefined;
  #lines: GrowingLines | undefined;
  /** What has happened since lines were last made: that is no part of the way of a request. */
  #fresh: { readonly what: "kept" | "dropped"; readonly entry: RawEntry }[] = [];
  #count = 0;
  /** At how many entries the head of the fixture is made again. */
  #tellAt = 1;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #isOver = false;
  /** What stands in the file. */
  #written = { lines: 0, bytes: 0, changes: 0 };

  /** Writes nothing yet. */
  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** See `RecordingWatch`. */
  begin(growing: GrowingRecording): void {
    this.#growing = growing;
    this.#lines = new GrowingLines(growing);
  }

  /** See `RecordingWatch`. */
  kept(entry: RawEntry): void {
    this.#happened("kept", entry);
  }

  /** See `RecordingWatch`. */
  dropped(entry: RawEntry): void {
    this.#happened("dropped", entry);
  }

  #happened(what: "kept" | "dropped", entry: RawEntry): void {
    if (this.#isOver) return;
    this.#fresh.push({ what, entry });
    this.#schedule();
  }

  /** Writes no more; resolves when nothing is being written. The recording is to be saved behind it. */
  async stop(): Promise<void> {
    this.#end();
    await this.#writing;
  }

  #end(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#fresh = [];
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#writing !== undefined || this.#isOver) return;
    this.#timer = this.#options.clock.after(WRITE_AFTER_MS, () => {
      this.#timer = undefined;
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
        if (this.#fresh.length > 0) this.#schedule();
      });
    });
  }

  async #write(): Promise<void> {
    try {
      this.#takeFresh();
      await Deno.mkdir(this.#options.out, { recursive: true, mode: 0o700 });
      // Ahead of the lines, which nobody could read without it.
      if (this.#count >= this.#tellAt) await this.#writeMeta();
      await this.#writeLines();
    } catch (error) {
      // Whether it can be written is found out once more at its end; until then nothing is told twice.
      this.#end();
      const { out, logger } = this.#options;
      logger.warn("the recording cannot be written while it grows", { out, error });
    }
  }

  #takeFresh(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const { what, entry } of fresh) {
      this.#count += what === "kept" ? 1 : -1;
      if (what === "kept") this.#lines!.add(entry);
      else this.#lines!.drop(entry);
    }
  }

  async #writeLines(): Promise<void> {
    const { out } = this.#options;
    const { entries, changes } = this.#lines!;
    const written = this.#written;
    const isNew = written.lines === 0 || written.changes !== changes;
    const text = formatEntries(isNew ? entries : entries.slice(written.lines));
    const bytes = new TextEncoder().encode(text);
    const size = (isNew ? 0 : written.bytes) + bytes.length;
    // Placeholders and escapes have made it longer than a fixture may be: it stays as it is until the end.
    if (bytes.length === 0 || size > MAX_EXCHANGE_BYTES) return;
    const file = `${out}/${EXCHANGE_FILE}`;
    if (isNew) await replaceFile(file, bytes);
    else await Deno.writeFile(file, bytes, { append: true, create: false });
    this.#written = { lines: entries.length, bytes: size, changes };
  }

  async #writeMeta(): Promise<void> {
    const { out, name, title } = this.#options;
    const recording = this.#growing!.recording();
    this.#tellAt = this.#count >= MAX_TOLD_ENTRIES ? Infinity : 2 * this.#count;
    const clean = (text: string) => this.#lines!.clean(text);
    // What is missing is what would have come.
    const meta = metaOf(factsOf(recording), clean, { name, title }, true);
    await replaceFile(`${out}/${META_FILE}`, new TextEncoder().encode(formatMeta(meta)));
  }
}
