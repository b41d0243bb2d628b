/**
 * The client whose calls are timed: one keep-alive connection, one session, requests encoded
 * beforehand. It takes an answer as JSON or as a stream of events, since a gateway may give either.
 *
 * @module
 */

import { ExchangeError, HttpClient, type Watchdog } from "../../bench/http_client.ts";
import type { Target } from "../../bench/mcp_client.ts";
import {
  CALL_TOOL,
  type CallTemplate,
  callTemplate,
  type Endpoint,
  FIRST_REQUEST_ID,
  initializeBody,
  initializedBody,
  postBytes,
  setRequestId,
} from "../../bench/mcp_messages.ts";

/** Deadline of an exchange, beyond any service time. */
const EXCHANGE_DEADLINE_MS = 15_000;

/** Calls on one connection; some proxies close theirs after 1000, and that is not what is timed. */
const CALLS_ON_CONNECTION = 500;

/** One client that has initialized. */
export class LatencyClient implements Disposable {
  readonly #name: string;
  readonly #endpoint: Endpoint;
  readonly #watchdog: Watchdog;
  #http: HttpClient;
  #callsLeft = CALLS_ON_CONNECTION;
  readonly #calls = new Map<number, CallTemplate>();
  #sessionId: string | undefined;
  #nextId = FIRST_REQUEST_ID;

  private constructor({ name, endpoint }: Target, watchdog: Watchdog, http: HttpClient) {
    this.#name = name;
    this.#endpoint = endpoint;
    this.#watchdog = watchdog;
    this.#http = http;
  }

  /** Connects and initializes. */
  static async open(target: Target, watchdog: Watchdog): Promise<LatencyClient> {
    const http = await HttpClient.connect(target.endpoint, watchdog, EXCHANGE_DEADLINE_MS);
    const client = new LatencyClient(target, watchdog, http);
    try {
      await client.#initialize();
      return client;
    } catch (error) {
      client[Symbol.dispose]();
      throw error;
    }
  }

  async #initialize(): Promise<void> {
    const body = initializeBody(this.#nextId++);
    const { status, sessionId } = await this.#exchange(postBytes(this.#endpoint, body, undefined));
    this.#expect(status === 200, `initialize with ${status}`);
    this.#sessionId = sessionId;
    const said = await this.#exchange(postBytes(this.#endpoint, initializedBody(), sessionId));
    this.#expect(said.status === 202, `notifications/initialized with ${said.status}`);
  }

  /** Makes one call; resolves with the time from its first byte out to its last byte in. */
  async call(serviceMs: number): Promise<number> {
    if (this.#callsLeft === 0) await this.#reconnect();
    this.#callsLeft--;
    return await this.#timedCall(serviceMs);
  }

  /** A new connection in the same session, after a call that is not counted. */
  async #reconnect(): Promise<void> {
    this.#http.close();
    this.#http = await HttpClient.connect(this.#endpoint, this.#watchdog, EXCHANGE_DEADLINE_MS);
    this.#callsLeft = CALLS_ON_CONNECTION;
    await this.#timedCall(0);
  }

  async #timedCall(serviceMs: number): Promise<number> {
    const template = this.#template(serviceMs);
    const id = this.#nextId++;
    setRequestId(template, id);
    const startMs = performance.now();
    const { status } = await this.#exchange(template.bytes);
    const elapsedMs = performance.now() - startMs;
    const text = this.#http.body.text();
    this.#expect(status === 200, `a call with ${status}`);
    const answered = text.includes(`"id":${id}`) && text.includes('"result"');
    this.#expect(answered, `call ${id} with ${JSON.stringify(text.slice(0, 200))}`);
    return elapsedMs;
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.#http.close();
  }

  #template(serviceMs: number): CallTemplate {
    let template = this.#calls.get(serviceMs);
    if (template === undefined) {
      template = callTemplate(this.#endpoint, this.#sessionId, CALL_TOOL, { serviceMs });
      this.#calls.set(serviceMs, template);
    }
    return template;
  }

  async #exchange(request: Uint8Array): ReturnType<HttpClient["exchange"]> {
    try {
      return await this.#http.exchange(request);
    } catch (error) {
      throw new ExchangeError(`${this.#name}: ${(error as Error).message}`);
    }
  }

  #expect(holds: boolean, what: string): void {
    if (!holds) throw new ExchangeError(`${this.#name} answered ${what}`);
  }
}
