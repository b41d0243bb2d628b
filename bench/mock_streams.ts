/** The event streams of the mock upstream as ready-made bytes: pure. */

/** The head of an event stream. */
export const STREAM_HEAD =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n" +
  "transfer-encoding: chunked\r\n\r\n";

/** Bytes of an endless stream in one write. */
const ENDLESS_WRITE_BYTES = 16 * 1024;

/** Characters of a dripped event in one write; each takes six bytes there. */
const DRIPPED_WRITE_CHARACTERS = 10 * 1024;

const encoder = new TextEncoder();

function event(message: unknown): string {
  return `data: ${JSON.stringify(message)}\n\n`;
}

function notification(data: unknown): string {
  return event({
    jsonrpc: "2.0",
    method: "notifications/message",
    params: { level: "info", data },
  });
}

function chunk(text: string): Uint8Array {
  return encoder.encode(`${text.length.toString(16)}\r\n${text}\r\n`);
}

/**
 * The notifications of a stream as ready-made chunks, each of whole events.
 *
 * @param chunkBytes a chunk ends with the event that reaches this; 1 makes a chunk of every event
 */
export function streamChunks(events: number, chunkBytes: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let text = "";
  for (let index = 1; index <= events; index++) {
    text += notification(index);
    if (text.length < chunkBytes && index < events) continue;
    chunks.push(chunk(text));
    text = "";
  }
  return chunks;
}

/** What an endless stream writes again and again: a chunk of whole events. */
export function endlessChunk(): Uint8Array {
  const text = notification(0);
  return chunk(text.repeat(Math.floor(ENDLESS_WRITE_BYTES / text.length)));
}

function inChunksOfOneByte(text: string): Uint8Array {
  return encoder.encode([...text].map((character) => `1\r\n${character}\r\n`).join(""));
}

/**
 * One event of `eventBytes`, each byte of it a chunk of its own, gathered in large writes: what the
 * reader of chunks has to do is the most that it can be, and the mock needs little time.
 *
 * @param eventBytes from the first byte of the event to its blank line; at least that of an empty one
 */
export function* drippedWrites(eventBytes: number): Generator<Uint8Array> {
  const empty = notification("");
  const [before = "", after = ""] = [empty.slice(0, empty.lastIndexOf('"')), '"}}\n\n'];
  yield inChunksOfOneByte(before);
  const filler = inChunksOfOneByte("x".repeat(DRIPPED_WRITE_CHARACTERS));
  let left = Math.max(0, eventBytes - before.length - after.length);
  for (; left >= DRIPPED_WRITE_CHARACTERS; left -= DRIPPED_WRITE_CHARACTERS) yield filler;
  yield inChunksOfOneByte("x".repeat(left) + after);
}

/** The response that ends a stream, and the last chunk. */
export function streamEnd(id: unknown): Uint8Array {
  const response = chunk(event({ jsonrpc: "2.0", id, result: { content: [], isError: false } }));
  const last = encoder.encode("0\r\n\r\n");
  const end = new Uint8Array(response.length + last.length);
  end.set(response);
  end.set(last, response.length);
  return end;
}
