/**
 * Opening a session of the bridge's own at the server.
 *
 * Source: 2025-11-25 basic/lifecycle.
 *
 * @module
 */

import { type CancelSignal, detached, type FieldReader, NEVER_ABORTED } from "../../http/mod.ts";
import { at, CLIENT_INFO, encode, type RpcText, textAt } from "../../rpc/mod.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall } from "../../upstream/mod.ts";
import type { Settings } from "./options.ts";
import { responseIn } from "./responses.ts";
import { refused, refusedWith } from "./session_refusal.ts";
import { sessionFields } from "./toward_server.ts";

/** The revision that is asked for; the server may settle for an earlier one. */
export const NEWEST_SESSION_REVISION = "2025-11-25";

/** Whose session it is, and how it introduces itself. */
export interface SessionSubject {
  /** Id of the principal. */
  readonly principal: string;
  /** The query of their calls. */
  readonly query: string;
  /** The header fields of the call for which it is opened. */
  readonly headers: FieldReader;
  /** The text of the capabilities that it declares. */
  readonly capabilities: string;
  /** The text of who the client is; the proxy where it is undefined. */
  readonly clientInfo: string | undefined;
}

/** What opening one works with. */
export interface OpeningOptions extends SessionSubject {
  /** Settings. */
  readonly settings: Settings;
  /** The server. */
  readonly server: Upstream;
  /** Messages that come beside the answer to a request of the bridge's own. */
  readonly onOther: (message: RpcText) => void;
}

/** A session that is open. */
export interface OpenedSession {
  /** The server's id of it, if it gives one. */
  readonly id: string | undefined;
  /** The revision that the server has settled for. */
  readonly revision: string;
  /** The text of the server's `InitializeResult`. */
  readonly initialized: string;
}

/** A call in a session, or in none yet. */
export function callIn(
  { principal, query, headers: own }: SessionSubject,
  { id, revision }: { id?: string | undefined; revision?: string },
  headers: FieldReader = own,
  signal: CancelSignal = NEVER_ABORTED,
): UpstreamCall {
  const fields = sessionFields(headers, revision);
  return { headers: fields, sessionId: id, principal, query, lastEventId: null, signal };
}

/**
 * Opens a session: `initialize`, under the id `idText`, and that the client is ready.
 *
 * @throws {SessionRefused} where the server will not have it
 * @throws {ProxyError} where the server could not be asked
 */
export async function openSession(options: OpeningOptions, idText: string): Promise<OpenedSession> {
  const { server, settings, capabilities, clientInfo } = options;
  const info = clientInfo ?? JSON.stringify(CLIENT_INFO);
  const params = `{"protocolVersion":"${NEWEST_SESSION_REVISION}","capabilities":${capabilities},` +
    `"clientInfo":${info}}`;
  const text = `{"jsonrpc":"2.0","id":${idText},"method":"initialize","params":${params}}`;
  const answer = await server.exchange(
    { ...callIn(options, {}), method: "initialize" },
    encode(text),
  );
  if (answer.status >= 300) throw await refused(answer, settings);
  const id = answer.sessionId && detached(answer.sessionId);
  try {
    return await opened(options, answer, idText, id);
  } catch (error) {
    // The head has named it: the server has it all the same.
    if (id !== undefined) letGo(server, callIn(options, { id }));
    throw error;
  }
}

/** What follows on the head of the answer to `initialize`. */
async function opened(
  options: OpeningOptions,
  answer: UpstreamAnswer,
  idText: string,
  id: string | undefined,
): Promise<OpenedSession> {
  const { server, settings } = options;
  const reply = await responseIn(answer, idText, options);
  const result = textAt(reply, ["result"]);
  if (result === undefined) throw refusedWith(reply, settings);
  const settled = at(reply.value, "result", "protocolVersion");
  const revision = typeof settled === "string" ? settled : NEWEST_SESSION_REVISION;
  const initialized = '{"jsonrpc":"2.0","method":"notifications/initialized"}';
  const told = await server.notify(callIn(options, { id, revision }), encode(initialized));
  if (told.status >= 300) throw await refused(told, settings);
  told.body.discard();
  return { id, revision, initialized: result };
}

/** Ends a session that nobody has opened; where the server will not, it goes when that lets go of idle ones. */
function letGo(server: Upstream, call: UpstreamCall): void {
  server.terminate(call).then(({ body }) => body.discard(), () => {});
}
