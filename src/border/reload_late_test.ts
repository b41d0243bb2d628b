/**
 * A reload that takes too long must neither hold up later ones nor harm what they have put in place.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Config, ReloadOutcome } from "../config/mod.ts";
import { configSchema } from "../config/schema.ts";
import { loadPipelines, type Pipelines } from "../interceptors.ts";
import { Reloads } from "../reload.ts";
import { nullLogger } from "../telemetry/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import * as tagging from "../testing/tagging.ts";

const TAGGING = new URL("../testing/tagging.ts", import.meta.url).href;
const LIMIT_MS = 30_000;

/** A route at `/NAME` with the interceptor of a module. */
function routeWith(name: string, module: string, options: Record<string, unknown> = {}) {
  return {
    name,
    path: `/${name}`,
    upstream: { url: "http://127.0.0.1:1/" },
    interceptors: [{ module, options }],
  };
}

const configOf = (...routes: unknown[]): Config => configSchema.parse({ routes });

/** What reloads, from a config on, and the interceptors that the app was given last. */
async function reloadsFrom(config: Config, load?: () => Promise<Config>) {
  const clock = new ManualClock();
  const given: Pipelines[] = [await loadPipelines(config)];
  const reloads = new Reloads({
    app: {
      reload(_, pipelines) {
        given.push(pipelines);
        return { added: [], removed: [], changed: [], kept: [] };
      },
    },
    running: { config, pipelines: given[0]! },
    load,
    onReloaded: () => {},
    clock,
    logger: nullLogger,
  });
  return { clock, reloads, given };
}

/** Resolves when a timer is set. */
async function timed(clock: ManualClock): Promise<void> {
  while (clock.timers === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}

function problemOf(outcome: ReloadOutcome): string {
  return outcome.ok ? "" : outcome.problems.join("\n");
}

Deno.test("a module that loads at last closes nothing that ran when its reload began", async () => {
  const folder = await Deno.makeTempDir();
  const [begun, gate, closed] = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  const words = { begun: begun!.resolve, gate: gate!.promise, closed: closed!.resolve };
  Object.assign(globalThis, { lateModule: words });
  const module = `${folder}/late.js`;
  await Deno.writeTextFile(
    module,
    "export default async () => { lateModule.begun(); await lateModule.gate; " +
      "return { name: 'late', serverMessage: () => {}, close: () => lateModule.closed() }; };",
  );
  const { clock, reloads, given } = await reloadsFrom(
    configOf(routeWith("a", TAGGING, { tag: "first" })),
  );
  const late = reloads.reload(
    configOf(routeWith("a", TAGGING, { tag: "first" }), routeWith("b", module)),
  );
  await begun!.promise;
  clock.advance(LIMIT_MS);
  assertMatch(problemOf(await late), /^interceptors: found modules that took more than 30 seconds/);
  assert((await reloads.reload(configOf(routeWith("a", TAGGING, { tag: "second" })))).ok);
  gate!.resolve();
  // Its own are closed, and those of the first config are the app's.
  await closed!.promise;
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(tagging.open, ["first", "second"]);
  for (const pipelines of given) for (const one of pipelines.values()) await one.close();
  assertEquals([tagging.open, clock.timers], [[], 0]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a config file that cannot be read to its end holds up no later reload", async () => {
  const config = configOf(routeWith("a", TAGGING, { tag: "x" }));
  const reads = [new Promise<Config>(() => {}), Promise.resolve(config)];
  const { clock, reloads, given } = await reloadsFrom(config, () => reads.shift()!);
  const first = reloads.reload();
  await timed(clock);
  const second = reloads.reload();
  clock.advance(LIMIT_MS);
  assertMatch(problemOf(await first), /took more than 30 seconds to read/);
  assert((await second).ok);
  assertEquals(clock.timers, 0);
  for (const one of given.at(-1)!.values()) await one.close();
});
