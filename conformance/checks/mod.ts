/**
 * Checks that are made by scenarios of their own: a file for each area, which gathers those of the
 * files that an area is parted into. May import `suite`, `mock` and `wire`.
 *
 * @module
 */

import type { Scenario } from "../suite/mod.ts";
import { ANSWER } from "./answer.ts";
import { CANCELLATION_CHECKS } from "./cancellation.ts";
import { DOOR } from "./door.ts";
import { ERA } from "./era.ts";
import { EVENTS } from "./events.ts";
import { FAULTS } from "./faults.ts";
import { FIELDS } from "./fields.ts";
import { FRAMING } from "./framing.ts";
import { JSON_CHECKS } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { MEDIA } from "./media.ts";
import { ONCE } from "./once.ts";
import { PATHS } from "./paths.ts";
import { PRIVACY } from "./privacy.ts";
import { REQUEST } from "./request.ts";
import { RESUMPTION } from "./resumption.ts";
import { SESSIONS } from "./sessions.ts";
import { SMUGGLING } from "./smuggling.ts";
import { STREAMING } from "./streaming.ts";

/** All of them. */
export const SCENARIOS: readonly Scenario[] = [
  ...FRAMING,
  ...SMUGGLING,
  ...PATHS,
  ...FIELDS,
  ...MEDIA,
  ...DOOR,
  ...JSON_CHECKS,
  ...ERA,
  ...LIMITS,
  ...REQUEST,
  ...ANSWER,
  ...EVENTS,
  ...STREAMING,
  ...SESSIONS,
  ...ONCE,
  ...CANCELLATION_CHECKS,
  ...FAULTS,
  ...RESUMPTION,
  ...PRIVACY,
];
