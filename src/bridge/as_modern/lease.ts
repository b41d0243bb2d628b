/**
 * The use of a session at the server for as long as a request needs it.
 *
 * @module
 */

import type { ServerSession } from "./server_session.ts";

/** The use of a session, until it is released. */
export interface Lease {
  /** The session, open. */
  readonly session: ServerSession;
  /** Gives it back, once; `unspoilt` where nothing was sent in it for a client. */
  release(unspoilt?: boolean): void;
}

/** A lease whose end is told to `released` once, however often it is given back. */
export function lease(session: ServerSession, released: (unspoilt: boolean) => void): Lease {
  let isOver = false;
  return {
    session,
    release: (unspoilt = false) => {
      if (isOver) return;
      isOver = true;
      released(unspoilt);
    },
  };
}
