import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type AnswerSource, type Bytes, Replacement } from "./mod.ts";

const replaceText = (bytes: Uint8Array, from: string, to: string) =>
  new Replacement(from, to).apply(bytes);

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (from: Uint8Array) => new TextDecoder().decode(from);

Deno.test("Replacement replaces every place, and leaves other bytes as they are", () => {
  assertEquals(
    text(replaceText(bytes("é-inner-ü-inner"), "inner", "$&outer")),
    "é-$&outer-ü-$&outer",
  );
  const odd = Uint8Array.of(0xff, 0x61, 0x00, 0xfe);
  assertEquals(replaceText(odd, "a", "bc"), Uint8Array.of(0xff, 0x62, 0x63, 0x00, 0xfe));
});

Deno.test("Replacement gives the very same bytes where there is nothing to replace", () => {
  for (const one of [bytes(""), bytes("inne"), bytes("something else")]) {
    assertStrictEquals(replaceText(one, "inner", "outer"), one);
  }
});

Deno.test("Replacement.isIn() finds a text in short bytes and in long ones, at either end too", () => {
  for (const from of ["inner", "aab", "aaaa", "a"]) {
    const replacement = new Replacement(from, "x");
    for (const filling of [0, 1, 7, 1_019, 1_024, 5_000]) {
      for (const filler of ["-", "a", from.slice(0, -1)]) {
        const around = filler.repeat(filling);
        for (const one of [around, from + around, around + from, around + from + around]) {
          assertEquals(replacement.isIn(bytes(one)), one.includes(from), `${from} in ${one}`);
        }
      }
    }
  }
});

Deno.test("Replacement looks at its own part of a buffer alone", () => {
  const part = bytes("inner text inner").subarray(5, 11);
  assertStrictEquals(replaceText(part, "inner", "outer"), part);
});

/** A source of these pieces, one at a time, which breaks off behind them where it is said to. */
function sourceOf(pieces: readonly string[], breaks = false): AnswerSource {
  const left = pieces.map(bytes) as Bytes[];
  return {
    next() {
      const piece = left.shift();
      if (piece === undefined && breaks) throw new Error("broken off");
      return piece === undefined ? null : [piece];
    },
    get ended() {
      return left.length === 0 && !breaks;
    },
    discard: () => void left.splice(0),
  };
}

async function textOf(source: AnswerSource): Promise<string> {
  let found = "";
  for (let pieces = await source.next(); pieces !== null; pieces = await source.next()) {
    for (const piece of pieces) found += text(piece);
  }
  return found;
}

Deno.test("R77 Replacement.stream() finds a text wherever the pieces of a body part", async () => {
  for (const from of ["inner", "aab", "aaa", "a"]) {
    const said = `x${from}aa${from}${from.slice(0, -1)}y${from}${from}${from.slice(0, -1)}`;
    const wanted = said.replaceAll(from, "OUTER");
    for (let first = 0; first <= said.length; first++) {
      for (let second = first; second <= said.length; second++) {
        const pieces = [said.slice(0, first), said.slice(first, second), said.slice(second)];
        const source = new Replacement(from, "OUTER").stream(sourceOf(pieces));
        assertEquals(await textOf(source), wanted, pieces.join("|"));
        assert(source.ended);
      }
    }
    const single = new Replacement(from, "OUTER").stream(sourceOf([...said]));
    assertEquals(await textOf(single), wanted);
  }
});

Deno.test("Replacement.stream() hands out all there was of a body that breaks off", async () => {
  const source = new Replacement("inner", "OUTER").stream(sourceOf(["an inn"], true));
  const seen: string[] = [];
  source.tap((piece) => seen.push(text(piece)));
  assertEquals((await source.next())!.map(text), ["an "]);
  assertEquals((await source.next())!.map(text), ["inn"]);
  await assertRejects(() => source.next(), Error, "broken off");
  assertEquals(seen, ["an ", "inn"]);
});

Deno.test("Replacement.stream() gives up what it held back with the rest", async () => {
  const source = new Replacement("inner", "OUTER").stream(sourceOf(["an inn", "er"]));
  await source.next();
  assertEquals(source.ended, false);
  source.discard();
  assertEquals([source.ended, await source.next()], [true, null]);
});
