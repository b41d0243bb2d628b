/**
 * What checks of requests and refusals share: requests put together byte by byte, what came of them,
 * and whether they reached the server.
 *
 * @module
 */

import { type MockRequest, rpcOf, sessionServer, type SessionServerOptions } from "../mock/mod.ts";
import { type Answer, type Context, expect, type OpenSession } from "../suite/mod.ts";
import { ConnectionClosed } from "../wire/mod.ts";

/** Stands in every request of a check that may not reach the server, so that it can be told there. */
export const MARK = "mark-5e1f";

/** Another one, for a request that is hidden in the first. */
export const HIDDEN = "hidden-8c2d";

/** What came of bytes that were sent: an answer, or a connection closed without one. */
export type Outcome = Answer | "closed";

/** A request put together by hand; lines are without their end. */
export interface RawRequest {
  /** The request line; that of a POST to the endpoint where it is left out. */
  readonly line?: string;
  /** Other fields instead of `Host`. */
  readonly host?: readonly string[];
  /** Whole lines after the usual ones. */
  readonly lines?: readonly string[];
  /** What follows the head, as it is; nothing is said of it in the head. */
  readonly rest?: string;
  /** The end of the head's lines. */
  readonly eol?: string;
}

/** Opens a session with the mock's ordinary server. */
export async function inSession(
  context: Context,
  on: NonNullable<SessionServerOptions["on"]> = {},
  revision?: string,
): Promise<OpenSession> {
  context.mock.use(sessionServer({ on }));
  return await context.openSession(revision);
}

/** A `tools/call` that carries a mark, as JSON. */
export function marked(mark: string = MARK, id: string = "1"): string {
  return `{"jsonrpc":"2.0","id":${id},"method":"tools/call",` +
    `"params":{"name":"echo","arguments":{"mark":"${mark}"}}}`;
}

/** The text of a request put together by hand, with the fields of a session. */
export function rawText(context: Context, session: OpenSession, raw: RawRequest): string {
  const { url } = context.target;
  const { line = `POST ${url.pathname} HTTP/1.1`, host = [`host: ${url.host}`], eol = "\r\n" } =
    raw;
  const usual = { "accept": "application/json, text/event-stream", ...session.fields };
  const named = Object.entries(usual).map(([name, value]) => `${name}: ${value}`);
  const hasType = raw.lines?.some((text) => text.toLowerCase().startsWith("content-type"));
  if (!hasType) named.push("content-type: application/json");
  const head = [line, ...host, ...named, ...raw.lines ?? []];
  return head.map((text) => text + eol).join("") + eol + (raw.rest ?? "");
}

/** A whole ordinary request, for a mark: what a smuggler hides. */
export function hiddenRequest(context: Context, session: OpenSession, mark = HIDDEN): string {
  const body = marked(mark, "66");
  return rawText(context, session, { lines: [`content-length: ${body.length}`], rest: body });
}

/** Sends bytes on a connection of its own; the answer, or that the connection was closed. */
export async function outcomeOf(
  context: Context,
  data: string | Uint8Array,
  method = "POST",
): Promise<Outcome> {
  const client = await context.connect();
  // A proxy may refuse, and close, before it has read everything.
  const written = client.write(data).catch(() => {});
  try {
    const response = await context.within(client.response(method), "the head of the answer");
    return await context.finish(response);
  } catch (error) {
    if (error instanceof ConnectionClosed) return "closed";
    throw error;
  } finally {
    client.close();
    await written;
  }
}

/** Sends a request put together by hand. */
export async function outcomeOfRaw(
  context: Context,
  session: OpenSession,
  raw: RawRequest,
): Promise<Outcome> {
  return await outcomeOf(context, rawText(context, session, raw));
}

/** The status in words. */
export function told(outcome: Outcome): string {
  return outcome === "closed" ? "a closed connection" : `status ${outcome.status}`;
}

/** Whether a request was refused as the client's mistake, by a status or by closing. */
export function isRefusal(outcome: Outcome): boolean {
  if (outcome === "closed") return true;
  return (outcome.status >= 400 && outcome.status < 500) || REFUSALS_OF_HTTP.has(outcome.status);
}

/** "Not implemented" and "HTTP version not supported", which answer requests, not failures. */
const REFUSALS_OF_HTTP = new Set([501, 505]);

/** The requests that reached the server with a mark anywhere in them. */
export function reached(context: Context, mark: string = MARK): readonly MockRequest[] {
  return context.mock.requests.filter(({ text, target, fields }) =>
    text.includes(mark) || target.includes(mark) || fields.some(([, value]) => value.includes(mark))
  );
}

/** The requests that reached the server as a message of their own with a mark in its arguments. */
export function reachedAsMessage(context: Context, mark: string): readonly MockRequest[] {
  return context.mock.requests.filter((request) => {
    const args = rpcOf(request)?.params?.["arguments"];
    return typeof args === "object" && args !== null && "mark" in args && args.mark === mark;
  });
}

/** Fails unless a request was refused and the server saw nothing of it. */
export function expectRefused(context: Context, outcome: Outcome, what: string): void {
  expect(isRefusal(outcome), `${what} got ${told(outcome)}, expected a refusal (4xx)`);
  const { length } = reached(context);
  expect(length === 0, `${what} was refused, but reached the server ${length} times`);
  // A request that was given up in the middle is none; one that is no HTTP was sent on as it came.
  const odd = context.mock.problems.find((problem) => !/cut short|ended inside/.test(problem));
  expect(odd === undefined, `${what} was refused, but sent on, as what is no HTTP/1.1: ${odd}`);
}

/**
 * Fails unless a marked message, framed properly, reached the server. Whether it did once, and byte
 * for byte, is for other checks to say.
 */
export function expectWhole(context: Context, what: string): void {
  const { problems } = context.mock;
  expect(problems.length === 0, `${what}: the server got what is no HTTP/1.1: ${problems[0]}`);
  const text = JSON.stringify(reached(context)[0]?.text.slice(0, 300));
  expect(reachedAsMessage(context, MARK).length > 0, `${what}: the server got the body ${text}`);
}

/**
 * Fails unless a request was refused, or reached the server whole: for what recipients may either
 * refuse or repair.
 */
export function expectRefusedOrWhole(context: Context, outcome: Outcome, what: string): void {
  if (isRefusal(outcome)) return expectRefused(context, outcome, what);
  expectWhole(context, what);
}

/** Bytes of a text as UTF-8. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
