/**
 * One exchange while it is being replayed: the client's half on a socket, the server's in the mock.
 *
 * @module
 */

import type { DataEntry } from "../../fixtures/format/mod.ts";
import type { MockRequest, Reply } from "../mock/mod.ts";
import type { Target } from "../suite/mod.ts";
import { type Block, BlockParser, type Fields, joined, WireClient } from "../wire/mod.ts";
import { type ExchangePlan, mediaType } from "./plan.ts";
import { comparable, type Outcome, type SeenRequest } from "./transcript.ts";
import type { Watch } from "./watch.ts";

/** An exchange that is under way, or over. */
export class Live {
  skipped: string | undefined;
  sent: SeenRequest | undefined;
  arrived: MockRequest | undefined;
  reply: Reply | undefined;
  repeats = 0;
  problem: string | undefined;
  left = false;
  headLate = false;
  /** What the server said on a stream for which the proxy, which has answered it itself, has not come yet. */
  deferred: DataEntry[] | undefined;
  /** Whether the replay has gone on without the server's answer: the proxy has given one of its own, or none came. */
  isPast = false;
  cutAfterLeaving: boolean | undefined;
  readonly blocksLate: number[] = [];
  /** What the mock sent so far. */
  readonly givenPieces: Uint8Array[] = [];
  readonly givenBlocks: Block[] = [];
  givenHead: { readonly status: number; readonly fields: Fields } | undefined;
  /** What the client got so far. */
  gotHead: { readonly status: number; readonly fields: Fields } | undefined;
  readonly gotBlocks: Block[] = [];
  gotEnd: "complete" | "cut" | "open" = "open";
  /** Resolves once the mock has nothing more to do for it. */
  readonly served = Promise.withResolvers<void>();
  readonly #gotPieces: Uint8Array[] = [];
  readonly #givenParser = new BlockParser();
  readonly #givenDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #client: WireClient | undefined;
  #reading: Promise<void> = Promise.resolve();
  #over = false;

  constructor(readonly plan: ExchangePlan, readonly watch: Watch) {}

  /** Whether the client has the whole answer, or will get none. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Whether the proxy has refused it, and so will not bring it to the server. */
  get isRefused(): boolean {
    return this.arrived === undefined && (this.gotHead?.status ?? 0) >= 400;
  }

  /** Sends the request to the origin of `url` and begins to read its answer. */
  async send(url: URL, request: SeenRequest, bytes: Uint8Array): Promise<void> {
    this.sent = request;
    try {
      this.#client = await WireClient.connect(url);
      await this.#client.write(bytes);
    } catch (error) {
      this.problem = `the request could not be sent: ${(error as Error).message}`;
      this.#over = true;
      return;
    }
    this.#reading = this.#read(this.#client, request.method);
  }

  /** The blocks that a piece from the server completes are noted as given. */
  give(bytes: Uint8Array): void {
    this.givenPieces.push(bytes);
    if (!this.plan.isStream) return;
    const text = this.#givenDecoder.decode(bytes, { stream: true });
    const blocks = this.#givenParser.push(text);
    this.givenBlocks.push(...blocks.filter(({ data, id }) => data !== null || id !== null));
  }

  /** Whether the client has every block that was given. */
  get hasAllBlocks(): boolean {
    return comparable(this.givenBlocks, this.gotBlocks).length >= this.givenBlocks.length;
  }

  /** Closes the client's connection. */
  leave(): void {
    this.left = !this.#over;
    this.#client?.close();
  }

  /** Closes the client's connection, now that the case is over. */
  depart(): void {
    this.#client?.close();
  }

  /** Ends what is left of it. */
  async close(): Promise<void> {
    this.depart();
    this.served.resolve();
    await this.#reading;
  }

  /** What came of it. */
  outcome(): Outcome {
    const { plan, skipped, sent, arrived, repeats, problem, left, headLate, blocksLate } = this;
    const isGiven = this.givenHead !== undefined;
    const body = joined(this.#gotPieces);
    return {
      ...{ plan, skipped, sent, arrived, repeats, problem, left, headLate, blocksLate },
      given: !isGiven ? undefined : {
        ...this.givenHead!,
        body: joined(this.givenPieces),
        blocks: this.givenBlocks,
        end: plan.serverEnd,
      },
      got: this.gotHead === undefined
        ? undefined
        : { ...this.gotHead, body, blocks: this.gotBlocks, end: this.gotEnd },
      cutAfterLeaving: this.cutAfterLeaving,
    };
  }

  async #read(client: WireClient, method: string): Promise<void> {
    try {
      const { status, fields, body } = await client.response(method);
      if (this.left) return;
      this.gotHead = { status, fields };
      this.watch.changed();
      const parser = mediaType(fields) === "text/event-stream" ? new BlockParser() : undefined;
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      for (let piece = await body.next(); piece !== null; piece = await body.next()) {
        this.#gotPieces.push(piece);
        this.gotBlocks.push(...parser?.push(decoder.decode(piece, { stream: true })) ?? []);
        this.watch.changed();
      }
      if (!this.left) this.gotEnd = body.complete ? "complete" : "cut";
    } catch (error) {
      if (!this.left) this.problem = (error as Error).message;
    } finally {
      this.#over = true;
      client.close();
      this.watch.changed();
    }
  }
}

/** Where a recorded target is called at the proxy. */
export function callUrl(
  target: Target,
  { method, path, isHttpSse, endpoint }: {
    readonly method: string;
    readonly path: string;
    readonly isHttpSse: boolean;
    /** The URL that the `endpoint` event gave. */
    readonly endpoint: URL | undefined;
  },
): URL {
  if (!isHttpSse) {
    const url = new URL(target.url);
    url.search = path.includes("?") ? path.slice(path.indexOf("?")) : "";
    return url;
  }
  if (method === "GET") return target.sseUrl;
  return endpoint ?? new URL(path, target.sseUrl);
}
