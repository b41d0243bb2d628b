/**
 * A deadline for every test, loaded ahead of them: `deno test --preload src/testing/deadline.ts`. A test that
 * waits for what never comes fails its module, which names it as cancelled, in place of holding up the run.
 *
 * @module
 */

/** Far beyond the longest test on a slow machine, in milliseconds. */
const DEADLINE_MS = 480_000;

// Tests put clocks of their own in place of these.
const { setTimeout, clearTimeout } = globalThis;

let timer: ReturnType<typeof setTimeout> | undefined;

Deno.test.beforeEach(() => {
  clearTimeout(timer);
  timer = setTimeout(() => {
    throw new Error(`A test has not ended within ${DEADLINE_MS} ms: the first that is cancelled.`);
  }, DEADLINE_MS);
});

Deno.test.afterEach(() => clearTimeout(timer));
