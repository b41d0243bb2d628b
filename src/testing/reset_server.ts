/**
 * An upstream that keeps the events of its streams, replays them behind `Last-Event-ID`, and breaks
 * each connection off at a random byte until a stream is out.
 *
 * @module
 */

import { seededRandom } from "../http1/fuzz_cases.ts";
import { initializeResult } from "./messages.ts";
import {
  jsonAnswer,
  type ReceivedRequest,
  type ScriptedConnection,
  type ScriptedUpstream,
  scriptedUpstream,
} from "./scripted_upstream.ts";
import { result } from "./streams.ts";

/** What a model upstream is to do. */
export interface ResetServerOptions {
  /** The same seed gives each stream the same events, chunks and resets. */
  readonly seed: number;
  /** Events of each stream, the answer of a call included. */
  readonly events: number;
  /** Whether events have ids. */
  readonly ids: boolean;
  /** A connection breaks within so many bytes, if its stream is not out before. */
  readonly resetWithin: number;
}

/** The upstream. */
export interface ResetServer extends ScriptedUpstream {
  /** How many connections it has broken off in the middle of a stream. */
  readonly resets: number;
  /** The data of all events of the stream that answers a call, or of the first GET of a session. */
  dataOf(key: string): readonly string[];
}

interface ModelStream {
  readonly random: () => number;
  readonly data: readonly string[];
  readonly bytes: readonly Uint8Array[];
}

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "connection: close\r\ntransfer-encoding: chunked\r\n\r\n";
const LINE_ENDS = ["\n", "\r\n", "\r"];
const TEXTS = ["", "x", "\u20ac\u2028\u{1f680}", "data: id: 7 ", '\\"', "y".repeat(150)];
const encoder = new TextEncoder();

/** Starts it. */
export function resetServer(options: ResetServerOptions): ResetServer {
  const streams = new Map<string, ModelStream>();
  let [resets, sessions] = [0, 0];

  function streamOf(key: string): ModelStream {
    let stream = streams.get(key);
    if (stream === undefined) streams.set(key, stream = modelStream(key, options));
    return stream;
  }

  async function serve(key: string, from: number, to: ScriptedConnection): Promise<void> {
    const stream = streamOf(key);
    const wire = chunked(stream, from, options.resetWithin, isCall(key));
    // Without an event id a call that breaks off is lost; servers send one first for that reason.
    const first = options.ids && from === 0 && isCall(key) ? `id: ${key}:0\ndata: \n\n` : "";
    const at = Math.floor(stream.random() * options.resetWithin);
    const breaks = at < wire.length;
    if (breaks) resets++;
    const sent = breaks ? wire.subarray(0, at) : wire;
    const cut = Math.floor(stream.random() * sent.length);
    await to.write(HEAD);
    if (first !== "") await to.write(`${first.length.toString(16)}\r\n${first}\r\n`);
    await to.write(sent.subarray(0, cut));
    await to.write(sent.subarray(cut));
    if (breaks) to.close();
  }

  const upstream = scriptedUpstream(async (request, to) => {
    const body = new TextDecoder().decode(request.body);
    if (body.includes('"initialize"')) {
      const named = { "mcp-session-id": `s${sessions++}` };
      return await to.write(jsonAnswer(initializeResult(), named));
    }
    const { key, from } = askedFor(request, body);
    await serve(key, from, to);
  });
  return {
    ...upstream,
    get resets() {
      return resets;
    },
    dataOf: (key) => streamOf(key).data,
  };
}

function isCall(key: string): boolean {
  return /^\d+$/.test(key);
}

/** Which stream a request is about, and how many of its events are there already. */
function askedFor(request: ReceivedRequest, body: string): { key: string; from: number } {
  const last = request.field("last-event-id");
  if (last !== undefined) {
    const [, key, number] = /^(\w+):(\d+)/.exec(last)!;
    return { key: key!, from: Number(number) };
  }
  const key = body === "" ? request.field("mcp-session-id")! : String(JSON.parse(body).id);
  return { key, from: 0 };
}

function modelStream(key: string, { seed, events, ids }: ResetServerOptions): ModelStream {
  const random = seededRandom([...key].reduce((sum, char) => sum * 31 + char.charCodeAt(0), seed));
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const data: string[] = [];
  const bytes: Uint8Array[] = [];
  for (let number = 1; number <= events; number++) {
    const isAnswer = isCall(key) && number === events;
    const text = isAnswer
      ? result(Number(key))
      : `{"n":${number},"of":"${key}","t":"${pick(TEXTS)}"}`;
    const end = pick(LINE_ENDS);
    const lines = [
      ...(random() < 0.2 ? [": a comment"] : []),
      ...(ids ? [`id: ${key}:${number}${pick(["", " \u00e9\u20ac", "-".repeat(20)])}`] : []),
      ...(random() < 0.5 ? ["event: message"] : []),
      `data: ${text}`,
    ];
    data.push(text);
    bytes.push(encoder.encode(lines.join(end) + end + end));
  }
  return { random, data, bytes };
}

/** The stream behind its first `from` events in random chunks, or more than `enough` bytes of it. */
function chunked(
  { random, bytes }: ModelStream,
  from: number,
  enough: number,
  ends: boolean,
): Uint8Array {
  const wire: number[] = [];
  let rest: number[] = [];
  let next = from;
  while (wire.length <= enough && (next < bytes.length || rest.length > 0)) {
    while (rest.length < 200 && next < bytes.length) rest.push(...bytes[next++]!);
    const chunk = rest.slice(0, 1 + Math.floor(random() * 120));
    rest = rest.slice(chunk.length);
    wire.push(...encoder.encode(`${chunk.length.toString(16)}\r\n`), ...chunk, 13, 10);
  }
  if (next >= bytes.length && rest.length === 0 && ends) wire.push(...encoder.encode("0\r\n\r\n"));
  return new Uint8Array(wire);
}
