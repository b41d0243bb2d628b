/**
 * All broken proxies.
 *
 * @module
 */

import type { BrokenProxy } from "../broken_proxy.ts";
import { EVENTS } from "./events.ts";
import { ANSWER, ONCE, REQUEST } from "./exchanges.ts";
import { ERA } from "./eras.ts";
import { CANCELLATION, FAULTS } from "./failures.ts";
import { DOOR, JSON_MESSAGES, LIMITS } from "./messages.ts";
import { PRIVACY } from "./privacy.ts";
import { SESSIONS } from "./sessions.ts";
import { STREAMING } from "./streaming.ts";
import { ANSWER_FRAMES, TARGETS } from "./targets.ts";
import { TRANSPORT } from "./transport.ts";

/** All of them. */
export const BROKEN_PROXIES: readonly BrokenProxy[] = [
  ...TRANSPORT,
  ...TARGETS,
  ...ANSWER_FRAMES,
  ...DOOR,
  ...JSON_MESSAGES,
  ...ERA,
  ...LIMITS,
  ...ONCE,
  ...REQUEST,
  ...ANSWER,
  ...EVENTS,
  ...STREAMING,
  ...SESSIONS,
  ...PRIVACY,
  ...CANCELLATION,
  ...FAULTS,
];
