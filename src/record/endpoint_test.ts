import { assertEquals } from "@std/assert";
import { type AnswerSource, streamOf } from "../http/mod.ts";
import { rewriteEndpoint } from "./endpoint.ts";

const FROM = "http://127.0.0.1:1";
const TO = "http://127.0.0.1:99";

async function through(...pieces: string[]): Promise<string[]> {
  const encoder = new TextEncoder();
  const left = pieces.map((piece) => [encoder.encode(piece)]);
  const source: AnswerSource = {
    next: () => Promise.resolve(left.shift() ?? null),
    ended: false,
    discard: () => {},
  };
  const stream = streamOf(rewriteEndpoint(source, FROM, TO)).pipeThrough(new TextDecoderStream());
  return await Array.fromAsync(stream);
}

for (const end of ["\n", "\r\n", "\r"]) {
  Deno.test(`rewriteEndpoint() rewrites the server's origin, with ${JSON.stringify(end)}`, async () => {
    const event = `event: endpoint${end}data: ${FROM}/m?s=1${end}${end}`;
    const wanted = `event: endpoint${end}data: ${TO}/m?s=1${end}${end}`;
    assertEquals(await through(`${event}data: ${FROM}${end}${end}`), [
      `${wanted}data: ${FROM}${end}${end}`,
    ]);
    for (let at = 1; at < event.length; at++) {
      assertEquals(
        (await through(event.slice(0, at), event.slice(at), "x")).join(""),
        wanted + "x",
      );
    }
  });
}

Deno.test("rewriteEndpoint() leaves paths, other origins and other events as they are", async () => {
  for (
    const text of [
      "event: endpoint\ndata: /m?s=1\n\n",
      `event: endpoint\ndata: ${FROM}0/m\n\n`,
      "event: endpoint\ndata: https://elsewhere/m\n\n",
      `event: message\ndata: ${FROM}/\n\n`,
      `event: endpoints\ndata: ${FROM}/\n\n`,
      "event: endp",
      "",
    ]
  ) assertEquals((await through(text)).join(""), text);
});

Deno.test("rewriteEndpoint() holds nothing back but an endpoint event that is not whole", async () => {
  assertEquals(await through("id: 1\n", "da", "ta: x"), ["id: 1\n", "da", "ta: x"]);
  // Nor more of one than its bound.
  const long = `event: endpoint\ndata: ${"x".repeat(9_000)}`;
  assertEquals((await through(long, "y")).length, 2);
});
