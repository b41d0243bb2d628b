import { assert, assertEquals, assertThrows } from "@std/assert";
import { changed, configWith, FIRST_CHOICE } from "./config.ts";
import { DEFAULTS, readOptions } from "./options.ts";
import { Random } from "./random.ts";
import { command } from "./report.ts";

Deno.test("readOptions() reads the command that a report names, and refuses what it does not know", () => {
  assertEquals(readOptions([]), DEFAULTS);
  assertEquals(readOptions(["--help"]), undefined);
  const options = { ...DEFAULTS, seconds: 5, seed: 7, targets: 1, only: ["modern"] };
  const words = command({ options }).split(" ").slice(3);
  assertEquals(readOptions(words), options);
  assertEquals(readOptions(command({ options: { ...options, faults: [] } }).split(" ").slice(3)), {
    ...options,
    faults: [],
  });
  assertThrows(() => readOptions(["--second", "5"]), Error, "--second");
  assertThrows(() => readOptions(["--seconds", "0"]), Error, "--seconds is 0");
  assertThrows(() => readOptions(["--faults", "fire"]), Error, "fire");
});

Deno.test("Random gives the same numbers for the same seed, and forks that go their own way", () => {
  const drawn = (random: Random) => Array.from({ length: 5 }, () => random.next());
  assertEquals(drawn(new Random(1)), drawn(new Random(1)));
  const [one, other] = [new Random(2), new Random(2)];
  drawn(one.fork());
  other.fork();
  assertEquals(drawn(one), drawn(other));
});

Deno.test("changed() takes out no more than one target, and puts it back before anything else", () => {
  const random = new Random(3);
  let choice = FIRST_CHOICE;
  for (let count = 0; count < 200; count++) {
    const next = changed(choice, random, (target) => target !== 1);
    if (choice.without !== undefined) assertEquals(next.without, undefined);
    choice = next;
    const targets = ["a", "b", "c"].map((name, at) => ({ name, port: 1 + at }));
    const config = JSON.parse(configWith({ targets, admin: 4, headersTimeoutMs: 5 }, choice));
    const left = choice.without === undefined ? 3 : 2;
    assertEquals(config.routes[0].upstream.targets.length, left);
    assert(choice.without !== 1);
  }
});
