/**
 * Checks that are made by scenarios of their own, one file for each area. May import `suite`, `mock`
 * and `wire`.
 *
 * @module
 */

import type { Scenario } from "../suite/mod.ts";

/** All of them. */
export const SCENARIOS: readonly Scenario[] = [];
