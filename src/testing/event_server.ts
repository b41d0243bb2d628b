/**
 * An upstream with sessions whose streams a test writes event by event, and breaks where it likes.
 *
 * @module
 */

import {
  type ReceivedRequest,
  type ScriptedConnection,
  type ScriptedUpstream,
  scriptedUpstream,
} from "./scripted_upstream.ts";
import { initializeResult } from "./messages.ts";
import { jsonAnswer } from "./scripted_upstream.ts";

/** A stream that the server has begun. */
export interface ServerStream {
  /** The request that it answers. */
  readonly request: ReceivedRequest;
  /** Writes text as one chunk. */
  send(text: string): Promise<void>;
  /** Ends it as its framing says. */
  end(): Promise<void>;
  /** Breaks the connection off. */
  breakOff(): void;
  /** Resolves when the other side has gone. */
  readonly closed: Promise<void>;
}

/** The server, and the streams it was asked for. */
export interface EventServer extends ScriptedUpstream {
  /** The stream number `index`, from 0, once it was asked for. */
  stream(index: number): Promise<ServerStream>;
  /** How many streams it was asked for. */
  readonly streams: number;
}

/** Its connection closes behind a stream, so that a test can wait for that. */
const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "connection: close\r\ntransfer-encoding: chunked\r\n\r\n";

/** What the server does otherwise; true where `answer` has answered the request. */
export type Otherwise = (
  request: ReceivedRequest,
  to: ScriptedConnection,
) => boolean | Promise<boolean>;

/** A server that opens a session, and answers each call and GET with a stream. */
export function eventServer(
  { revision = "2025-11-25", sessionId = "inner", otherwise = () => false }: {
    readonly revision?: string;
    readonly sessionId?: string;
    readonly otherwise?: Otherwise;
  } = {},
): EventServer {
  const streams: ServerStream[] = [];
  const waiting: (() => void)[] = [];
  const upstream = scriptedUpstream(async (request, to) => {
    const body = new TextDecoder().decode(request.body);
    const named = { "mcp-session-id": sessionId };
    if (await otherwise(request, to)) return;
    if (body.includes('"initialize"')) {
      return await to.write(jsonAnswer(initializeResult(revision), named));
    }
    if (request.line.startsWith("DELETE") || (body !== "" && !body.includes('"id"'))) {
      return await to.write("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
    }
    await to.write(HEAD);
    streams.push(serverStream(request, to));
    for (const wake of waiting.splice(0)) wake();
  });
  return {
    ...upstream,
    get streams() {
      return streams.length;
    },
    async stream(index) {
      while (streams[index] === undefined) {
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      return streams[index];
    },
  };
}

function serverStream(request: ReceivedRequest, to: ScriptedConnection): ServerStream {
  return {
    request,
    send: (text) => {
      const { length } = new TextEncoder().encode(text);
      return to.write(`${length.toString(16)}\r\n${text}\r\n`);
    },
    end: () => to.write("0\r\n\r\n"),
    breakOff: () => to.close(),
    closed: to.closed,
  };
}
