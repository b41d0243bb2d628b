import { assertEquals } from "@std/assert";
import { Waiting } from "../../rpc/mod.ts";
import { ManualClock } from "../../testing/manual_clock.ts";
import * as relay from "../../testing/relay.ts";
import * as share from "../../testing/share.ts";
import { GetStreams } from "./get_streams.ts";

const { sourceReader } = relay;
const { messagesIn } = share;

const CHANGED = "notifications/resources/updated";

function said(serial: number, length = 0): string {
  const params = { serial, more: "x".repeat(length) };
  return JSON.stringify({ jsonrpc: "2.0", method: CHANGED, params });
}

function streamsOf() {
  const bounds = { maxWaitingMessages: 10, maxWaitingCharacters: 1_000 };
  return new GetStreams(new ManualClock(), new Waiting(bounds, () => {}));
}

function serialsIn(reader: ReturnType<typeof sourceReader>): unknown[] {
  return messagesIn(reader).map(({ params }) => (params as { serial: number }).serial);
}

Deno.test("GetStreams: the newest is told, what comes for none waits for the next", async () => {
  const streams = streamsOf();
  streams.tell(said(1), CHANGED);
  assertEquals(streams.waiting, 1);
  const older = sourceReader(streams.open(() => {}).answer.body);
  streams.tellWaiting();
  const newer = sourceReader(streams.open(() => {}).answer.body);
  streams.tell(said(2), CHANGED);
  streams.end();
  await older.readAll();
  await newer.readAll();
  assertEquals([serialsIn(older), serialsIn(newer), streams.size], [[1], [2], 0]);
});

Deno.test("GetStreams: what comes while the newest is not read waits until it is", async () => {
  const streams = streamsOf();
  const { body } = streams.open(() => {}).answer;
  streams.tell(said(1, 70_000), CHANGED);
  streams.tell(said(2), CHANGED);
  assertEquals(streams.waiting, 1);
  const reader = sourceReader(body);
  await reader.readAll();
  assertEquals([serialsIn(reader), streams.waiting], [[1, 2], 0]);
  streams.end();
});

Deno.test("GetStreams: a stream that is not read holds none back that was opened later", async () => {
  const streams = streamsOf();
  const older = streams.open(() => {}).answer.body;
  streams.tell(said(1, 70_000), CHANGED);
  streams.tell(said(2), CHANGED);
  const newer = sourceReader(streams.open(() => {}).answer.body);
  streams.tellWaiting();
  streams.tell(said(3), CHANGED);
  await newer.readAll();
  assertEquals([serialsIn(newer), streams.waiting], [[2, 3], 0]);
  older.discard();
  streams.end();
});

Deno.test("GetStreams: what waits for one that is not read goes to the one before, once it is the newest again", async () => {
  const streams = streamsOf();
  const older = sourceReader(streams.open(() => {}).answer.body);
  const newer = streams.open(() => {}).answer.body;
  streams.tell(said(1, 70_000), CHANGED);
  streams.tell(said(2), CHANGED);
  assertEquals(streams.waiting, 1);
  newer.discard();
  await older.readAll();
  assertEquals([serialsIn(older), streams.waiting], [[2], 0]);
  streams.end();
});

Deno.test("GetStreams: what comes behind what waits is told behind it", async () => {
  const streams = streamsOf();
  streams.tell(said(1), CHANGED);
  const reader = sourceReader(streams.open(() => {}).answer.body);
  streams.tell(said(2), CHANGED);
  await reader.readAll();
  assertEquals([serialsIn(reader), streams.waiting], [[1, 2], 0]);
  streams.end();
});
