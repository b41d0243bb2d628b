/**
 * How sessions are known that a bridge has made and not the server.
 *
 * @module
 */

/** What the ids of sessions start with that are the bridge's own; clients never see them (R77). */
export const BRIDGED_SESSION = "switchyard-bridge.";
