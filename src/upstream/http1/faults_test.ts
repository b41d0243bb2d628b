/**
 * 10,000 exchanges with a server that closes the connection at a random point of each (R57, R60): no
 * POST is seen twice, and each outcome is the right error, or the right answer.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import type { HttpClient } from "../http_client.ts";
import { http1Client } from "./client.ts";
import { seededRandom } from "../../http1/fuzz_cases.ts";

const EXCHANGES = 10_000;
const AT_ONCE = 8;
const ANSWER_HEAD = "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n";
const ANSWER = ANSWER_HEAD + "x".repeat(40);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What the server does to exchange `id`: answers so many bytes, and closes then or goes on. */
interface Fate {
  readonly answerBytes: number;
  readonly closes: boolean;
}

function fateOf(id: number): Fate {
  const next = seededRandom(id);
  const kind = next();
  if (kind < 0.25) return { answerBytes: ANSWER.length, closes: false };
  if (kind < 0.45) return { answerBytes: ANSWER.length, closes: true };
  if (kind < 0.65) return { answerBytes: 0, closes: true };
  return { answerBytes: Math.floor(next() * ANSWER.length), closes: true };
}

/** A server that notes each request it sees anything of, and treats it as its fate says. */
function faultyServer() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const seen = new Map<string, number>();
  const serving: Promise<void>[] = [];

  async function serve(connection: Deno.TcpConn): Promise<void> {
    const piece = new Uint8Array(65_536);
    let text = "";
    for (;;) {
      const read = await connection.read(piece);
      if (read === null) break;
      text += decoder.decode(piece.subarray(0, read));
      const line = /^(POST|GET) \/(\d+) HTTP\/1\.1\r\n/.exec(text);
      if (line === null) continue;
      const [, method, id] = line;
      const bodyEnd = text.indexOf("\r\n\r\n") + 4 + (method === "POST" ? 20 : 0);
      // A fate of no byte strikes as soon as the request line is there, whatever else has come.
      const fate = fateOf(Number(id));
      if (text.length < bodyEnd && fate.answerBytes > 0) continue;
      seen.set(`${method} ${id}`, (seen.get(`${method} ${id}`) ?? 0) + 1);
      text = text.slice(bodyEnd);
      if (fate.answerBytes > 0) {
        await connection.write(encoder.encode(ANSWER.slice(0, fate.answerBytes)));
      }
      if (fate.closes) break;
    }
  }

  const accepting = (async () => {
    for await (const connection of listener) {
      serving.push(
        serve(connection).catch(() => {
          // The other side reset it, which is part of the game.
        }).finally(() => connection.close()),
      );
    }
  })();

  return {
    port: listener.addr.port,
    seen,
    async close() {
      listener.close();
      await accepting;
      await Promise.all(serving);
    },
  };
}

/** Sends exchange `id` and tells how it ended. */
async function outcome(client: HttpClient, id: number, method: "POST" | "GET"): Promise<string> {
  try {
    const answer = await client.send({
      method,
      path: `/${id}`,
      fields: ["accept", "application/json"],
      body: method === "POST" ? encoder.encode("b".repeat(20)) : null,
      signal: new AbortController().signal,
      timeouts: { headersMs: 20_000, totalMs: 20_000, bodyIdleMs: 20_000, streamIdleMs: 20_000 },
    });
    const body = await answer.body.bytesWithin(1_000);
    return `answer of ${body?.length}`;
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    return `${error.kind}, ${error.progress?.answerBegun ? "answer begun" : "no answer"}`;
  }
}

/** The outcomes that are right for an exchange that the server saw `times` times. */
function rightOutcomes(id: number, times: number): readonly string[] {
  const unanswered = "upstream_closed, no answer";
  if (times === 0) return [unanswered];
  const { answerBytes } = fateOf(id);
  if (answerBytes === ANSWER.length) return ["answer of 40"];
  return [answerBytes === 0 ? unanswered : "upstream_closed, answer begun"];
}

Deno.test("R60 10,000 exchanges closed at random points: no POST twice, each outcome right", async () => {
  const server = faultyServer();
  const client = http1Client({
    target: { kind: "tcp", hostname: "127.0.0.1", port: server.port, host: "localhost" },
    connectTimeoutMs: 20_000,
    maxConnections: AT_ONCE,
    maxStreams: 0,
    maxQueued: EXCHANGES,
    queueTimeoutMs: 20_000,
    keepAliveMs: 20_000,
    clock: systemClock,
  });
  const counts = new Map<string, number>();
  let nextId = 0;
  const worker = async () => {
    while (nextId < EXCHANGES) {
      const id = nextId++;
      const method = id % 10 === 0 ? "GET" : "POST";
      const how = await outcome(client, id, method);
      const times = server.seen.get(`${method} ${id}`) ?? 0;
      if (method === "POST") assert(times <= 1, `POST ${id} was seen ${times} times`);
      else assert(times <= 2, `GET ${id} was seen ${times} times`);
      const right = rightOutcomes(id, times);
      assert(right.includes(how), `${method} ${id}, seen ${times} times: ${how}, not ${right}`);
      counts.set(how, (counts.get(how) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await client.close();
  await server.close();
  assertEquals([...counts.values()].reduce((sum, count) => sum + count), EXCHANGES);
  for (
    const how of ["answer of 40", "upstream_closed, no answer", "upstream_closed, answer begun"]
  ) {
    assert((counts.get(how) ?? 0) > 1_000, `${how}: ${counts.get(how)}`);
  }
});
