/**
 * Plays a fixture: what was recorded, in its order, and in its times if that is wanted.
 *
 * @module
 */

import type { Fixture } from "../../fixtures/format/mod.ts";
import type { Context } from "../suite/mod.ts";
import { Conductor } from "./conductor.ts";
import { planOf } from "./plan.ts";
import type { Transcript } from "./transcript.ts";

/** How a fixture is played. */
export interface PlayOptions {
  /** The recorded times are kept, multiplied with this; 0 is as fast as it goes. */
  readonly timeScale: number;
}

/** Plays a fixture through the proxy of a context, once. */
export async function play(
  fixture: Fixture,
  context: Context,
  options: PlayOptions = { timeScale: 0 },
): Promise<Transcript> {
  const conductor = new Conductor(planOf(fixture), context);
  context.mock.use((request, reply) => conductor.serve(request, reply));
  try {
    let lastAt = 0;
    for (const entry of fixture.entries) {
      const waitMs = Math.max(0, entry.at - lastAt) * options.timeScale;
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      lastAt = entry.at;
      await conductor.step(entry);
    }
  } finally {
    await conductor.close();
  }
  return conductor.transcript();
}
