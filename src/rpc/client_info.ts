/**
 * How the proxy introduces itself where it is the client.
 *
 * @module
 */

/** The `clientInfo` of the proxy's own `initialize`; a test holds the version to that of the program. */
export const CLIENT_INFO = { name: "switchyard", version: "0.1.0" } as const;
