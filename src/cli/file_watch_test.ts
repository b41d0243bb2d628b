/**
 * A file may be replaced in more ways than events tell of.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import { FileWatch, LOOK_MS, SETTLE_MS } from "./file_watch.ts";

const isPosix = Deno.build.os !== "windows";

interface Watched {
  readonly folder: string;
  readonly clock: ManualClock;
  readonly failures: unknown[];
  /** How often it was looked. */
  readonly looks: () => number;
  /** Waits until an event has been told of, and lets the time pass that it takes to look. */
  readonly event: () => Promise<void>;
}

/** Runs `test` with a watch on a file, which has been looked at once. */
async function withWatch(
  prepare: (folder: string) => string,
  test: (watched: Watched) => Promise<void>,
): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  const clock = new ManualClock();
  const failures: unknown[] = [];
  let looks = 0;
  const watch = new FileWatch({
    file: prepare(folder),
    clock,
    onMaybeChanged: () => Promise.resolve(void looks++),
    onFailure: (error) => void failures.push(error),
  });
  /** Behind a look there is one timer, for the next look; an event sets another. */
  const timers = async (count: number) => {
    for (let tries = 0; clock.timers !== count; tries++) {
      if (tries === 1_000) throw new Error(`there are ${clock.timers} timers, and not ${count}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const settle = async () => {
    clock.advance(SETTLE_MS);
    await timers(1);
  };
  watch.start();
  await settle();
  assertEquals(looks, 1);
  const event = async () => {
    await timers(2);
    await settle();
  };
  try {
    await test({ folder, clock, failures, looks: () => looks, event });
  } finally {
    watch.stop();
    assertEquals(clock.timers, 0);
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("FileWatch looks every few seconds, also where nothing is told of", () =>
  withWatch((folder) => `${folder}/config.json`, async ({ clock, looks }) => {
    for (let count = 2; count < 5; count++) {
      clock.advance(LOOK_MS);
      assertEquals(looks(), count - 1);
      clock.advance(SETTLE_MS);
      assertEquals(looks(), count);
      await Promise.resolve();
    }
  }));

Deno.test("FileWatch waits for one look after thousands of events", () =>
  withWatch((folder) => `${folder}/config.json`, async ({ folder, clock, looks }) => {
    for (let count = 0; count < 2_000; count++) Deno.writeTextFileSync(`${folder}/noise`, "x");
    while (clock.timers < 2) await new Promise((resolve) => setTimeout(resolve, 2));
    for (let turn = 0; turn < 20; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      assertEquals([clock.timers, looks()], [2, 1]);
    }
  }));

Deno.test("FileWatch goes on where the folder is removed and made anew, and says once that it is gone", () => {
  const prepare = (folder: string) => {
    Deno.mkdirSync(`${folder}/etc`);
    return `${folder}/etc/config.json`;
  };
  return withWatch(prepare, async ({ folder, clock, failures, looks, event }) => {
    const look = async () => {
      const before = looks();
      clock.advance(LOOK_MS);
      clock.advance(SETTLE_MS);
      while (looks() === before) await new Promise((resolve) => setTimeout(resolve, 2));
      await new Promise((resolve) => setTimeout(resolve, 20));
    };
    for (let round = 1; round < 3; round++) {
      Deno.removeSync(`${folder}/etc`, { recursive: true });
      await look();
      await look();
      assertEquals(failures.length, round);
      Deno.mkdirSync(`${folder}/etc`);
      await look();
      // It is watched again.
      await look();
      const before = looks();
      Deno.writeTextFileSync(`${folder}/etc/config.json`, "{}");
      await event();
      assertEquals(looks(), before + 1);
      assertEquals(failures.length, round);
    }
  });
});

Deno.test({
  name: "FileWatch is told where any link on the way to the file leads elsewhere",
  ignore: !isPosix,
  fn() {
    // /links/etc/config.json, where etc leads by current, in yet another folder, to v1.
    const prepare = (folder: string) => {
      for (const name of ["links", "deploy", "v1", "v2"]) Deno.mkdirSync(`${folder}/${name}`);
      Deno.symlinkSync("../v1", `${folder}/deploy/current`);
      Deno.symlinkSync("../deploy/current", `${folder}/links/etc`);
      return `${folder}/links/etc/config.json`;
    };
    return withWatch(prepare, async ({ folder, looks, event }) => {
      Deno.symlinkSync("../v2", `${folder}/deploy/next`);
      Deno.renameSync(`${folder}/deploy/next`, `${folder}/deploy/current`);
      await event();
      assertEquals(looks(), 2);
      // And then where it leads to now.
      Deno.writeTextFileSync(`${folder}/v2/config.json`, "{}");
      await event();
      assertEquals(looks(), 3);
    });
  },
});

Deno.test({
  name: "FileWatch takes links that lead round in circles, and is told when they do no more",
  ignore: !isPosix,
  fn() {
    const prepare = (folder: string) => {
      Deno.symlinkSync("b", `${folder}/a`);
      Deno.symlinkSync("a", `${folder}/b`);
      return `${folder}/a/config.json`;
    };
    return withWatch(prepare, async ({ folder, looks, event }) => {
      Deno.removeSync(`${folder}/a`);
      Deno.mkdirSync(`${folder}/a`);
      await event();
      assertEquals(looks(), 2);
    });
  },
});
