import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { readBody } from "./deno_body.ts";

const LIMITS = { maxRequestBytes: 10, requestBodyTimeoutMs: 1_000 };

function request(body: BodyInit | ReadableStream | null, headers: Record<string, string> = {}) {
  return new Request("http://localhost/mcp", { method: "POST", body, headers });
}

async function kindOf(work: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => work, ProxyError)).kind;
}

Deno.test("readBody() gives the bytes of a body of known and of unknown length", async () => {
  const clock = new ManualClock();
  const known = request("hello", { "content-length": "5" });
  assertEquals(await readBody(known, LIMITS, clock), new TextEncoder().encode("hello"));
  const pieces = ReadableStream.from([Uint8Array.of(1, 2), Uint8Array.of(3)]);
  assertEquals(await readBody(request(pieces), LIMITS, clock), Uint8Array.of(1, 2, 3));
  assertEquals(await readBody(request(null), LIMITS, clock), new Uint8Array());
  assertEquals(clock.timers, 0);
});

Deno.test("R32 readBody() stops at the limit and cancels the rest", async () => {
  const clock = new ManualClock();
  let cancelled = false;
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(4)),
    cancel: () => void (cancelled = true),
  });
  assertEquals(await kindOf(readBody(request(endless), LIMITS, clock)), "payload_too_large");
  assertEquals([cancelled, clock.timers], [true, 0]);
});

Deno.test("readBody() gives up at its deadline and cancels the body", async () => {
  const clock = new ManualClock();
  let cancelled = false;
  const silent = new ReadableStream({ cancel: () => void (cancelled = true) });
  const reading = kindOf(readBody(request(silent), LIMITS, clock));
  while (clock.timers === 0) await Promise.resolve();
  clock.advance(1_000);
  assertEquals(await reading, "body_timeout");
  assertEquals([cancelled, clock.timers], [true, 0]);
});

Deno.test("readBody() tells a body that broke off from one that is too slow", async () => {
  const clock = new ManualClock();
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("reset")) });
  assertEquals(await kindOf(readBody(request(broken), LIMITS, clock)), "client_closed");
});
