/**
 * The conductor of a replay: does in turn what was recorded of the client, on bare sockets to the
 * proxy, and what was recorded of the server, in the mock.
 *
 * It goes in lock-step: what the server sent of a stream has to reach the client before the server goes
 * on (R51). Where something does not come within the patience, that is noted once, and the replay goes
 * on without waiting for that stream again.
 *
 * @module
 */

import type { DataEntry, Entry } from "../../fixtures/format/mod.ts";
import { type MockRequest, type Reply, sessionOver } from "../mock/mod.ts";
import type { Context } from "../suite/mod.ts";
import { joined, requestBytes } from "../wire/mod.ts";
import { Learnt } from "./learnt.ts";
import { callUrl, Live } from "./live.ts";
import { belongs, mayBeOwn } from "./match.ts";
import { blocksOf, fieldOf, type Plan, templateText } from "./plan.ts";
import type { Transcript } from "./transcript.ts";
import { filledFields, pieceBytes, Values } from "./values.ts";
import { Patience, Watch } from "./watch.ts";

/** How long a proxy may take to end the stream of a client that has left. */
const DEPARTURE_MS = 5_000;

/** The longest time by which a proxy may resume a stream ahead of its client; the end of the replay ends it too. */
const MOST_EARLY_MS = 60_000;

/** Steps through a fixture, on both sides of the proxy. */
export class Conductor {
  readonly #plan: Plan;
  readonly #context: Context;
  readonly #values: Values;
  readonly #watch = new Watch();
  readonly #lives = new Map<number, Live>();
  readonly #strays: string[] = [];
  readonly #learnt: Learnt;
  readonly #patience: Patience;
  #closed = false;

  constructor(plan: Plan, context: Context) {
    this.#plan = plan;
    this.#context = context;
    const { url, sseUrl } = context.target;
    this.#values = new Values(context.mock.host, (plan.isHttpSse ? sseUrl : url).host);
    this.#learnt = new Learnt(plan, this.#values, sseUrl);
    this.#patience = new Patience(this.#watch, context.patienceMs);
    for (const exchange of plan.exchanges.values()) {
      this.#lives.set(exchange.number, new Live(exchange, this.#watch));
    }
  }

  /** Does what one entry says. */
  async step(entry: Entry): Promise<void> {
    const live = this.#lives.get(entry.exchange)!;
    if (entry.from === "client") {
      if (entry.type === "request") await this.#send(live);
      else if (entry.type === "abort") await this.#leave(live);
      return;
    }
    if (live.skipped !== undefined) return;
    if (entry.type === "response") return await this.#respond(live);
    if (live.deferred !== undefined && (entry.type === "data" || entry.type === "bytes")) {
      return await this.#defer(live, entry);
    }
    if (live.reply === undefined || live.givenHead === undefined) return;
    if (entry.type === "data" || entry.type === "bytes") {
      return await this.#give(live, pieceBytes(entry, (text) => this.#values.fillServer(text)));
    }
    await this.#finish(live, entry.type);
  }

  /** Answers a request at the mock: it takes its place, and the conductor does the rest. */
  async serve(request: MockRequest, reply: Reply): Promise<void> {
    const candidates = [...this.#lives.values()].flatMap((live) =>
      live.sent === undefined || live.isRefused ? [] : [{
        exchange: live.plan.number,
        arrived: live.arrived !== undefined,
        method: live.sent.method,
        body: live.sent.body,
        lastEventId: fieldOf(live.sent.fields, "last-event-id"),
      }]
    );
    const lastEventId = request.field("last-event-id");
    const place = belongs({ ...request, lastEventId }, candidates, this.#learnt.aliases());
    if (place.kind === "stray" || this.#closed) {
      if (lastEventId !== undefined && await this.#resumesLater(reply)) {
        return await this.serve(request, reply);
      }
      return await this.#answerStray(request, reply);
    }
    const live = this.#lives.get(place.exchange)!;
    if (place.kind === "repeat") {
      live.repeats++;
      return await this.#answerWhole(live, reply);
    }
    live.arrived = request;
    live.reply = reply;
    if (live.deferred !== undefined) await this.#makeUp(live, reply);
    this.#watch.changed();
    // The proxy has answered it by itself, and the replay has gone on; what comes of it waits for this answer.
    if (live.isPast) return await this.#answerWhole(live, reply);
    await live.served.promise;
  }

  /**
   * Waits with a stream that the proxy resumes by itself, behind a client that has left, for that client to resume one,
   * as it does later on: it may be that one. False where no client will, or the proxy waits no more.
   */
  async #resumesLater(reply: Reply): Promise<boolean> {
    const coming = [...this.#lives.values()].filter(({ plan, sent }) =>
      plan.resumes !== undefined && sent === undefined
    );
    let isOver = coming.length === 0;
    void reply.gone.then(() => {
      isOver = true;
      this.#watch.changed();
    });
    const isSent = () => coming.some(({ sent }) => sent !== undefined);
    const held = () => isSent() || isOver || this.#closed;
    await this.#watch.until(held, MOST_EARLY_MS);
    return isSent() && !isOver && !this.#closed;
  }

  /** What both sides saw. */
  transcript(): Transcript {
    const { url, sseUrl } = this.#context.target;
    return {
      plan: this.#plan,
      proxyOrigin: (this.#plan.isHttpSse ? sseUrl : url).origin,
      outcomes: [...this.#lives.values()].map((live) => live.outcome()),
      sessions: this.#learnt.sessions(),
      aliases: this.#learnt.aliases(),
      strays: this.#strays,
      eventId: (index) => this.#values.server("event", index),
      serverText: (template) => this.#values.fillServer(template),
    };
  }

  /** Ends what is left. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#watch.changed();
    for (const live of this.#lives.values()) live.depart();
    await this.#departed(this.#lives.values());
    for (const live of this.#lives.values()) await live.close();
  }

  /**
   * Waits a little until the streams of HTTP+SSE are gone whose clients have left. Were they ended here at the same
   * time, a proxy might see that first, and begin them anew in the middle of the next case: for who is still there,
   * as far as it knows. On other transports a stream may outlive its client.
   */
  async #departed(lives: Iterable<Live>): Promise<void> {
    if (!this.#plan.isHttpSse) return;
    const streams = [...lives].flatMap(({ plan, reply }) =>
      plan.isStream && reply !== undefined ? [Promise.race([reply.done, reply.gone])] : []
    );
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, DEPARTURE_MS);
    await Promise.race([Promise.all(streams), late.promise]);
    clearTimeout(timer);
  }

  async #send(live: Live): Promise<void> {
    const { request, requestPieces } = live.plan;
    const recorded = JSON.stringify([request.target, request.fields, requestPieces]);
    if (this.#learnt.lacks(recorded)) {
      live.skipped = "the client was given no session id to send";
      return;
    }
    const fill = (text: string) => this.#values.fillClient(text);
    const body = joined(requestPieces.map((piece) => pieceBytes(piece, fill)));
    const fields = filledFields(request.fields, fill, body.length);
    const session = /\{\{session:(\d+)\}\}/.exec(request.target)?.[1];
    const { method } = request;
    const url = callUrl(this.#context.target, {
      method,
      path: fill(request.target),
      isHttpSse: this.#plan.isHttpSse,
      endpoint: this.#learnt.endpoint(Number(session)),
    });
    const hasBody = requestPieces.length > 0;
    const bytes = requestBytes({ url, method, fields, ...(hasBody ? { body } : {}) });
    const sending = live.send(
      url,
      { method, target: url.pathname + url.search, fields, body },
      bytes,
    );
    this.#watch.changed();
    await sending;
  }

  async #respond(live: Live): Promise<void> {
    const reached = () => live.reply !== undefined || live.gotHead !== undefined || live.isOver;
    await this.#patience.until(reached);
    const { reply, plan } = live;
    if (reply === undefined) {
      // The proxy has answered by itself, or the judgements say so. It may open the server's stream of
      // HTTP+SSE when the client first has something to say.
      if (this.#plan.isHttpSse && plan.isStream && live.gotHead !== undefined) live.deferred = [];
      live.isPast = !plan.isStream;
      return;
    }
    await this.#giveHead(live, reply);
    if (!plan.isStream || live.left) return;
    const came = await this.#patience.until(() => live.gotHead !== undefined || live.isOver);
    if (!came) live.headLate = true;
    this.#learnt.learn(live);
  }

  /** Whether the server has got all that was sent: what it says on its one stream may answer any of it. */
  #allArrived(): boolean {
    return [...this.#lives.values()].every((live) =>
      live.sent === undefined || live.arrived !== undefined || live.isRefused
    );
  }

  async #giveHead(live: Live, reply: Reply): Promise<void> {
    const { response, responsePieces } = live.plan;
    const { status, fields } = response!;
    const fill = (text: string) => this.#values.fillServer(text);
    const whole = joined(responsePieces.map((piece) => pieceBytes(piece, fill)));
    const filled = filledFields(fields, fill, whole.length);
    live.givenHead = { status, fields: filled };
    await reply.head(status, filled);
  }

  /** Keeps the endpoint until the proxy comes for the stream; all else waits for that. */
  async #defer(live: Live, entry: DataEntry): Promise<void> {
    if (blocksOf(templateText(live.deferred!)).length > 0) {
      await this.#patience.until(() => live.deferred === undefined || live.isOver);
      if (live.reply === undefined) return;
      return await this.#give(live, pieceBytes(entry, (text) => this.#values.fillServer(text)));
    }
    live.deferred!.push(entry);
    await this.#patience.until(() => live.gotBlocks.length > 0 || live.isOver);
    this.#learnt.learn(live);
  }

  /** Says what was kept. */
  async #makeUp(live: Live, reply: Reply): Promise<void> {
    await this.#giveHead(live, reply);
    for (const entry of live.deferred!) {
      const bytes = pieceBytes(entry, (text) => this.#values.fillServer(text));
      live.give(bytes);
      await reply.write(bytes);
    }
    live.deferred = undefined;
  }

  async #give(live: Live, bytes: Uint8Array): Promise<void> {
    if (this.#plan.isHttpSse && live.plan.isStream) {
      await this.#patience.until(() => this.#allArrived());
    }
    const before = live.givenBlocks.length;
    live.give(bytes);
    await live.reply!.write(bytes);
    if (!live.plan.isStream || live.left || live.givenBlocks.length === before) return;
    const isLate = live.headLate || live.blocksLate.length > 0;
    const whole = () => live.hasAllBlocks || live.isOver;
    const came = isLate ? await this.#patience.until(whole, 0) : await this.#patience.until(whole);
    if (!came) {
      for (let at = before; at < live.givenBlocks.length; at++) {
        live.blocksLate.push(at);
      }
    }
    this.#learnt.learn(live);
  }

  async #finish(live: Live, how: "end" | "abort"): Promise<void> {
    if (how === "end") await live.reply!.end();
    else live.reply!.reset();
    live.served.resolve();
    if (!live.left) await this.#patience.until(() => live.isOver);
    this.#learnt.learn(live);
  }

  async #leave(live: Live): Promise<void> {
    if (live.skipped !== undefined || live.sent === undefined) return;
    // What leaves at once may be sent on or not: the recorded server had the request.
    const there = () => live.reply !== undefined || live.isOver || live.gotHead !== undefined;
    await this.#patience.until(there);
    live.leave();
    if (live.reply === undefined) return;
    if (this.#plan.isModern && live.left) {
      const gone = this.#context.within(live.reply.gone, "the end of the mock's connection");
      live.cutAfterLeaving = await gone.then(() => true, () => false);
    }
    await this.#departed([live]);
    live.reply.close();
    live.served.resolve();
  }

  /** What arrives late or again gets the recorded answer too, so that the proxy is not broken by it. */
  async #answerWhole({ plan }: Live, reply: Reply): Promise<void> {
    const fill = (text: string) => this.#values.fillServer(text);
    if (plan.response === undefined) return reply.close();
    const body = joined(plan.responsePieces.map((piece) => pieceBytes(piece, fill)));
    await reply.head(plan.response.status, filledFields(plan.response.fields, fill, body.length));
    await reply.write(body);
    await reply.end();
  }

  async #answerStray(request: MockRequest, reply: Reply): Promise<void> {
    const own = mayBeOwn({ ...request, lastEventId: request.field("last-event-id") });
    // A stream ends here that a proxy has not seen its client leave yet, or that it keeps, and opens again.
    if (request.method === "GET" && (own || this.#closed)) return await sessionOver(request, reply);
    if (!own) {
      this.#strays.push(`${request.method} ${request.target} ${request.text.slice(0, 200)}`);
    }
    const id = (request.message as { id?: unknown } | undefined)?.id ?? null;
    const error = { code: -32601, message: "nobody sent this" };
    await reply.json({ jsonrpc: "2.0", id, error }, 404);
  }
}
