/**
 * Where log lines go: written in the background and in batches, so that no request waits for a
 * terminal or a pipe, and bounded, so that a reader who stands still costs lines and not memory.
 *
 * @module
 */

/** Takes lines; `flush` resolves when what was taken is written. */
export interface LineSink {
  /** Takes one line, without its line break; never waits. */
  write(line: string): void;
  /** Resolves when what was taken is written. */
  flush(): Promise<void>;
}

/** The part of `Deno.stderr` that is used. */
export interface ByteWriter {
  /** Writes some of the bytes and resolves with how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Bytes that may wait to be written before lines are dropped. */
const MAX_WAITING_CHARACTERS = 1 << 20;

/** A sink on `writer`; past `maxWaiting` characters lines are counted and dropped, and the count is told. */
export function lineSink(
  writer: ByteWriter,
  maxWaiting: number = MAX_WAITING_CHARACTERS,
): LineSink {
  const encoder = new TextEncoder();
  let waiting = "";
  let dropped = 0;
  let running: Promise<void> | undefined;

  async function drain(): Promise<void> {
    // One turn of the event loop gathers the lines of requests that end together.
    await Promise.resolve();
    while (waiting !== "") {
      const batch = encoder.encode(waiting);
      waiting = "";
      await writeAll(writer, batch);
      if (dropped > 0) {
        waiting = `{"level":"warn","message":"log lines dropped","count":${dropped}}\n${waiting}`;
        dropped = 0;
      }
    }
    running = undefined;
  }

  return {
    write(line) {
      if (waiting.length + line.length > maxWaiting) {
        dropped++;
        return;
      }
      waiting += line + "\n";
      running ??= drain().catch(() => {
        // Nobody is left to tell when stderr itself is gone.
        waiting = "";
        running = undefined;
      });
    },
    flush: () => running ?? Promise.resolve(),
  };
}

async function writeAll(writer: ByteWriter, bytes: Uint8Array): Promise<void> {
  let at = 0;
  while (at < bytes.length) at += await writer.write(bytes.subarray(at));
}

/** The sink of this process's stderr. */
export function stderrSink(): LineSink {
  return lineSink(Deno.stderr);
}
