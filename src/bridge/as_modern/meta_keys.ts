/**
 * Keys of `_meta` that 2026-07-28 reserves for requests, results and notifications.
 *
 * Source: 2026-07-28 basic/index, "_meta".
 *
 * @module
 */

/** The revision that this bridge speaks to clients. */
export const MODERN_REVISION = "2026-07-28";

const PREFIX = "io.modelcontextprotocol/";

/** What the client declares for its request. */
export const CLIENT_CAPABILITIES_KEY = `${PREFIX}clientCapabilities`;
/** Who the client is. */
export const CLIENT_INFO_KEY = `${PREFIX}clientInfo`;
/** The least severe log lines that the client wants of its request. */
export const LOG_LEVEL_KEY = `${PREFIX}logLevel`;
/** Who the server is. */
export const SERVER_INFO_KEY = `${PREFIX}serverInfo`;
/** The request that opened the stream on which a notification comes. */
export const SUBSCRIPTION_ID_KEY = `${PREFIX}subscriptionId`;
