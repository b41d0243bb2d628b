/**
 * An upstream on a bare socket that answers with whatever bytes a test wants.
 *
 * @module
 */

/** A request as it arrived. */
export interface ReceivedRequest {
  /** The first line. */
  readonly line: string;
  /** Field names in lower case, in order; a repeated field stands as often as it came. */
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
  /** The first value of a field. */
  field(name: string): string | undefined;
}

/** The connection a request came on. */
export interface ScriptedConnection {
  write(data: string | Uint8Array): Promise<void>;
  /** Closes it; with `reset`, there and then, whatever is unread. */
  close(): void;
  /** Resolves when the other side has closed or reset it. */
  readonly closed: Promise<void>;
  /** The number of this connection, from 0. */
  readonly number: number;
}

/** Answers one request. */
export type Script = (
  request: ReceivedRequest,
  connection: ScriptedConnection,
) => Promise<void> | void;

/** An upstream that runs. */
export interface ScriptedUpstream extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: string;
  /** Every request that arrived whole, in order. */
  readonly requests: readonly ReceivedRequest[];
  /** Resolves with the request number `index` once it is there. */
  received(index: number): Promise<ReceivedRequest>;
  /** Ends it, once or more: nobody listens at its address then. */
  close(): Promise<void>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

/** Starts an upstream on a free loopback port. */
export function scriptedUpstream(script: Script): ScriptedUpstream {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests: ReceivedRequest[] = [];
  const waiting: { index: number; resolve: (request: ReceivedRequest) => void }[] = [];
  const connections = new Set<Deno.TcpConn>();
  const running: Promise<void>[] = [];

  function note(request: ReceivedRequest): void {
    requests.push(request);
    for (const { index, resolve } of waiting) {
      const wanted = requests[index];
      if (wanted !== undefined) resolve(wanted);
    }
  }

  const accepting = (async () => {
    let number = 0;
    for await (const connection of listener) {
      connections.add(connection);
      running.push(serveConnection(connection, number++, script, note));
    }
  })();

  let isClosed = false;

  async function close(): Promise<void> {
    if (isClosed) return;
    isClosed = true;
    listener.close();
    for (const connection of connections) closeQuietly(connection);
    await accepting.catch(() => {});
    await Promise.all(running);
  }

  return {
    url: `http://127.0.0.1:${listener.addr.port}/mcp`,
    requests,
    received(index) {
      const here = requests[index];
      if (here !== undefined) return Promise.resolve(here);
      return new Promise((resolve) => waiting.push({ index, resolve }));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function serveConnection(
  connection: Deno.TcpConn,
  number: number,
  script: Script,
  note: (request: ReceivedRequest) => void,
): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const scripts: Promise<void>[] = [];
  connection.setNoDelay(true);
  const scripted: ScriptedConnection = {
    number,
    closed,
    write: (data) => writeAll(connection, data),
    close: () => closeQuietly(connection),
  };
  let buffer = "";
  const piece = new Uint8Array(65_536);
  for (;;) {
    const read = await connection.read(piece).catch(() => null);
    if (read === null) break;
    buffer += decoder.decode(piece.subarray(0, read));
    for (let taken = takeRequest(buffer); taken !== undefined; taken = takeRequest(buffer)) {
      buffer = taken.rest;
      note(taken.request);
      scripts.push((async () => await script(taken!.request, scripted))().catch(() => {}));
    }
  }
  resolve();
  await Promise.all(scripts);
  closeQuietly(connection);
}

function takeRequest(text: string): { request: ReceivedRequest; rest: string } | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [line, ...lines] = text.slice(0, headEnd).split("\r\n");
  const fields = lines.map((one): [string, string] => {
    const colon = one.indexOf(":");
    return [one.slice(0, colon).toLowerCase(), one.slice(colon + 1).trim()];
  });
  const field = (name: string) => fields.find(([key]) => key === name)?.[1];
  const length = Number(field("content-length") ?? 0);
  const bodyStart = headEnd + 4;
  if (text.length < bodyStart + length) return undefined;
  const bodyText = text.slice(bodyStart, bodyStart + length);
  const body = Uint8Array.from(bodyText, (character) => character.charCodeAt(0));
  return { request: { line: line!, fields, body, field }, rest: text.slice(bodyStart + length) };
}

async function writeAll(connection: Deno.TcpConn, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  let at = 0;
  while (at < bytes.length) at += await connection.write(bytes.subarray(at));
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}

/** A whole JSON answer as bytes on the wire, with more fields where given. */
export function jsonAnswer(
  body: string,
  fields: Readonly<Record<string, string>> = {},
  status = "200 OK",
): string {
  const lines = Object.entries({
    "content-type": "application/json",
    "content-length": String(encoder.encode(body).length),
    ...fields,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join("")}\r\n${body}`;
}
