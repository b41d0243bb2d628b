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
export class Fields implements FieldReader {
  /** Names, in lower case, and values in turn. */
  readonly list: string[];

  /** Fields of a list of names, in lower case, and values in turn; the list is taken over. */
  constructor(list: string[] = []) {
    this.list = list;
  }

  /** The fields of `headers`. */
  static from(headers: FieldReader): Fields {
    const fields = new Fields();
    headers.forEach((value, name) => fields.append(name, value));
    return fields;
  }

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

  /** See `FieldReader`. */
  forEach(callback: (value: string, name: string) => void): void {
    const { list } = this;
    for (let at = 0; at < list.length; at += 2) callback(list[at + 1]!, list[at]!);
  }
}
