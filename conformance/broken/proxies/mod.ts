/**
 * All broken proxies.
 *
 * @module
 */

import type { BrokenProxy } from "../broken_proxy.ts";
import { ANSWER } from "./answers.ts";
import { ERA } from "./eras.ts";
import { EVENTS } from "./events.ts";
import { CANCELLATION, FAULTS } from "./failures.ts";
import { DOOR, JSON_MESSAGES, LIMITS } from "./messages.ts";
import { ONCE } from "./once.ts";
import { PRIVACY } from "./privacy.ts";
import { REQUEST } from "./requests.ts";
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
