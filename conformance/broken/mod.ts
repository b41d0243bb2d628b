/**
 * Deliberately broken proxies, which prove that the checks can fail: each is a sound proxy between
 * two relays that do one kind of damage. May import `checks`, `mock`, `replay`, `suite` and `wire`.
 *
 * @module
 */

export * from "./broken_proxy.ts";
export * from "./damage.ts";
export * from "./proxies/mod.ts";
export * from "./sandwich.ts";
