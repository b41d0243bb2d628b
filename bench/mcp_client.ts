/** One MCP client on one connection, with the session it was given where its revision has sessions. */

import { type Answer, ExchangeError, HttpClient, type Watchdog } from "./http_client.ts";
import {
  CALL_TOOL,
  type CallTemplate,
  callTemplate,
  deleteBytes,
  DRIP_TOOL,
  type Endpoint,
  EventCounter,
  FIRST_REQUEST_ID,
  initializeBody,
  initializedBody,
  modernCallTemplate,
  postBytes,
  setRequestId,
  STREAM_TOOL,
} from "./mcp_messages.ts";

/** Something to measure: the mock itself, or a proxy before it. */
export interface Target {
  readonly name: string;
  readonly endpoint: Endpoint;
  /** The process, where the bench started it. */
  readonly pid?: number;
  /** Whether its clients speak the revision without sessions. */
  readonly isModern?: boolean;
  /** The API key that such clients send. */
  readonly key?: string;
}

/** Deadline of an ordinary exchange, beyond the service time it asks for. */
const EXCHANGE_DEADLINE_MS = 15_000;

/** A call's answer is never shorter than this. */
const LEAST_ANSWER_BYTES = 250;

/** How long a stream took to its first event and to its end, and the bytes of its body. */
interface StreamTimes {
  readonly firstEventMs: number;
  readonly elapsedMs: number;
  readonly bytes: number;
}

/** A client that can make calls: one that has initialized, or a modern one. */
export class McpClient {
  readonly #target: Target;
  readonly #http: HttpClient;
  readonly #calls = new Map<number, CallTemplate>();
  #sessionId: string | undefined;
  #nextId = FIRST_REQUEST_ID;

  private constructor(target: Target, http: HttpClient) {
    this.#target = target;
    this.#http = http;
  }

  /**
   * Connects, initializes, and says that it is initialized; a modern client connects alone.
   *
   * @param deadlineMs the longest an exchange may take
   */
  static async open(
    target: Target,
    watchdog: Watchdog,
    deadlineMs = EXCHANGE_DEADLINE_MS,
  ): Promise<McpClient> {
    const http = await named(target, HttpClient.connect(target.endpoint, watchdog, deadlineMs));
    const client = new McpClient(target, http);
    if (target.isModern !== true) await client.#initialize();
    return client;
  }

  async #initialize(): Promise<void> {
    const { endpoint } = this.#target;
    const body = initializeBody(this.#nextId++);
    const answer = await this.#exchange(postBytes(endpoint, body, undefined));
    this.#expect(answer.status === 200, answer, "to initialize");
    this.#expect(answer.sessionId !== undefined, answer, "to initialize, without a session id");
    this.#sessionId = answer.sessionId;
    const said = await this.#exchange(postBytes(endpoint, initializedBody(), this.#sessionId));
    this.#expect(said.status === 202, said, "to notifications/initialized");
  }

  /**
   * Makes one call and checks that the answer is to this call.
   *
   * @param serviceMs how long the mock takes
   * @returns the time from the first byte written to the last byte read, in milliseconds
   */
  async call(serviceMs: number): Promise<number> {
    const template = this.#template(serviceMs);
    const id = this.#nextId++;
    setRequestId(template, id);
    const startMs = performance.now();
    const answer = await this.#exchange(template.bytes);
    const elapsedMs = performance.now() - startMs;
    this.#checkCall(answer);
    const named = this.#http.body.text().includes(`"id":${id}`);
    this.#expect(named, answer, `to call ${id}, which does not name it`);
    return elapsedMs;
  }

  /** Makes one call for its throughput: status, type and length are checked, the text is not read. */
  async callUnread(): Promise<void> {
    const template = this.#template(0);
    setRequestId(template, this.#nextId++);
    this.#checkCall(await this.#exchange(template.bytes));
  }

  /**
   * Asks for an event stream and counts it to its end.
   *
   * @param events notifications to ask for; the response at the end is one more event
   * @param writeBytes what the mock gathers into one write, at least one event
   * @returns the time from the first byte written to the last byte read, in milliseconds
   */
  async stream(events: number, writeBytes: number): Promise<number> {
    const { elapsedMs } = await this.#streamed(STREAM_TOOL, { events, writeBytes }, events + 1);
    return elapsedMs;
  }

  /**
   * Asks for an event stream of one notification and the response.
   *
   * @returns the time from the first byte written to the end of the first event, in milliseconds
   */
  async firstEvent(): Promise<number> {
    const { firstEventMs } = await this.#streamed(STREAM_TOOL, { events: 1, writeBytes: 1 }, 2);
    return firstEventMs;
  }

  /**
   * Asks for one large notification that comes in chunks of one byte, and the response.
   *
   * @returns the time from the first byte written to the last byte read, in milliseconds
   */
  async drip(eventBytes: number): Promise<number> {
    const { elapsedMs, bytes } = await this.#streamed(DRIP_TOOL, { eventBytes }, 2);
    if (bytes >= eventBytes) return elapsedMs;
    throw new ExchangeError(`${this.#target.name}: ${bytes} bytes of an event of ${eventBytes}`);
  }

  async #streamed(
    tool: string,
    asked: Readonly<Record<string, number>>,
    events: number,
  ): Promise<StreamTimes> {
    const template = callTemplate(this.#target.endpoint, this.#sessionId, tool, asked);
    setRequestId(template, this.#nextId++);
    const counter = new EventCounter();
    let firstMs = 0;
    let bytes = 0;
    const startMs = performance.now();
    const answer = await this.#exchange(template.bytes, (piece) => {
      counter.push(piece);
      bytes += piece.length;
      if (firstMs === 0 && counter.events > 0) firstMs = performance.now();
    });
    const elapsedMs = performance.now() - startMs;
    const streamed = answer.status === 200 && answer.contentType.startsWith("text/event-stream");
    this.#expect(streamed, answer, "where a stream was asked for");
    const seen = counter.events;
    this.#expect(seen === events, answer, `with ${seen} events in place of ${events}`);
    return { firstEventMs: firstMs - startMs, elapsedMs, bytes };
  }

  /** The session it was given. */
  get sessionId(): string | undefined {
    return this.#sessionId;
  }

  /** Ends the session; streams of it that a proxy keeps for clients that come back end with it. */
  async endSession(): Promise<void> {
    const answer = await this.#exchange(deleteBytes(this.#target.endpoint, this.#sessionId));
    this.#expect(answer.status >= 200 && answer.status < 300, answer, "to the end of a session");
  }

  /** Closes the connection. */
  close(): void {
    this.#http.close();
  }

  #template(serviceMs: number): CallTemplate {
    let template = this.#calls.get(serviceMs);
    if (template === undefined) {
      const { endpoint, isModern, key } = this.#target;
      template = isModern === true
        ? modernCallTemplate(endpoint, key, CALL_TOOL, { serviceMs })
        : callTemplate(endpoint, this.#sessionId, CALL_TOOL, { serviceMs });
      this.#calls.set(serviceMs, template);
    }
    return template;
  }

  #checkCall(answer: Answer): void {
    const whole = answer.status === 200 && this.#http.body.length >= LEAST_ANSWER_BYTES &&
      answer.contentType.startsWith("application/json");
    this.#expect(whole, answer, `with ${this.#http.body.length} bytes to a call`);
  }

  #exchange(request: Uint8Array, sink?: (bytes: Uint8Array) => void): Promise<Answer> {
    return named(this.#target, this.#http.exchange(request, sink));
  }

  #expect(holds: boolean, answer: Answer, what: string): void {
    if (holds) return;
    const type = answer.contentType === "" ? "" : ` ${answer.contentType}`;
    throw new ExchangeError(`${this.#target.name} answered ${answer.status}${type} ${what}`);
  }
}

/** Puts the target's name before the message of a failure. */
async function named<T>(target: Target, step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    throw new ExchangeError(`${target.name}: ${(error as Error).message}`);
  }
}

/** Opens a number of clients one after the other. */
export async function openClients(
  target: Target,
  count: number,
  watchdog: Watchdog,
): Promise<McpClient[]> {
  const clients: McpClient[] = [];
  for (let opened = 0; opened < count; opened++) {
    clients.push(await McpClient.open(target, watchdog));
  }
  return clients;
}
