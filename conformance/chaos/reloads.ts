/**
 * Has the proxy reload its config while clients work: by SIGHUP and by a change of the file, now and then with a
 * file that is wrong.
 *
 * @module
 */

import { pause } from "./clients/mod.ts";
import {
  broken,
  changed,
  type Choice,
  configWith,
  FIRST_CHOICE,
  type Fixed,
  numbered,
} from "./config.ts";
import type { Disturbed } from "./faults.ts";
import type { Finding } from "./judge.ts";
import type { Proxy } from "./proxy.ts";
import type { Random } from "./random.ts";

/** How long the proxy may take to say what came of a reload, in milliseconds. */
const SAID_MS = 10_000;

/** How many of the files are wrong. */
const BROKEN = 0.15;

/** How long a target is left in peace that is in the config again, in milliseconds. */
const BACK_MS = 1_000;

/** What came of the reloads. */
export interface Reloads {
  /** Files that are right, and were taken over. */
  readonly done: number;
  /** Files that are wrong, and were refused. */
  readonly refused: number;
  readonly findings: readonly Finding[];
}

/** What reloading is done with. */
export interface ReloadOptions {
  readonly proxy: Proxy;
  readonly fixed: Fixed;
  /** How often a file that is right is put in place. */
  readonly count: number;
  /** In which time, in milliseconds. */
  readonly withinMs: number;
  readonly random: Random;
  /** A target that the config leaves out is one of them. */
  readonly disturbed: Disturbed;
  readonly over: AbortSignal;
}

/** Reloads until all is done. At the end the config is as at first. */
export async function reload(options: ReloadOptions): Promise<Reloads> {
  const { proxy, fixed, count, withinMs, random, disturbed, over } = options;
  const findings: Finding[] = [];
  let choice: Choice = FIRST_CHOICE;
  let [done, refused, way] = [0, 0, 0];
  const put = async (text: string, word: "config reloaded" | "config not reloaded") => {
    // Each in turn: a signal, or that the file has changed, in place or by another one in its place.
    const isTold = await replace(proxy, numbered(text, way), way++, word, over);
    if (isTold || over.aborted) return isTold;
    findings.push({
      rule: "reload",
      what: `"${word}" was not logged within ${SAID_MS} ms: ${text}`,
    });
    return false;
  };
  while (done < count && !over.aborted) {
    await pause(random.between(0.4, 1.2) * withinMs / count, over);
    if (over.aborted) break;
    if (random.chance(BROKEN)) {
      if (await put(broken(configWith(fixed, choice), random), "config not reloaded")) refused++;
    }
    const mayGo = (at: number) => disturbed.take(fixed.targets[at]!.name);
    const next = done + 1 === count ? FIRST_CHOICE : changed(choice, random, mayGo);
    if (!await put(configWith(fixed, next), "config reloaded")) break;
    if (next.without === undefined && choice.without !== undefined) {
      disturbed.release(fixed.targets[choice.without]!.name, BACK_MS);
    }
    choice = next;
    done++;
  }
  if (done < count && findings.length === 0) {
    findings.push({ rule: "reload", what: `there was time for ${done} reloads of ${count}` });
  }
  return { done, refused, findings };
}

async function replace(
  proxy: Proxy,
  text: string,
  way: number,
  word: string,
  over: AbortSignal,
): Promise<boolean> {
  const said = () => proxy.log.filter((line) => line.includes(word)).length;
  const before = said();
  if (way % 3 === 0) await Deno.writeTextFile(proxy.file, text);
  else {
    await Deno.writeTextFile(`${proxy.file}.new`, text);
    await Deno.rename(`${proxy.file}.new`, proxy.file);
  }
  if (way % 3 === 2) proxy.hangUp();
  const untilMs = performance.now() + SAID_MS;
  while (said() === before && performance.now() < untilMs) await pause(20, over);
  return said() !== before;
}
