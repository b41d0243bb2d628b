import { assert, assertEquals } from "@std/assert";
import {
  MAX_MESSAGE_CHARACTERS,
  type Message,
  messageText,
  parseMessage,
  type Word,
} from "./words.ts";

const OPEN: Word = {
  say: "open",
  service: "/mcp as_session",
  verb: "exchange",
  era: "modern",
  fields: ["a", "1"],
  sessionId: null,
  principal: "p",
  query: "?x",
  lastEventId: false,
  size: 3,
  bytes: new Uint8Array([0, 255, 1]),
};

const WORDS: readonly Word[] = [
  OPEN,
  { ...OPEN, verb: "listen", sessionId: "s", lastEventId: "e", size: -1, bytes: new Uint8Array(0) },
  { ...OPEN, era: "session", lastEventId: null },
  { say: "unknown" },
  { say: "head", status: 200, fields: [], sessionId: null, kind: "sse" },
  { say: "data", bytes: new TextEncoder().encode("ü\n") },
  { say: "taken", count: 7 },
  { say: "beat" },
  { say: "cancel" },
  { say: "end", error: null },
  { say: "end", error: { kind: "internal", message: "No.", headers: ["a", "b"], data: { x: 1 } } },
];

function message(word: Word): Message {
  return { call: "c1", from: "a", number: 0, word };
}

Deno.test("every word comes back as it was said", () => {
  for (const word of WORDS) assertEquals(parseMessage(messageText(message(word))), message(word));
});

/** What one member of a message may not be. */
const MALFORMED: readonly (readonly [Word, Record<string, unknown>])[] = [
  [{ say: "beat" }, { say: "nothing" }],
  [{ say: "beat" }, { say: "toString" }],
  [{ say: "beat" }, { say: 1 }],
  [{ say: "beat" }, { call: "a b" }],
  [{ say: "beat" }, { from: "x".repeat(65) }],
  [{ say: "beat" }, { number: -1 }],
  [{ say: "beat" }, { number: 0.5 }],
  [{ say: "taken", count: 1 }, { count: "1" }],
  [{ say: "data", bytes: new Uint8Array(1) }, { bytes: "*" }],
  [{ say: "data", bytes: new Uint8Array(1) }, { bytes: undefined }],
  [OPEN, { verb: "close" }],
  [OPEN, { era: "none" }],
  [OPEN, { fields: ["a"] }],
  [OPEN, { fields: ["a", 1] }],
  [OPEN, { size: -2 }],
  [OPEN, { lastEventId: true }],
  [OPEN, { principal: null }],
  [{ say: "head", status: 200, fields: [], sessionId: null, kind: "sse" }, { status: 99 }],
  [{ say: "head", status: 200, fields: [], sessionId: null, kind: "sse" }, { kind: "html" }],
  [{ say: "end", error: null }, { error: undefined }],
  [{ say: "end", error: null }, { error: { kind: "toString", message: "", headers: [] } }],
  [{ say: "end", error: null }, { error: { kind: "internal", message: "", headers: ["a"] } }],
];

for (const [word, change] of MALFORMED) {
  Deno.test(`a message is dropped: ${word.say} with ${JSON.stringify(change)}`, () => {
    const text = messageText(message(word));
    assert(parseMessage(text) !== undefined);
    assertEquals(parseMessage(JSON.stringify({ ...JSON.parse(text), ...change })), undefined);
  });
}

Deno.test("a message that is too long is dropped", () => {
  const text = messageText(message({ say: "beat" }));
  const filled = (length: number) => text + " ".repeat(length - text.length);
  assert(parseMessage(filled(MAX_MESSAGE_CHARACTERS)) !== undefined);
  assertEquals(parseMessage(filled(MAX_MESSAGE_CHARACTERS + 1)), undefined);
});
