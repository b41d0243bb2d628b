import { assertEquals, assertThrows } from "@std/assert";
import { CommandLineError, splitCommand } from "./command_line.ts";

const CASES: readonly [line: string, words: readonly string[]][] = [
  ["npx -y some-server", ["npx", "-y", "some-server"]],
  ["  a\t b \n", ["a", "b"]],
  [`a 'b c' "d e"`, ["a", "b c", "d e"]],
  [`a --name='b c'"d"e`, ["a", "--name=b cde"]],
  [`a '' ""`, ["a", "", ""]],
  [String.raw`a b\ c \"d\'`, ["a", "b c", `"d'`]],
  [String.raw`a "b\"c\\d\e"`, ["a", String.raw`b"c\d\e`]],
  [String.raw`a 'b\c' '$X;|'`, ["a", String.raw`b\c`, "$X;|"]],
  ["a ~/b *.c #d", ["a", "~/b", "*.c", "#d"]],
];

Deno.test("splitCommand() splits as a shell does, and expands nothing", () => {
  for (const [line, words] of CASES) assertEquals(splitCommand(line), words, line);
});

Deno.test("splitCommand() refuses what is not closed, empty, or a shell's alone", () => {
  const refused = [
    "",
    "  ",
    `""`,
    "a 'b",
    `a "b`,
    "a \\",
    "a | b",
    "a && b",
    "a > b",
    "a $HOME",
    "a `b`",
  ];
  for (const line of refused) assertThrows(() => splitCommand(line), CommandLineError);
});
