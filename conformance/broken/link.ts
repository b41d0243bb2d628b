/**
 * One connection through a relay: bytes pass unchanged, except where damage is done. What is no
 * HTTP/1.1, and what does not come to an end, passes as it is.
 *
 * @module
 */

import { type Body, type Framing, framingOf, type Head, joined, WireError } from "../wire/mod.ts";
import type { AnswerChange, Damage, Followed, Passing, Surroundings } from "./damage.ts";
import { chunk, headBytes, lastChunk, statusLine, unframed, unsound } from "./message.ts";
import { Source, Stalled } from "./source.ts";
import { join, passEnd, type TcpEnd } from "./tcp.ts";

/** How long a message that is no HTTP may go on coming before it is judged, in ms. */
const UNSOUND_MS = 10;

/** The largest request that is read whole before it is passed on, in bytes. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;

/** What was done for a request that was not answered. */
type MadeUp = "again" | "answered" | "not";

/** A connection between a client and a server. */
export class Link {
  readonly #client: TcpEnd;
  #server: TcpEnd;
  readonly #damage: Damage;
  readonly #surroundings: Surroundings;
  /** Requests sent on and not answered yet. */
  readonly #unanswered: Passing[] = [];
  /** Requests sent on whose answers have not come to their end. */
  readonly #open = new Set<Passing>();
  /** Whether damage has taken the connection over. */
  #taken = false;
  /** The bytes of a request of whose answer nothing has come, where it is to be retried. */
  #asked: Uint8Array | undefined;
  #left = false;

  constructor(server: TcpEnd, damage: Damage, surroundings: Surroundings) {
    this.#client = surroundings.client;
    this.#server = server;
    this.#damage = damage;
    this.#surroundings = surroundings;
  }

  /** Passes on everything until both ends are done. */
  async run(): Promise<void> {
    const { request, answer } = this.#damage;
    const looks = request !== undefined || answer !== undefined;
    const up = looks ? this.#requests() : this.#unread(new Source(this.#client));
    await Promise.all([
      up,
      answer === undefined ? this.#unreadAnswers() : this.#answers(),
    ]);
  }

  async #requests(): Promise<void> {
    const holds = this.#damage.request !== undefined;
    const source = new Source(
      this.#client,
      holds ? undefined : (piece) => this.#server.write(piece),
    );
    source.impatient = holds;
    try {
      for (let head = await source.reader.head(); head !== null;) {
        const request = await this.#readRequest(source, head);
        if (holds && await this.#pass(request)) return;
        head = await source.reader.head();
      }
    } catch (error) {
      if (!(error instanceof WireError || error instanceof Stalled)) throw error;
      if (holds && error instanceof WireError) return await this.#unsound(source);
    }
    const rest = source.rest();
    if (rest.length > 0) this.#await(unsound(rest));
    if (holds) await this.#server.write(rest);
    await this.#unread(source);
  }

  /** Passes on what comes without reading it; the departure too, unless it is to be hidden. */
  async #unread(source: Source): Promise<void> {
    for (let piece = await source.next(); piece !== null; piece = await source.next()) {
      await this.#server.write(piece);
    }
    this.#left = true;
    for (const request of this.#open) this.#damage.departed?.(request, this.#surroundings);
    if (!this.#damage.staysWhenClientLeaves) passEnd(this.#client, this.#server);
  }

  async #readRequest(source: Source, head: Head): Promise<Passing> {
    const { startLine, fields } = head;
    const [method = "", target = ""] = startLine.split(" ");
    const framing = framingOf(fields, 0);
    if (typeof framing === "number" && framing > MAX_HELD_BYTES) throw new Stalled("too large");
    this.#damage.begins?.();
    const request = { method, target, startLine, fields, sound: true };
    if (this.#damage.request === undefined) {
      // It has been passed on already, and may be answered before it is complete.
      const known = unsound(source.taken());
      this.#await(known);
      return Object.assign(known, request, {
        body: await source.reader.body(framing).bytes(),
        bytes: source.taken(),
      });
    }
    const body = source.reader.body(framing);
    const content = await body.bytes();
    if (!body.complete) throw new WireError("the body was cut");
    return { ...request, body: content, bytes: source.taken() };
  }

  /** Does to a request what is to be done; whether the connection has been taken over. */
  async #pass(request: Passing): Promise<boolean> {
    const change = await this.#damage.request?.(request);
    if (change?.take !== undefined) {
      this.#taken = true;
      this.#server.close();
      await change.take(this.#surroundings);
      return true;
    }
    if (change?.answer !== undefined) {
      await this.#client.write(change.answer);
      return false;
    }
    this.#await(request);
    this.#asked = change?.send ?? request.bytes;
    await this.#server.write(this.#asked);
    if (change?.also !== undefined) void this.#aside(change.also);
    return false;
  }

  #await(request: Passing): void {
    this.#unanswered.push(request);
    if (this.#damage.answer !== undefined) this.#open.add(request);
  }

  /** Shows a request that is no HTTP to the damage; what comes after it is not looked at. */
  async #unsound(source: Source): Promise<void> {
    const pieces = [source.rest()];
    for (;;) {
      const piece = await source.more(UNSOUND_MS);
      if (piece === "nothing" || piece === null) break;
      pieces.push(piece);
    }
    if (!await this.#pass(unsound(joined(pieces)))) await this.#unread(source);
  }

  async #aside(bytes: Uint8Array): Promise<void> {
    const connection = await this.#surroundings.connect();
    await connection.write(bytes);
    await connection.read();
    connection.close();
  }

  async #unreadAnswers(): Promise<void> {
    let madeUp: MadeUp = "again";
    while (madeUp === "again") {
      for (;;) {
        const piece = await this.#server.read();
        if (piece === null) break;
        this.#asked = undefined;
        const written = this.#client.write(piece);
        if (!this.#damage.hoards) await written;
      }
      madeUp = await this.#makeUp();
    }
    if (this.#taken) return;
    if (madeUp === "answered") this.#client.end();
    else passEnd(this.#server, this.#client);
  }

  /** Does what is to be done for a request that the server has closed the connection on. */
  async #makeUp(): Promise<MadeUp> {
    const asked = this.#asked;
    const { unanswered } = this.#damage;
    this.#asked = undefined;
    if (unanswered === undefined || asked === undefined || this.#left) return "not";
    if (unanswered === "retry") {
      this.#server = await this.#surroundings.connect();
      await this.#server.write(asked);
      return "again";
    }
    await this.#client.write(unanswered);
    return "answered";
  }

  async #answers(): Promise<void> {
    const source = new Source(this.#server);
    try {
      for (let head = await source.reader.head(); head !== null;) {
        if (!await this.#answer(source, head)) break;
        head = await source.reader.head();
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      const bytes = source.rest();
      await this.#client.write(this.#damage.unreadable?.(bytes) ?? bytes);
    }
    await this.#client.write(source.rest());
    await this.#unreadAnswers();
  }

  /** Passes on one answer; whether another may follow. */
  async #answer(source: Source, head: Head): Promise<boolean> {
    const status = Number(head.startLine.split(" ")[1]);
    if (status < 200) {
      const bytes = source.taken();
      await this.#client.write(this.#damage.interim ?? bytes);
      return true;
    }
    const request = this.#unanswered.shift() ?? unsound(new Uint8Array());
    const bodyless = request.method === "HEAD" || status === 204 || status === 304;
    const framing = bodyless ? 0 : framingOf(head.fields, "close");
    const body = source.reader.body(framing);
    const change = this.#damage.answer?.({ ...head, status }, request);
    await change?.wait;
    if (change?.whole !== undefined) await this.#whole(source, head, body, change);
    else if (change?.stream !== undefined && framing !== 0) {
      await this.#stream(source, head, body, framing, change);
    } else await this.#asItIs(source, head, body, change);
    this.#open.delete(request);
    return body.complete && framing !== "close";
  }

  async #asItIs(
    source: Source,
    head: Head,
    body: Body,
    change: AnswerChange | undefined,
  ): Promise<void> {
    const bytes = source.taken();
    await this.#client.write(change === undefined ? bytes : changedHead(head, change));
    while (await body.next() !== null) await this.#client.write(source.taken());
    await this.#client.write(source.taken());
    if (!body.complete && change?.hideCut) await this.#client.write(lastChunk());
  }

  async #whole(source: Source, head: Head, body: Body, change: AnswerChange): Promise<void> {
    const content = await body.bytes();
    const bytes = source.taken();
    if (!body.complete && !change.hideCut) return await this.#client.write(bytes);
    const changed = change.whole!(content, bytes);
    const fields = unframed(change.fields ?? head.fields);
    await this.#client.write(changedHead(head, {
      ...change,
      fields: [...fields, ["content-length", String(changed.length)]],
    }));
    await this.#client.write(changed);
  }

  async #stream(
    source: Source,
    head: Head,
    body: Body,
    framing: Framing,
    change: AnswerChange,
  ): Promise<void> {
    const chunked = framing !== "close";
    const fields = unframed(change.fields ?? head.fields);
    let first: Uint8Array | null = changedHead(head, {
      ...change,
      fields: chunked ? [...fields, ["transfer-encoding", "chunked"]] : fields,
    });
    source.taken();
    const send = async (pieces: readonly Uint8Array[]) => {
      for (const piece of pieces) {
        if (piece.length === 0) continue;
        if (first !== null) await this.#client.write(first);
        first = null;
        await this.#client.write(chunked ? chunk(piece) : piece);
      }
    };
    if (!change.lateHead) {
      await this.#client.write(first);
      first = null;
    }
    let next = body.next();
    for (let piece = await next; piece !== null; piece = await next) {
      next = body.next();
      const followed = change.lookAheadMs === undefined ? "later" : await fate(next, change);
      await send(await change.stream!.push(piece, followed));
    }
    source.taken();
    await send(change.stream!.end?.() ?? []);
    if (first !== null) await this.#client.write(first);
    if (change.breaksOff) this.#client.close();
    else if (chunked && (body.complete || change.hideCut)) await this.#client.write(lastChunk());
  }
}

/** What follows a piece. */
async function fate(
  next: Promise<Uint8Array | null>,
  { lookAheadMs }: AnswerChange,
): Promise<Followed> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const later = new Promise<Followed>((resolve) => {
    timer = setTimeout(() => resolve("later"), lookAheadMs);
  });
  const sooner = next.then<Followed>((piece) => piece === null ? "end" : "soon");
  const followed = await Promise.race([sooner, later]);
  clearTimeout(timer);
  return followed;
}

function changedHead(head: Head, { status, fields }: AnswerChange): Uint8Array {
  const startLine = status === undefined ? head.startLine : statusLine(status);
  return headBytes(startLine, fields ?? head.fields);
}

/** A change that hands a request to the server behind everything, and the connection with it. */
export function past(bytes: Uint8Array): { take(surroundings: Surroundings): Promise<void> } {
  return {
    async take({ client, connectPast }) {
      const server = await connectPast();
      await server.write(bytes);
      await join(client, server);
    },
  };
}
