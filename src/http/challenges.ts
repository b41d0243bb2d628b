/**
 * Challenges, the values of `WWW-Authenticate`: what a server wants to see before it answers. Pure.
 *
 * Source: RFC 9110 sections 11.2 to 11.6.1.
 *
 * @module
 */

/** One challenge: a scheme with a token68 (section 11.2), or with parameters, or with neither. */
export interface Challenge {
  /** The scheme as it was written; its case says nothing (section 11.1). */
  readonly scheme: string;
  /** What stands in place of parameters; undefined for none. */
  readonly token68?: string | undefined;
  /** Names in lower case, each once, and values without quotes and escapes, in the order they came. */
  readonly params: readonly (readonly [name: string, value: string])[];
}

/** The longest value of a field that is read, in characters; a longer one is none. */
export const MAX_CHALLENGE_CHARACTERS = 8_192;
/** Challenges that are read of one value; those behind them are left out. */
export const MAX_CHALLENGES = 16;
/** Parameters of one challenge; one with more is left out. */
export const MAX_CHALLENGE_PARAMS = 32;

const TOKEN = /[\w!#$%&'*+.^`|~-]+/y;
const TOKEN68 = /[\w.~+/-]+=*(?=[ \t]*(?:,|$))/y;
const QUOTED = /"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const SPACES = / +/y;
const GAPS = /[ \t,]*/y;
const BLANKS = /[ \t]*/y;

/**
 * The challenges of one value of the field. What is no challenge ends the reading, and goes with all behind it:
 * where it would end, nobody can say.
 */
export function parseChallenges(value: string): readonly Challenge[] {
  if (value.length > MAX_CHALLENGE_CHARACTERS) return [];
  const scanner = new Scanner(value);
  const found: Challenge[] = [];
  scanner.take(GAPS);
  while (!scanner.isOver && found.length < MAX_CHALLENGES) {
    const challenge = challengeAt(scanner);
    if (challenge === undefined) break;
    found.push(challenge);
  }
  return found;
}

/** Challenges as one value of the field; what is read of it again is the same. */
export function formatChallenges(challenges: readonly Challenge[]): string {
  return challenges.map(({ scheme, token68, params }) => {
    if (token68 !== undefined) return `${scheme} ${token68}`;
    const told = params.map(([name, text]) => `${name}="${text.replace(/["\\]/g, "\\$&")}"`);
    return told.length === 0 ? scheme : `${scheme} ${told.join(", ")}`;
  }).join(", ");
}

/** The challenge here, with the commas behind it; undefined where there is none. */
function challengeAt(scanner: Scanner): Challenge | undefined {
  const scheme = scanner.take(TOKEN);
  if (scheme === undefined) return undefined;
  const hasMore = scanner.take(SPACES) !== undefined;
  const token68 = hasMore ? scanner.take(TOKEN68) : undefined;
  if (token68 !== undefined) {
    return scanner.nextOfList() ? { scheme, token68, params: [] } : undefined;
  }
  const params = hasMore ? paramsAt(scanner) : new Map<string, string>();
  // Without parameters the scheme stands alone, and what follows is of the list.
  if (params === undefined || (params.size === 0 && !scanner.nextOfList())) return undefined;
  return { scheme, params: [...params] };
}

/** The parameters here, with the commas behind them; undefined where what stands here is not sound. */
function paramsAt(scanner: Scanner): Map<string, string> | undefined {
  const params = new Map<string, string>();
  for (;;) {
    const start = scanner.at;
    // Empty members of a list mean nothing (section 5.6.1).
    scanner.take(GAPS);
    const name = scanner.take(TOKEN)?.toLowerCase();
    if (name === undefined || scanner.take(EQUALS) === undefined) {
      // It is the scheme of the next challenge.
      scanner.at = start;
      return params;
    }
    const value = valueAt(scanner);
    const isSound = value !== undefined && !params.has(name) &&
      params.size < MAX_CHALLENGE_PARAMS && scanner.nextOfList();
    if (!isSound) return undefined;
    params.set(name, value);
  }
}

function valueAt(scanner: Scanner): string | undefined {
  const quoted = scanner.take(QUOTED);
  return quoted === undefined ? scanner.take(TOKEN) : quoted.slice(1, -1).replace(/\\(.)/g, "$1");
}

/** A place in a text. */
class Scanner {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isOver(): boolean {
    return this.at === this.#text.length;
  }

  /** What a sticky pattern finds here; the place is behind it then. */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.at = pattern.lastIndex;
    return found;
  }

  /** Goes on to the next member of the list; false where this one has not ended. */
  nextOfList(): boolean {
    this.take(BLANKS);
    if (this.isOver) return true;
    if (this.#text[this.at] !== ",") return false;
    this.take(GAPS);
    return true;
  }
}
