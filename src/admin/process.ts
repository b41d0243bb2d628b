/**
 * What is done to the process: draining it, and loading its config anew.
 *
 * @module
 */

import type { ClientAnswer } from "../http/mod.ts";
import { json } from "./page.ts";
import type { AdminSources } from "./sources.ts";

/** How far draining has come. */
export function drainTold({ drain }: AdminSources): ClientAnswer {
  return json(200, drain.told());
}

/** Begins draining; again where it has begun is the same. */
export function beginDrain({ drain }: AdminSources): ClientAnswer {
  drain.begin();
  return json(200, drain.told());
}

/** Takes draining back; 409 where the process stops. */
export function resume({ drain }: AdminSources): ClientAnswer {
  return json(drain.resume() ? 200 : 409, drain.told());
}

/** Loads the config anew: 409 where the new one cannot be used, 501 where there is no file. */
export async function reload({ reload: load }: AdminSources): Promise<ClientAnswer> {
  if (load === undefined) {
    const problems = ["The proxy was not started with a config file; restart it to change it."];
    return json(501, { ok: false, problems });
  }
  const outcome = await load();
  return json(outcome.ok ? 200 : 409, outcome);
}
