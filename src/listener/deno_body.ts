/**
 * Reading the body of a `Request` within bounds of size and time (R32).
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { ProxyError } from "../errors.ts";
import type { BodyLimits } from "./server.ts";

/** Up to this length, in bytes, a body of known length is read in one piece. */
const ONE_PIECE_BYTES = 65_536;

/**
 * The whole body.
 *
 * @throws {ProxyError} `payload_too_large` before more than the limit is held, `body_timeout`,
 * `client_closed` where the client went away in the middle.
 */
export async function readBody(
  request: Request,
  limits: BodyLimits,
  clock: Clock,
): Promise<Uint8Array> {
  const declared = declaredLength(request.headers);
  if (declared !== undefined && declared > limits.maxRequestBytes) throw tooLarge(limits);
  // Asking for `request.body` makes a stream, which costs more than reading a usual body does.
  const inOnePiece = declared !== undefined && declared <= ONE_PIECE_BYTES;
  const reader = inOnePiece ? undefined : request.body?.getReader();
  const reading = reader === undefined ? request.bytes() : readPieces(reader, limits);
  if (await isThere(reading)) return await reading;
  return await withDeadline(reading, limits, clock, () => {
    reader?.cancel().catch(() => {
      // The connection is gone already.
    });
  });
}

/** Turns of the microtask queue in which a body that came with its head is read; measured: 2. */
const READY_TURNS = 4;

/** Whether a body is there already: then it needs no timer, which would cost more than reading it. */
async function isThere(reading: Promise<Uint8Array>): Promise<boolean> {
  let isRead = false;
  reading.then(() => isRead = true, () => {
    // Told by whoever waits for it.
  });
  for (let turn = 0; turn < READY_TURNS && !isRead; turn++) await undefined;
  return isRead;
}

/** The length that the head declares; undefined where it declares none, or is odd about it. */
function declaredLength(headers: Headers): number | undefined {
  const text = headers.get("content-length");
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

async function readPieces(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  limits: BodyLimits,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > limits.maxRequestBytes) {
      await reader.cancel();
      throw tooLarge(limits);
    }
    pieces.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

async function withDeadline(
  reading: Promise<Uint8Array>,
  limits: BodyLimits,
  clock: Clock,
  onTimeout: () => void,
): Promise<Uint8Array> {
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = clock.after(limits.requestBodyTimeoutMs, () => {
    onTimeout();
    reject(
      new ProxyError(
        "body_timeout",
        `The request body did not arrive within ${limits.requestBodyTimeoutMs} ms.`,
      ),
    );
  });
  try {
    return await Promise.race([reading, timeout]);
  } catch (error) {
    reading.catch(() => {
      // Told already, by the deadline.
    });
    if (error instanceof ProxyError) throw error;
    throw new ProxyError("client_closed", "The request body broke off.", { cause: error });
  } finally {
    timer.cancel();
  }
}

function tooLarge(limits: BodyLimits): ProxyError {
  return new ProxyError(
    "payload_too_large",
    `The request body is larger than ${limits.maxRequestBytes} bytes, which is the limit here.`,
    { headers: { connection: "close" } },
  );
}
