/**
 * All broken proxies.
 *
 * @module
 */

import type { BrokenProxy } from "../broken_proxy.ts";
import { EVENTS } from "./events.ts";
import { ANSWER, ONCE, REQUEST } from "./exchanges.ts";
import { CANCELLATION, FAULTS, PRIVACY, SESSIONS } from "./lives.ts";
import { DOOR, ERA, JSON_MESSAGES, LIMITS } from "./messages.ts";
import { STREAMING } from "./streaming.ts";
import { TRANSPORT } from "./transport.ts";

/** All of them. */
export const BROKEN_PROXIES: readonly BrokenProxy[] = [
  ...TRANSPORT,
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
