/**
 * Header fields as a flat list: what a parser finds, and what goes on the wire again.
 *
 * `Headers` checks, folds and sorts what it is given, for each request and at several microseconds;
 * here the parser has checked, and nothing asks for an order.
 *
 * @module
 */

/** The same text in memory of its own: a part of a text otherwise keeps the whole in memory. */
export function detached(text: string): string {
  return JSON.parse(JSON.stringify(text));
}

/** What reads header fields; `Headers` is one of it too. */
export interface FieldReader {
  /** All values of a field, joined with `, `; null where there is none. The name is in lower case. */
  get(name: string): string | null;
  /** Whether there is such a field. The name is in lower case. */
  has(name: string): boolean;
  /** Calls back with each value and its name. */
  forEach(callback: (value: string, name: string) => void): void;
}

/** Header fields in the order they came; a repeated one stands as often as it came. */
export abstract class FieldList implements FieldReader {
  /** Names, in lower case, and values in turn. */
  abstract readonly list: readonly string[];

  /** See `FieldReader`. */
  get(name: string): string | null {
    const { list } = this;
    let found: string | null = null;
    for (let at = 0; at < list.length; at += 2) {
      if (list[at] === name) found = found === null ? list[at + 1]! : `${found}, ${list[at + 1]}`;
    }
    return found;
  }

  /** The first value of a field. */
  first(name: string): string | undefined {
    const { list } = this;
    for (let at = 0; at < list.length; at += 2) if (list[at] === name) return list[at + 1];
    return undefined;
  }

  /** See `FieldReader`. */
  has(name: string): boolean {
    return this.first(name) !== undefined;
  }

  /** See `FieldReader`. */
  forEach(callback: (value: string, name: string) => void): void {
    const { list } = this;
    for (let at = 0; at < list.length; at += 2) callback(list[at + 1]!, list[at]!);
  }
}

/** So many things that were derived from one head are kept: there is a head for each connection. */
export const MAX_DERIVED = 4;

/** The fields of a head that was read: they never change, and the same may come again. */
export class ReadFields extends FieldList {
  /** Names, in lower case, and values in turn. */
  readonly list: readonly string[];
  #derived: Map<object, object> | undefined;

  /**
   * Fields of a list of names, in lower case, and values in turn; the list is taken over.
   *
   * @param like fields that differ from these in the length of the body alone: what was derived holds for both
   */
  constructor(list: readonly string[], like?: ReadFields) {
    super();
    this.list = list;
    if (like !== undefined) this.#derived = like.#derived;
  }

  /** They may come again: what is derived from them is kept from now on. */
  keep(): void {
    this.#derived ??= new Map();
  }

  /** They will not come again: nothing is kept with them from now on. */
  forget(): void {
    this.#derived?.clear();
    this.#derived = undefined;
  }

  /**
   * What `by` makes of these fields, whatever `content-length` says: made once where they are kept.
   *
   * @param by who makes it, of whom there are few
   */
  derived<T extends object>(by: object, make: (fields: this) => T): T {
    const derived = this.#derived;
    if (derived === undefined) return make(this);
    const known = derived.get(by) as T | undefined;
    if (known !== undefined) return known;
    const made = make(this);
    if (derived.size >= MAX_DERIVED) derived.clear();
    derived.set(by, made);
    return made;
  }
}

/** Fields that may change. */
export class Fields extends FieldList {
  /** Names, in lower case, and values in turn. */
  readonly list: string[];

  /** Fields of a list of names, in lower case, and values in turn; the list is taken over. */
  constructor(list: string[] = []) {
    super();
    this.list = list;
  }

  /** The fields of `headers`. */
  static from(headers: FieldReader): Fields {
    const fields = new Fields();
    headers.forEach((value, name) => fields.append(name, value));
    return fields;
  }

  /** Adds a field behind the others. */
  append(name: string, value: string): void {
    this.list.push(name, value);
  }

  /** Puts one value in place of all that a field has. */
  set(name: string, value: string): void {
    this.delete(name);
    this.append(name, value);
  }

  /** Takes a field away. */
  delete(name: string): void {
    const { list } = this;
    for (let at = list.length - 2; at >= 0; at -= 2) if (list[at] === name) list.splice(at, 2);
  }
}
