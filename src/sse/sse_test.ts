import { assertEquals } from "@std/assert";
import { Fields } from "../http/mod.ts";
import { isEventStream, streamFields, watchEvents } from "./mod.ts";

Deno.test("isEventStream() knows the media type with parameters and in any case", () => {
  const verdicts = [
    "text/event-stream",
    "Text/Event-Stream; charset=utf-8",
    "text/event-stream-x",
    "application/json",
    null,
    undefined,
  ].map(isEventStream);
  assertEquals(verdicts, [true, true, false, false, false, false]);
});

Deno.test("streamFields() asks proxies not to buffer, and keeps the server's Cache-Control", () => {
  const fields = (...list: string[]) => streamFields(new Fields(list)).list;
  assertEquals(fields(), ["x-accel-buffering", "no", "cache-control", "no-cache"]);
  assertEquals(fields("cache-control", "no-store").slice(0, 2), ["cache-control", "no-store"]);
});

Deno.test("R46 watchEvents() sees each event, however the bytes are split", () => {
  const bytes = new TextEncoder().encode(
    ": c\r\ndata: é1\r\n\r\nevent: x\ndata: a\ndata: b\n\ndata: open",
  );
  for (let at = 0; at <= bytes.length; at++) {
    const seen: string[] = [];
    const watch = watchEvents((data) => seen.push(data), 1_000);
    watch(bytes.subarray(0, at));
    watch(bytes.subarray(at));
    assertEquals(seen, ["é1", "a\nb"]);
  }
});

Deno.test("watchEvents() looks at no more than its bound", () => {
  const seen: string[] = [];
  const watch = watchEvents((data) => seen.push(data), 20);
  const event = new TextEncoder().encode("data: 12\n\n");
  for (let count = 0; count < 5; count++) watch(event);
  assertEquals(seen, ["12", "12"]);
});
