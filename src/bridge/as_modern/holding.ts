/**
 * Requests whose clients have been asked for input: held until they come back, for a time, and told apart by
 * a sealed `requestState`.
 *
 * Source: 2026-07-28 basic/patterns/mrtr "Server Requirements" 4 and 5.
 *
 * @module
 */

import type { Timer } from "../../clock.ts";
import { ProxyError } from "../../errors.ts";
import { decode, encode } from "../../rpc/mod.ts";
import type { UpstreamCall } from "../../upstream/mod.ts";
import { credentialsIn } from "../credentials.ts";
import { type ClientRequest, digest, digestOf } from "./client_request.ts";
import type { Settings } from "./options.ts";

/** What `requestState` is sealed for: the name of what is held, and that of the instance that holds it. */
const PURPOSE = "requestState";
/** Random bytes of the name of what is held: nobody meets one by chance. */
const HANDLE_BYTES = 16;

/** Who sends a request. */
export interface Caller {
  /** Id of the principal. */
  readonly principal: string;
  /** SHA-256 of its credentials: what another instance may be told of them. */
  readonly credentials: string;
}

/** Who makes a call. */
export function callerOf(
  { principal, headers }: Pick<UpstreamCall, "principal" | "headers">,
  { withheld }: Pick<Settings, "withheld">,
): Caller {
  return { principal, credentials: digest(credentialsIn(headers, withheld)) };
}

/** What is held. */
export interface Holdable {
  /** Nobody has come back in time. */
  expire(): void;
}

interface Held<T> {
  readonly what: T;
  readonly principal: string;
  readonly timer: Timer;
}

/** All that is held. */
export class Holding<T extends Holdable> {
  readonly #settings: Settings;
  readonly #held = new Map<string, Held<T>>();

  /** Nothing yet. */
  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** How much is held. */
  get size(): number {
    return this.#held.size;
  }

  /**
   * Holds something for the caller's retry of a request.
   *
   * @returns the `requestState` with which it is had back, once
   * @throws {ProxyError} `principal_exhausted`, `upstream_saturated` where no more may be held
   */
  hold(what: T, caller: Caller, request: ClientRequest): string {
    const { clock, seal, bounds, anonymous } = this.#settings;
    const { principal } = caller;
    const headers = { "retry-after": "10" };
    const own = this.#held.values().filter((held) => held.principal === principal).toArray().length;
    if (principal !== anonymous && own >= bounds.maxPrincipalHeld) {
      const sentence = "As many of your requests wait for input as may; answer one of them first.";
      throw new ProxyError("principal_exhausted", sentence, { headers });
    }
    if (this.#held.size >= bounds.maxHeld) {
      const sentence = "As many requests wait for input as the proxy may hold; try again later.";
      throw new ProxyError("upstream_saturated", sentence, { headers });
    }
    const bytes = clock.randomBytes(HANDLE_BYTES);
    const handle = bytes.toHex();
    const requestState = seal.seal(PURPOSE, this.#bindingOf(caller, request), this.#sealed(bytes));
    const timer = clock.after(bounds.holdMs, () => {
      this.#held.delete(handle);
      what.expire();
    });
    this.#held.set(handle, { what, principal, timer });
    return requestState;
  }

  /**
   * The instance that holds what a `requestState` stands for; undefined for this one.
   *
   * @throws {ProxyError} `invalid_params` where it was not given to this caller for this request, or was changed
   */
  holderOf(caller: Caller, request: ClientRequest): string | undefined {
    const { holder } = this.#opened(caller, request);
    return holder === this.#instance ? undefined : holder;
  }

  /**
   * What a `requestState` stands for, which from now on is held no longer.
   *
   * @throws {ProxyError} `invalid_params` where it was not given to this caller for this request, was
   * changed, was used before, or has expired
   */
  take(caller: Caller, request: ClientRequest): T {
    const { idText } = request;
    const { handle } = this.#opened(caller, request);
    const held = this.#held.get(handle);
    if (held === undefined) {
      throw new ProxyError(
        "invalid_params",
        "This requestState has been used or has expired; " +
          "send the request again without requestState and inputResponses.",
        { idText },
      );
    }
    held.timer.cancel();
    this.#held.delete(handle);
    return held.what;
  }

  /** The name of this instance; empty where there is but one. */
  get #instance(): string {
    return this.#settings.peers?.instance ?? "";
  }

  #sealed(handle: Uint8Array): Uint8Array {
    return new Uint8Array([...handle, ...encode(this.#instance)]);
  }

  #opened(caller: Caller, request: ClientRequest): { handle: string; holder: string } {
    const binding = this.#bindingOf(caller, request);
    const bytes = this.#settings.seal.open(PURPOSE, binding, request.requestState!);
    if (bytes === undefined) {
      throw new ProxyError(
        "invalid_params",
        "This requestState was not given to this caller for this request, or has been changed; " +
          "send the request again without requestState and inputResponses.",
        { idText: request.idText },
      );
    }
    return {
      handle: bytes.slice(0, HANDLE_BYTES).toHex(),
      holder: decode(bytes.slice(HANDLE_BYTES)),
    };
  }

  /** Forgets all; what becomes of it is for others to say. */
  close(): void {
    for (const { timer } of this.#held.values()) timer.cancel();
    this.#held.clear();
  }

  /**
   * Who may come back with a `requestState`, and with which request. Callers whom the proxy does not tell
   * apart the server may, by their credentials.
   */
  #bindingOf({ principal, credentials }: Caller, request: ClientRequest): string {
    const isAnonymous = principal === this.#settings.anonymous;
    const said = [principal, isAnonymous ? credentials : "", digestOf(request)];
    return digest(JSON.stringify(said));
  }
}
