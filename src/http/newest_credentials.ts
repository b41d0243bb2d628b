/**
 * The newest credentials of a session that its upstream may be shown: a stream that is opened again long after it
 * began goes up with those, because the ones that it began with may have run out.
 *
 * Source: 2025-11-25 basic/authorization, "Token Requirements": authorization is in every request of a session.
 *
 * @module
 */

import { detached, type FieldReader, Fields } from "./fields.ts";

/** Fields with credentials of a client. */
const NAMES = ["authorization", "cookie"] as const;

/** The newest credentials of each session, where they go upstream. */
export class NewestCredentials<Session extends object> {
  readonly #newest = new WeakMap<Session, Map<string, string>>();

  /** A request with these fields was taken; what it does not have stays as it was. */
  note(session: Session, headers: FieldReader): void {
    for (const name of NAMES) {
      const value = headers.get(name);
      const known = this.#newest.get(session);
      if (value === null || known?.get(name) === value) continue;
      // A part of a head would keep the whole of it in memory.
      this.#newest.set(session, (known ?? new Map<string, string>()).set(name, detached(value)));
    }
  }

  /** The fields of an earlier request with the credentials of the newest one. */
  renew(session: Session, headers: FieldReader): FieldReader {
    const newest = this.#newest.get(session);
    if (newest === undefined) return headers;
    const fields = Fields.from(headers);
    for (const [name, value] of newest) fields.set(name, value);
    return fields;
  }
}
