/**
 * Listens to the server for the ids that it gives its sessions.
 *
 * @module
 */

import { SESSION } from "./choices.ts";
import type { Damage } from "./damage.ts";
import { fieldOf } from "./message.ts";

/** Knows the server's id of the session that was opened last. */
export class ServerIds {
  /** It; undefined where there was none. */
  last: string | undefined;

  /** Listens to the server. */
  readonly back: Damage = {
    answer: ({ fields }) => {
      this.last = fieldOf(fields, SESSION) ?? this.last;
      return undefined;
    },
  };
}
