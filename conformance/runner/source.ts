/**
 * Where the proxy under test comes from.
 *
 * @module
 */

import { OWN_ASSUMPTIONS, startOwnProxy } from "../own_proxy.ts";
import type { Assumption, Target } from "../suite/mod.ts";

/** A proxy that runs before an upstream. */
export interface RunningTarget extends AsyncDisposable {
  readonly target: Target;
}

/** A proxy that can be tested. */
export interface TargetSource {
  /** For reports. */
  readonly name: string;
  /** What it is set up with. */
  readonly assume: readonly Assumption[];
  /** The command that tests it, without a filter. */
  readonly command: string;
  /** Starts it before an upstream, or names the one that runs; `upstream` is the URL of an endpoint. */
  start(upstream: string): Promise<RunningTarget>;
}

/** The proxy of this repository. */
export const OWN_SOURCE: TargetSource = {
  name: "switchyard",
  assume: OWN_ASSUMPTIONS,
  command: "deno task conformance",
  start: (upstream) => startOwnProxy(upstream),
};

/** A proxy that runs already, and forwards to the port of the mock. */
export function foreignSource(options: {
  readonly target: Target;
  readonly assume: readonly Assumption[];
  readonly command: string;
}): TargetSource {
  const { target, assume, command } = options;
  return {
    name: target.url.host,
    assume,
    command,
    start: () => Promise.resolve({ target, [Symbol.asyncDispose]: () => Promise.resolve() }),
  };
}
