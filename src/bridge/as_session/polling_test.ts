/**
 * A server of 2026-07-28 that wants nothing but to be asked again: it is not ready yet.
 *
 * Source: 2026-07-28 basic/patterns/mrtr, "Client Requirements (Basic Workflow)": without `inputRequests` "the client
 * MAY retry the original request", with the same `requestState`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ModernFake } from "../../testing/bridge.ts";
import { settled, type SourceReader } from "../../testing/relay.ts";
import { messagesIn, type Rpc } from "../../testing/share.ts";

const FORM = {
  method: "elicitation/create",
  params: { mode: "form", message: "Name?", requestedSchema: { type: "object", properties: {} } },
};
const CALL = { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "t" } };

function last(reader: SourceReader): Rpc {
  return messagesIn(reader).at(-1)!;
}

/** Lets time pass in steps, with what it brings. */
async function passing(fake: ModernFake, ms: number, stepMs = 500): Promise<void> {
  for (let goneMs = 0; goneMs < ms; goneMs += stepMs) {
    fake.clock.advance(stepMs);
    await settled();
  }
}

Deno.test("mrtr: a server that is not ready yet is asked again for as long as a call may take, less and less often", async () => {
  let isReady = false;
  const fake = new ModernFake();
  fake.answers["tools/list"] = () => ({ tools: [] });
  fake.answers["tools/call"] = () =>
    isReady
      ? { resultType: "complete", content: ["done"] }
      : { resultType: "input_required", requestState: "later" };
  const client = await fake.join();
  const opening = client.streamed(CALL);
  await settled();
  await passing(fake, 110_000);
  const early = fake.of("tools/call").length;
  assert(early > 17 && early < 60, `${early} rounds`);
  isReady = true;
  await passing(fake, 9_000);
  const reader = await opening;
  await reader.readAll();
  assertEquals(last(reader).result, { content: ["done"] });
  await fake.bridge.close();
});

Deno.test("mrtr: a server that never is ready has the time of a call, and no more", async () => {
  const fake = new ModernFake();
  fake.answers["tools/list"] = () => ({ tools: [] });
  fake.answers["tools/call"] = () => ({ resultType: "input_required", requestState: "later" });
  const client = await fake.join();
  const opening = client.streamed(CALL);
  await settled();
  await passing(fake, 121_000);
  const reader = await opening;
  await reader.readAll();
  assertEquals(last(reader).error!.code, -31504);
  const asked = fake.of("tools/call").length;
  await passing(fake, 30_000);
  assertEquals([fake.of("tools/call").length, fake.bridge.stats().inFlight], [asked, 0]);
  await fake.bridge.close();
});

Deno.test("mrtr: rounds with questions are bounded by their number, those without in between do not count", async () => {
  const wait = { requestState: "w" };
  const ask = { inputRequests: { q: FORM } };
  const rounds = [ask, ...Array(5).fill(wait), ask, wait, ask];
  const fake = new ModernFake({ limits: { maxRounds: 2 } });
  fake.answers["tools/list"] = () => ({ tools: [] });
  fake.answers["tools/call"] = () => ({ resultType: "input_required", ...rounds.shift() });
  const client = await fake.join({ capabilities: { elicitation: {} } });
  const reader = await client.streamed(CALL);
  await reader.readAll();
  for (const pauseMs of [20_000, 5_000]) {
    const { id } = last(reader);
    await client.notify({ jsonrpc: "2.0", id, result: { action: "accept" } });
    await settled();
    await passing(fake, pauseMs);
    await reader.readAll();
  }
  assertEquals([last(reader).error!.code, fake.of("tools/call").length], [-31502, 9]);
  await fake.bridge.close();
});
