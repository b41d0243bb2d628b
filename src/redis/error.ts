/**
 * What goes wrong with Redis, in words that give nothing away.
 *
 * @module
 */

/** Redis could not be reached or refused a command. */
export class RedisError extends Error {
  /** For the reason in `message`, because of `cause`. */
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "RedisError";
  }
}

/** Makes errors of what the library throws. */
export interface ErrorMaker {
  /** An error whose message is `what`, with the reason, and whose cause is `error` where that is clean. */
  (what: string, error?: unknown): RedisError;
}

/**
 * Errors for a connection to `url`. The URL, its password and what a command was given are in none of
 * them: they end in logs.
 */
export function errorMaker(url: string): ErrorMaker {
  const secrets = secretsOf(url);
  const clean = (text: string) => {
    let cleaned = withoutArguments(text);
    for (const secret of secrets) cleaned = cleaned.replaceAll(secret, "***");
    return cleaned;
  };
  const isClean = (error: unknown): boolean => {
    if (!(error instanceof Error)) return error === undefined;
    const text = `${error.message}\n${error.stack}`;
    return clean(text) === text && isClean(error.cause);
  };
  return (what, error) => {
    if (error === undefined) return new RedisError(`${what}.`);
    const reason = clean(error instanceof Error ? error.message : String(error));
    const sentence = `${what}: ${reason.replace(/\.$/, "")}.`;
    return new RedisError(sentence, isClean(error) ? error : undefined);
  };
}

/** What must not be told of a URL: itself, its password as it stands there, and decoded. */
function secretsOf(url: string): string[] {
  // Also of text that is no URL: the reason for an error may be just that, and quote it.
  const [, authority = ""] = /^[^:]*:\/\/(.*)@/s.exec(url) ?? [];
  const password = authority.slice(authority.indexOf(":") + 1);
  const found = [url, password];
  try {
    found.push(decodeURIComponent(password), new URL(url).password);
  } catch {
    // Then it has no other form.
  }
  return found.filter((secret) => secret !== "").toSorted((a, b) => b.length - a.length);
}

/** Redis repeats the arguments of a command that it does not know. */
function withoutArguments(text: string): string {
  return text.replace(/,? with args beginning with:.*/s, "");
}
