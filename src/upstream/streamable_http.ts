/**
 * An upstream that speaks Streamable HTTP, revisions 2025-03-26 to 2026-07-28.
 *
 * @module
 */

import { detached, type FieldList, Fields, ReadFields } from "../http/mod.ts";
import { fieldLines } from "../http1/mod.ts";
import { EVENT_STREAM } from "../sse/mod.ts";
import type {
  HttpAnswer,
  HttpClient,
  HttpRequest,
  HttpTarget,
  HttpTimeouts,
} from "./http_client.ts";
import { requestFields, withDashes } from "./fields.ts";
import { toldBy } from "./told_fields.ts";
import type { Upstream, UpstreamAnswer, UpstreamCall, WholeAnswer } from "./upstream.ts";

/** Where the server is and how it is spoken to. */
export interface StreamableHttpOptions {
  /** Path of the MCP endpoint. */
  readonly path: string;
  /** The configured query with its `?`, or empty. */
  readonly query: string;
  /** Fields that replace the client's. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the client's credentials go upstream. */
  readonly forwardCredentials: boolean;
  /** Fields, in lower case, that hold credentials for the proxy itself and never go upstream (R93). */
  readonly withheld: readonly string[];
  /** Where the server is, which its challenges may name; left out where that is not known. */
  readonly target?: HttpTarget | undefined;
  /** Told of each challenge: path and query of the server's metadata, where it names some at its own origin. */
  readonly onChallenge?: ((metadata: string | undefined) => void) | undefined;
  /** Deadlines. */
  readonly timeouts: HttpTimeouts;
}

/** The fields of a request as they go upstream. */
type SentHead = Pick<HttpRequest, "fields" | "lines">;

/** Those of the last POST with the same fields of its client, and what else they were made of. */
interface LastSent {
  readonly by: object;
  readonly sessionId: string | undefined;
  readonly lastEventId: UpstreamCall["lastEventId"];
  readonly head: SentHead;
}

/** Derives what a client's fields were sent as last: by whichever upstream, or there would be one for each target. */
const SENT = {};

const ACCEPT_ANSWER = "application/json, text/event-stream";

/** An upstream on `client`, which it owns and closes. */
export function streamableHttpUpstream(
  client: HttpClient,
  options: StreamableHttpOptions,
): Upstream {
  const headOf = heads(options);
  const keeper = {};
  const told = (fields: FieldList) => toldBy(fields, options.forwardCredentials, options.target);

  async function send(
    method: "POST" | "GET" | "DELETE",
    call: UpstreamCall,
    accept: string,
    body: Uint8Array | null,
    onWhole?: WholeAnswer,
  ): Promise<UpstreamAnswer> {
    const { fields, lines } = headOf(method, call, accept);
    let early: UpstreamAnswer | undefined;
    const tell = onWhole && ((whole: HttpAnswer) => {
      const answer = seen(whole);
      if (answer.status !== 200 || answer.kind !== "json") return;
      early = answer;
      onWhole(answer);
    });
    const answer = await client.send({
      method,
      path: targetOf(options, call.query),
      fields,
      lines,
      body,
      signal: call.signal,
      timeouts: options.timeouts,
      fresh: call.fresh,
      onWhole: tell,
    });
    return early ?? seen(answer);
  }

  /** An answer as it is seen above. */
  function seen({ status, fields, body }: HttpAnswer): UpstreamAnswer {
    const { passed, sessionId, kind, challenged, metadata } = fields instanceof ReadFields
      ? fields.derived(keeper, told)
      : told(fields);
    const headers = new Fields(passed.slice());
    // Beside an answer that is no refusal a challenge would be passed on unseen.
    if (challenged && status < 400) headers.delete("www-authenticate");
    else if (challenged) options.onChallenge?.(metadata);
    return { status, headers, sessionId, kind, body };
  }

  return {
    exchange: (call, body, onWhole) => send("POST", call, ACCEPT_ANSWER, body, onWhole),
    notify: (call, body) => send("POST", call, ACCEPT_ANSWER, body),
    listen: (call) => send("GET", call, EVENT_STREAM, null),
    terminate: (call) => send("DELETE", call, ACCEPT_ANSWER, null),
    close: () => client.close(),
  };
}

/** Gives the fields of a call; those of the one before, where a client says the same again. */
function heads(
  options: StreamableHttpOptions,
): (method: string, call: UpstreamCall, accept: string) => SentHead {
  const fixed = fixedFields(options.headers);
  const replaced = Object.keys(options.headers).map((name) => name.toLowerCase());
  const withheld = withDashes([...options.withheld, ...replaced]);
  const keeper = {};

  const fieldsOf = (method: string, call: UpstreamCall, accept: string) => [
    ...clientFields(method, call, options, withheld),
    "accept",
    accept,
    ...fixed,
  ];

  return (method, call, accept) => {
    const { headers, sessionId, lastEventId } = call;
    const isKept = method === "POST" && typeof lastEventId !== "string";
    if (!isKept || !(headers instanceof ReadFields)) {
      return { fields: fieldsOf(method, call, accept) };
    }
    const kept = headers.derived<{ last?: LastSent }>(SENT, () => ({}));
    const { last } = kept;
    const isSame = last?.by === keeper && last.sessionId === sessionId &&
      last.lastEventId === lastEventId;
    if (isSame) return last.head;
    const fields = fieldsOf(method, call, accept);
    const head = { fields, lines: linesOf(fields) };
    kept.last = { by: keeper, sessionId, lastEventId, head };
    return head;
  };
}

/** Fields as text of their own; undefined where they cannot be written, which the client is to say (R16). */
function linesOf(fields: readonly string[]): string | undefined {
  try {
    return detached(fieldLines(fields));
  } catch {
    return undefined;
  }
}

/** The client's query is passed on, unless the configured URL has one: the config decides (R95). */
function targetOf(options: StreamableHttpOptions, query: string): string {
  return options.path + (options.query === "" ? query : options.query);
}

function fixedFields(headers: Readonly<Record<string, string>>): string[] {
  const fields = ["accept-encoding", "identity"];
  for (const [name, value] of Object.entries(headers)) fields.push(name.toLowerCase(), value);
  return fields;
}

function clientFields(
  method: string,
  call: UpstreamCall,
  options: StreamableHttpOptions,
  withheld: ReadonlySet<string>,
): string[] {
  const fields = requestFields(call.headers, options.forwardCredentials, withheld);
  const hasOwnId = call.lastEventId !== undefined;
  const kept: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!;
    if (name === "accept") continue;
    if (hasOwnId && name === "last-event-id") continue;
    // A stream that answers a POST is resumed with the fields of that POST.
    if (hasOwnId && method === "GET" && name === "content-type") continue;
    kept.push(name, fields[at + 1]!);
  }
  if (typeof call.lastEventId === "string") kept.push("last-event-id", call.lastEventId);
  if (call.sessionId !== undefined) kept.push("mcp-session-id", call.sessionId);
  return kept;
}
