/**
 * An upstream that numbers the events of each call, serves them at its own pace and again behind
 * `Last-Event-ID`, and counts how often each call came.
 *
 * @module
 */

import { initializeResult } from "./messages.ts";
import { jsonAnswer, type ScriptedConnection, scriptedUpstream } from "./scripted_upstream.ts";
import { progress, result } from "./streams.ts";

/** What such an upstream is to do. */
export interface CountedServerOptions {
  /** Events of each call, its answer included. */
  readonly events: number;
  /** Numbers below 1 that decide about pace and breaks. */
  readonly random: () => number;
  /** Longest time between two events, in milliseconds. */
  readonly paceMs: number;
  /** How likely it is that the connection breaks ahead of an event. */
  readonly breaks: number;
}

/** The upstream. */
export interface CountedServer extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: string;
  /** How often each call came, by its id. */
  readonly calls: ReadonlyMap<string, number>;
  /** How often it was asked for the rest of a call. */
  readonly resumes: number;
  /** Connections that it broke off. */
  readonly broken: number;
  /** The data of the events of a call, in order. */
  dataOf(id: string): readonly string[];
}

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "connection: close\r\ntransfer-encoding: chunked\r\n\r\n";

/** Waits in real time, for tests with processes of their own. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Starts it. */
export function countedServer(options: CountedServerOptions): CountedServer {
  const { events, random } = options;
  const calls = new Map<string, number>();
  let [sessions, resumes, broken] = [0, 0, 0];

  const dataOf = (id: string): readonly string[] =>
    Array.from(
      { length: events },
      (_, at) => at + 1 === events ? result(Number(id)) : progress(at + 1),
    );

  /** Sends what stands behind the event number `from`, unless the other side goes or it breaks off. */
  async function serve(id: string, from: number, to: ScriptedConnection): Promise<void> {
    let gone = false;
    void to.closed.then(() => gone = true);
    const data = dataOf(id);
    // Without an event id a call that breaks off is lost; servers send one first for that reason.
    await to.write(HEAD + (from === 0 ? chunk(`id: ${id}:0\ndata: \n\n`) : ""));
    for (let number = from + 1; number <= events && !gone;) {
      await pause(random() * options.paceMs);
      if (random() < options.breaks) {
        broken++;
        return to.close();
      }
      let text = "";
      for (let some = 1 + Math.floor(random() * 3); some > 0 && number <= events; some--) {
        text += `id: ${id}:${number}\ndata: ${data[number++ - 1]}\n\n`;
      }
      await to.write(chunk(text));
    }
    if (!gone) await to.write("0\r\n\r\n");
  }

  const upstream = scriptedUpstream(async (request, to) => {
    const body = new TextDecoder().decode(request.body);
    const last = request.field("last-event-id");
    if (body.includes('"initialize"')) {
      const named = { "mcp-session-id": `s${sessions++}` };
      return await to.write(jsonAnswer(initializeResult("2025-11-25"), named));
    }
    if (last !== undefined) {
      resumes++;
      const [id, number] = last.split(":");
      return await serve(id!, Number(number), to);
    }
    if (!body.includes('"tools/call"')) {
      return await to.write("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
    }
    const id = String(JSON.parse(body).id);
    calls.set(id, (calls.get(id) ?? 0) + 1);
    await serve(id, 0, to);
  });
  return {
    url: upstream.url,
    calls,
    dataOf,
    get resumes() {
      return resumes;
    },
    get broken() {
      return broken;
    },
    [Symbol.asyncDispose]: () => upstream.close(),
  };
}

function chunk(text: string): string {
  return `${new TextEncoder().encode(text).length.toString(16)}\r\n${text}\r\n`;
}
