import { assertEquals } from "@std/assert";
import { Deadlines } from "../deadlines.ts";
import { ManualClock } from "../testing/mod.ts";
import { RequestBody } from "./request_body.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (from: Uint8Array) => new TextDecoder().decode(from);

Deno.test("a body is told from what stands behind it, in whatever pieces it comes (RFC 9112 6.3)", async () => {
  // The second piece of the last is as long as the whole body, and is not all of it.
  for (const pieces of [["abcde"], ["abcdeGET /"], ["ab", "cde"], ["ab", "cdeGE"]]) {
    const body = new RequestBody({ kind: "length", bytes: 5 }, 100);
    const behind = pieces.map((piece) => text(body.take(bytes(piece)))).join("");
    const read = await body.read(new Deadlines(new ManualClock(), 1_000), 1_000);
    assertEquals([text(read), body.done, `${text(read)}${behind}`], [
      "abcde",
      true,
      pieces.join(""),
    ]);
  }
});
