/**
 * From the config to interceptors: the built-in ones by name, a user's own by importing its module.
 *
 * A local module may be imported wherever reading it is allowed (`--allow-read`, which `-P` grants);
 * `--allow-import` is for remote ones, which the config does not take. It runs with the permissions
 * of the proxy.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { builtins } from "./builtins.ts";
import type { BuiltinDeps } from "./deps.ts";
import type { PipelineEntry } from "./guard.ts";
import type { ConfigInterceptor } from "./schema.ts";
import type { Interceptor } from "./types.ts";

/** An interceptor could not be made. The message says which, what was found and what is wanted. */
export class InterceptorLoadError extends Error {
  /** Told in the sentence `message`. */
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "InterceptorLoadError";
  }
}

/** What interceptors are made with. */
export interface BuildOptions extends BuiltinDeps {
  /** Folder at which relative paths of modules begin: that of the config file. */
  readonly baseDir: string;
}

/** All interceptors of a list that could not be made. */
export class InterceptorsLoadError extends AggregateError {
  /** Their places in the list, and what is wrong with each. */
  readonly failures: readonly InterceptorFailure[];

  /** Told in the order of the list. */
  constructor(failures: readonly InterceptorFailure[]) {
    super(
      failures.map(({ error }) => error),
      failures.map(({ error }) => error.message).join("\n"),
    );
    this.name = "InterceptorsLoadError";
    this.failures = failures;
  }
}

/** An interceptor that could not be made. */
export interface InterceptorFailure {
  /** Its place in the list, from 0. */
  readonly at: number;
  /** What is wrong with it. */
  readonly error: InterceptorLoadError;
}

/**
 * Makes the interceptors of a config, in their order, each anew.
 *
 * @throws {InterceptorsLoadError} with all that cannot be made; the others are closed.
 */
export async function buildEntries(
  configs: readonly ConfigInterceptor[],
  options: BuildOptions,
): Promise<PipelineEntry[]> {
  const entries: PipelineEntry[] = [];
  const failures: InterceptorFailure[] = [];
  for (const [at, config] of configs.entries()) {
    try {
      entries.push(await buildEntry(config, options));
    } catch (error) {
      failures.push({ at, error: asLoadError(error) });
    }
  }
  if (failures.length === 0) return entries;
  await Promise.allSettled(entries.map(async ({ interceptor }) => await interceptor.close?.()));
  throw new InterceptorsLoadError(failures);
}

/**
 * Makes one interceptor.
 *
 * @throws {InterceptorLoadError} where it cannot be made.
 */
export async function buildEntry(
  config: ConfigInterceptor,
  options: BuildOptions,
): Promise<PipelineEntry> {
  const { timeoutMs, onError } = config;
  return { interceptor: await build(config, options), timeoutMs, onError };
}

async function build(config: ConfigInterceptor, deps: BuildOptions): Promise<Interceptor> {
  const { use = "module" } = config;
  if (use === "module") return await loadUserModule(config.module!, deps.baseDir, config.options);
  try {
    return builtins[use].create(config.options, deps);
  } catch (cause) {
    throw new InterceptorLoadError(
      `The interceptor ${use} cannot start: ${reasonOf(cause)}. Mend its options.`,
      cause,
    );
  }
}

/**
 * Imports a module and makes its interceptor.
 *
 * A module is imported once for the whole process as long as its text stays the same: an interceptor that it
 * exports as it is, rather than as a function, is shared by all routes that name it.
 *
 * @param path As the config has it; a relative one begins at `baseDir`.
 * @throws {InterceptorLoadError} where it cannot be imported, fails, or exports something else.
 */
export async function loadUserModule(
  path: string,
  baseDir: string,
  options?: unknown,
): Promise<Interceptor> {
  const exported = await importDefault(path, baseDir);
  const made = typeof exported === "function" ? await make(path, exported, options) : exported;
  return checkedInterceptor(path, made);
}

function urlOf(path: string, baseDir: string): URL {
  return path.startsWith("file://") ? new URL(path) : pathToFileURL(resolve(baseDir, path));
}

/**
 * What tells the text that a module has now from any other; empty where it cannot be read. What it imports
 * itself does not count.
 */
export async function moduleVersion(path: string, baseDir: string): Promise<string> {
  try {
    return createHash("sha256").update(await Deno.readFile(urlOf(path, baseDir))).digest("hex");
  } catch {
    return "";
  }
}

/**
 * The modules that were imported, by their URLs. The runtime holds each for good, and one that failed fails
 * for good; so a text that is another one is imported under another URL.
 */
const imported = new Map<string, { readonly version: string; readonly specifier: string }>();

async function specifierOf(path: string, baseDir: string): Promise<string> {
  const url = urlOf(path, baseDir);
  const { href } = url;
  const version = await moduleVersion(path, baseDir);
  const known = imported.get(href);
  if (known?.version === version) return known.specifier;
  if (known !== undefined) url.searchParams.set("version", version);
  imported.set(href, { version, specifier: url.href });
  return url.href;
}

async function importDefault(path: string, baseDir: string): Promise<unknown> {
  let module: { readonly default?: unknown };
  try {
    module = await import(await specifierOf(path, baseDir));
  } catch (cause) {
    throw new InterceptorLoadError(
      `The interceptor module ${path} cannot be imported: ${reasonOf(cause)}. ` +
        "Name an existing module without errors, and allow the proxy to read it (--allow-read).",
      cause,
    );
  }
  if (module.default === undefined) {
    throw new InterceptorLoadError(
      `The interceptor module ${path} has no default export; export an interceptor, or a function ` +
        "that makes one of its options.",
    );
  }
  return module.default;
}

// deno-lint-ignore ban-types -- nothing is known of what a user's module exports
async function make(path: string, factory: Function, options: unknown): Promise<unknown> {
  try {
    return await factory(options);
  } catch (cause) {
    throw new InterceptorLoadError(
      `The function that the interceptor module ${path} exports failed: ${reasonOf(cause)}. ` +
        "Mend it, or the options it is given.",
      cause,
    );
  }
}

const HOOKS = ["clientMessage", "serverMessage", "event"] as const;

function checkedInterceptor(path: string, made: unknown): Interceptor {
  const wrong = whatIsWrong(made);
  if (wrong === undefined) return made as Interceptor;
  throw new InterceptorLoadError(
    `The interceptor module ${path} gives ${wrong}; wanted is an object with a name of 1 to 64 ` +
      `letters, digits, spaces, ., _, : or -, and at least one of the functions ${
        HOOKS.join(", ")
      }.`,
  );
}

function whatIsWrong(made: unknown): string | undefined {
  if (typeof made !== "object" || made === null) return `a value of type ${typeof made}`;
  const candidate = made as Record<string, unknown>;
  if (typeof candidate.name !== "string" || !/^[\w .:-]{1,64}$/.test(candidate.name)) {
    return "an interceptor without a proper name";
  }
  const odd = [...HOOKS, "close"].find((hook) =>
    candidate[hook] !== undefined && typeof candidate[hook] !== "function"
  );
  if (odd !== undefined) return `an interceptor whose ${odd} is no function`;
  if (HOOKS.every((hook) => candidate[hook] === undefined)) return "an interceptor without hooks";
  return undefined;
}

/** Whatever goes wrong with a user's module is about that module. */
function asLoadError(error: unknown): InterceptorLoadError {
  if (error instanceof InterceptorLoadError) return error;
  return new InterceptorLoadError(`The interceptor cannot be made: ${reasonOf(error)}.`, error);
}

/** Why something failed, in one line of words also where what was thrown has none. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) {
    return typeof cause === "string" ? oneLine(cause) : `${String(cause)} was thrown`;
  }
  return cause.message === "" ? `a ${cause.name} without a message` : oneLine(cause.message);
}

/** A sentence without its full stop, and without the lines of code that a syntax error quotes. */
function oneLine(text: string): string {
  const lines = text.split("\n").filter((line) => !/^\s*\d*\s*\|/.test(line));
  return lines.map((line) => line.trim()).join(" ").trim().replace(/\.$/, "");
}
