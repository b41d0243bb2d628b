import { assertEquals } from "@std/assert";
import { Fields } from "../http/mod.ts";
import { parseBody } from "../json/mod.ts";
import type { UpstreamBody } from "../upstream/mod.ts";
import { type SseMessage, SseMessages } from "./sse_messages.ts";

/** What a client says, taken in. */
function taken(messages: SseMessages, message: Record<string, unknown>): SseMessage {
  return takenText(messages, JSON.stringify({ jsonrpc: "2.0", ...message }));
}

function takenText(messages: SseMessages, text: string): SseMessage {
  const bytes = new TextEncoder().encode(text);
  const limits = { maxDepth: 10, maxBatchMessages: 1 };
  return messages.add({
    message: parseBody(bytes, limits).messages[0]!,
    bytes,
    headers: new Fields(),
  });
}

/** A cancellation of the request with the id that is written so. */
function cancellation(idText: string): Uint8Array {
  const params = `{"requestId":${idText}}`;
  return new TextEncoder().encode(
    `{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`,
  );
}

const ask = (id: unknown) => ({ id, method: "tools/call" });

/** A body that tells how often it was discarded. */
function bodyOf() {
  const told = { discarded: 0 };
  const body = { discard: () => void told.discarded++ } as unknown as UpstreamBody;
  return { told, body };
}

Deno.test("SseMessages: an answer is owed to requests until they are answered, cancelled or seen to", () => {
  const messages = new SseMessages();
  taken(messages, { method: "notifications/progress" });
  const [first, second, third] = [1, 2, 3].map((id) => taken(messages, ask(id)));
  assertEquals(messages.pending, [first, second, third]);
  first!.answer();
  messages.cancelled(cancellation("2"));
  messages.delete(third!);
  assertEquals(messages.pending, []);
});

Deno.test("SseMessages: a request is cancelled by its id, and what is read of its answer discarded", () => {
  const messages = new SseMessages();
  const [one, other] = [taken(messages, ask("1")), taken(messages, ask(1))];
  const { told, body } = bodyOf();
  one.reading(body);
  messages.cancelled(cancellation('"1"'));
  assertEquals([one.signal.aborted, one.isTakenBack, told.discarded], [true, true, 1]);
  assertEquals([other.signal.aborted, other.isPending], [false, true]);
});

Deno.test("SseMessages: a request is unwanted until the upstream has refused to hear it", () => {
  const messages = new SseMessages();
  const one = taken(messages, ask(1));
  const want = messages.unwanted(cancellation("1"));
  assertEquals([one.isTakenBack, one.isPending, one.signal.aborted], [true, true, false]);
  want();
  assertEquals(one.isTakenBack, false);
});

Deno.test("SseMessages: who leaves has the rest of answers that it has given up", () => {
  const messages = new SseMessages();
  const [answered, open] = [taken(messages, ask(1)), taken(messages, ask(2))];
  answered.answer();
  messages.giveUpAnswered();
  assertEquals([answered.signal.aborted, open.signal.aborted], [true, false]);
});

Deno.test("R24 SseMessages: a request is cancelled by its id however that is spelled, and no other with it", () => {
  const cases = [
    ['"\\u00e9"', '"é"', '"e"'],
    ["1.0", "1", '"1"'],
    ["9007199254740993", "9007199254740993", "9007199254740992"],
  ] as const;
  for (const [idText, requestId, otherId] of cases) {
    const messages = new SseMessages();
    const one = takenText(messages, `{"jsonrpc":"2.0","id":${idText},"method":"tools/call"}`);
    messages.cancelled(cancellation(otherId));
    assertEquals(one.isPending, true);
    messages.cancelled(cancellation(requestId));
    assertEquals([one.isPending, one.signal.aborted], [false, true]);
  }
  const messages = new SseMessages();
  const one = taken(messages, ask(1));
  messages.cancelled(new TextEncoder().encode('{"method":"notifications/cancelled"}'));
  assertEquals(one.isPending, true);
});
