import { assertEquals } from "@std/assert";
import type { PeerMessage, PeerWord } from "../relay/mod.ts";
import { MAX_MESSAGE_CHARACTERS, parsePeerMessage, peerMessageText } from "./peer_message.ts";

const WORDS: readonly PeerWord[] = [
  { say: "follow", seq: 0 },
  { say: "follow", seq: null },
  { say: "following", seq: 1, upTo: 2 ** 53 - 1, finished: true },
  { say: "refused" },
  { say: "more", upTo: 7 },
  { say: "close", upTo: 7, broken: null },
  { say: "close", upTo: 7, broken: 'The "upstream" broke off.\n' },
  { say: "taken", seq: 3 },
  { say: "left", seq: 4 },
];

const NAMES = { stream: "Ab-_0123456789abcdefgh", from: "0123456789abcdef", follower: 3 };

Deno.test("parsePeerMessage() reads what peerMessageText() writes, and keeps nothing else", () => {
  for (const words of WORDS) {
    const message: PeerMessage = { ...NAMES, ...words };
    assertEquals(parsePeerMessage(peerMessageText(message)), message);
    const more = JSON.stringify({ ...message, hello: 1, ["__proto__x"]: {} });
    assertEquals(parsePeerMessage(more), message);
  }
});

Deno.test("parsePeerMessage() drops what lacks a member, or has one of another type", () => {
  for (const words of WORDS) {
    const message: Record<string, unknown> = { ...NAMES, ...words };
    for (const name of Object.keys(message)) {
      const { [name]: _, ...rest } = message;
      assertEquals(parsePeerMessage(JSON.stringify(rest)), undefined, `${words.say} lacks ${name}`);
      for (const bad of [[], {}, "", -1, 1.5, 2 ** 53, "1e3 "]) {
        // Any text is a reason.
        if (name === "broken" && typeof bad === "string") continue;
        const text = JSON.stringify({ ...message, [name]: bad });
        assertEquals(parsePeerMessage(text), undefined, text);
      }
    }
  }
});

Deno.test("parsePeerMessage() drops what is no message", () => {
  const texts = [
    "",
    "{",
    "null",
    "1",
    '"more"',
    "[]",
    "{}",
    JSON.stringify({ ...NAMES, say: "toString" }),
    JSON.stringify({ ...NAMES, say: "__proto__" }),
    JSON.stringify({ ...NAMES, say: "refused", from: "a b" }),
    JSON.stringify({ ...NAMES, say: "refused", from: "a".repeat(65) }),
    "[".repeat(8_000),
  ];
  for (const text of texts) assertEquals(parsePeerMessage(text), undefined, text);
});

Deno.test("parsePeerMessage() drops what is longer than 8 KiB, unread", () => {
  const message = (broken: string): PeerMessage => ({ ...NAMES, say: "close", upTo: 1, broken });
  const rest = MAX_MESSAGE_CHARACTERS - peerMessageText(message("")).length;
  assertEquals(MAX_MESSAGE_CHARACTERS, 8_192);
  const fits = message("x".repeat(rest));
  assertEquals(parsePeerMessage(peerMessageText(fits)), fits);
  assertEquals(parsePeerMessage(peerMessageText(message("x".repeat(rest + 1)))), undefined);
});
