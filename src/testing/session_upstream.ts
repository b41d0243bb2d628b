/**
 * An upstream that gives each client a session of its own and can forget them all, as if it had restarted.
 *
 * @module
 */

import { initializeResult } from "./messages.ts";
import {
  jsonAnswer,
  type ReceivedRequest,
  type ScriptedConnection,
  type ScriptedUpstream,
  scriptedUpstream,
} from "./scripted_upstream.ts";

/** What it does otherwise; true where a request was answered. */
export type Instead = (
  request: SessionRequest,
  to: ScriptedConnection,
) => boolean | Promise<boolean>;

/** A request as it arrived, and what is in it. */
export interface SessionRequest extends ReceivedRequest {
  /** The JSON-RPC method, or that of HTTP where there is none. */
  readonly method: string;
  /** The session it names. */
  readonly session: string | undefined;
  readonly message: {
    readonly id?: unknown;
    readonly method?: string;
    readonly params?: Readonly<Record<string, unknown>>;
  };
  readonly text: string;
}

/** An upstream with sessions. */
export interface SessionUpstream extends ScriptedUpstream {
  /** Every request that arrived: `method@session`, or `method` alone. */
  told(from?: number): string[];
  /** Lets all sessions go. */
  forget(): void;
}

/** A 404 for a session that is not known. */
export const UNKNOWN = jsonAnswer(
  '{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}',
  {},
  "404 Not Found",
);

const ACCEPTED = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

/** What is in a request. */
export function sessionRequest(request: ReceivedRequest): SessionRequest {
  const text = new TextDecoder().decode(request.body);
  const message = text === "" ? {} : JSON.parse(text) as SessionRequest["message"];
  const method = message.method ?? request.line.split(" ")[0]!;
  return { ...request, method, session: request.field("mcp-session-id"), message, text };
}

/**
 * Starts one. Its sessions are `inner-1`, `inner-2` and so on; a request is answered with its own `params`
 * and its session, one of a session that is not known with `unknown`. Where it `keeps` no connections nothing
 * is ever sent on one that it has closed.
 */
export function sessionUpstream(
  { instead = () => false, unknown = UNKNOWN, keeps = true, capabilities = {} }: {
    readonly instead?: Instead;
    readonly unknown?: string;
    readonly keeps?: boolean;
    readonly capabilities?: Readonly<Record<string, unknown>>;
  } = {},
): SessionUpstream {
  let begun = 0;
  let known = new Set<string>();
  const upstream = scriptedUpstream(async (received, connection) => {
    const to = keeps ? connection : unkept(connection);
    const request = sessionRequest(received);
    const { method, session, message: { id, params } } = request;
    if (await instead(request, to)) return;
    if (method === "initialize" && session === undefined) {
      const name = `inner-${++begun}`;
      known.add(name);
      const told = JSON.parse(initializeResult());
      const result = JSON.stringify({ ...told, id, result: { ...told.result, capabilities } });
      return await to.write(jsonAnswer(result, { "mcp-session-id": name }));
    }
    if (session === undefined || !known.has(session)) return await to.write(unknown);
    if (id === undefined) return await to.write(ACCEPTED);
    const result = { method, params };
    await to.write(jsonAnswer(JSON.stringify({ jsonrpc: "2.0", id, result })));
  });
  return {
    ...upstream,
    told: (from = 0) =>
      upstream.requests.slice(from).map(sessionRequest)
        .map(({ method, session }) => session === undefined ? method : `${method}@${session}`),
    forget: () => void (known = new Set()),
  };
}

/** A second is what is taken off the time for which a connection is kept. */
function unkept(connection: ScriptedConnection): ScriptedConnection {
  const field = "\r\nkeep-alive: timeout=1\r\n";
  return {
    ...connection,
    write: (data) =>
      connection.write(typeof data === "string" ? data.replace("\r\n", field) : data),
  };
}
