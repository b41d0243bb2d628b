/**
 * Types of the parts of @std used here.
 *
 * The npm build of the standard library carries no types; these declarations give the few
 * functions in use the signatures they have in the JSR packages, so that the sources check the
 * same with either (see jsr.import_map.json).
 */

declare module "@std/assert" {
  export class AssertionError extends Error {}
  export function assert(expr: unknown, msg?: string): asserts expr;
  export function assertEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertStrictEquals<T>(
    actual: unknown,
    expected: T,
    msg?: string,
  ): asserts actual is T;
  export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T>;
  export function assertGreater<T>(actual: T, low: T, msg?: string): void;
  export function assertLess<T>(actual: T, high: T, msg?: string): void;
  export function assertLessOrEqual<T>(actual: T, high: T, msg?: string): void;
  export function assertMatch(actual: string, expected: RegExp, msg?: string): void;
  export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void;
  export function assertStringIncludes(actual: string, expected: string, msg?: string): void;
  // deno-lint-ignore no-explicit-any -- the signature of @std/assert itself
  export function assertInstanceOf<T extends abstract new (...args: any[]) => any>(
    actual: unknown,
    expectedType: T,
    msg?: string,
  ): asserts actual is InstanceType<T>;
  export function assertThrows<E extends Error = Error>(
    fn: () => unknown,
    // deno-lint-ignore no-explicit-any -- the signature of @std/assert itself
    errorClass?: abstract new (...args: any[]) => E,
    msgIncludes?: string,
  ): E;
  export function assertRejects<E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    // deno-lint-ignore no-explicit-any -- the signature of @std/assert itself
    errorClass?: abstract new (...args: any[]) => E,
    msgIncludes?: string,
  ): Promise<E>;
  export function fail(msg?: string): never;
}

declare module "@std/cli/parse-args" {
  export interface ParseOptions {
    readonly string?: readonly string[];
    readonly boolean?: readonly string[];
    readonly collect?: readonly string[];
    readonly alias?: Readonly<Record<string, string | readonly string[]>>;
    readonly stopEarly?: boolean;
    readonly unknown?: (arg: string, key?: string, value?: unknown) => unknown;
  }
  export type Args = { _: (string | number)[] } & Record<string, unknown>;
  export function parseArgs(args: readonly string[], options?: ParseOptions): Args;
}

declare module "@std/http/negotiation" {
  export function accepts(request: { readonly headers: Headers }): string[];
  export function accepts(
    request: { readonly headers: Headers },
    ...types: string[]
  ): string | undefined;
}

declare module "@std/jsonc" {
  export function parse(text: string): unknown;
}

declare module "@std/streams/text-line-stream" {
  export class TextLineStream extends TransformStream<string, string> {
    constructor(options?: { allowCR?: boolean });
  }
}

declare module "@std/text/closest-string" {
  export function closestString(
    givenWord: string,
    possibleWords: readonly string[],
    options?: { caseSensitive?: boolean; compareFn?: (a: string, b: string) => number },
  ): string;
}

declare module "@std/text/levenshtein-distance" {
  export function levenshteinDistance(a: string, b: string): number;
}
