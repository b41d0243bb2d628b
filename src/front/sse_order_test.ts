import { assertEquals } from "@std/assert";
import { SseOrder } from "./sse_order.ts";

const INITIALIZE = { kind: "request", method: "initialize" } as const;
const INITIALIZED = { kind: "notification", method: "notifications/initialized" } as const;
const CALL = { kind: "request", method: "tools/call" } as const;

Deno.test("SseOrder: what is behind initialize waits for it, what comes later for nothing", async () => {
  const order = new SseOrder();
  const opening = order.enter(INITIALIZE, false);
  const call = order.enter(CALL, false);
  assertEquals([opening.opens, opening.before, call.opens], [true, undefined, false]);
  opening.ready();
  await call.before;
  assertEquals(order.enter(CALL, true).before, undefined);
});

Deno.test("SseOrder: what is behind notifications/initialized waits for it, as it waits for initialize", async () => {
  const order = new SseOrder();
  const opening = order.enter(INITIALIZE, false);
  const told = order.enter(INITIALIZED, false);
  const call = order.enter(CALL, false);
  opening.ready();
  await told.before;
  assertEquals(order.enter(CALL, true).before, call.before);
  told.ready();
  await call.before;
  assertEquals(order.enter(CALL, true).before, undefined);
});

Deno.test("SseOrder: one initialize opens the session, another one only where it was refused", () => {
  const order = new SseOrder();
  assertEquals(order.enter(INITIALIZE, false).opens, true);
  assertEquals(order.enter(INITIALIZE, false).opens, false);
  order.notOpened();
  assertEquals(order.enter(INITIALIZE, true).opens, false);
  assertEquals(order.enter(INITIALIZE, false).opens, true);
});
