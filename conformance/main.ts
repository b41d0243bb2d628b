/**
 * The conformance suite: `deno task conformance`. conformance/README.md tells how to use it.
 *
 * @module
 */

import { main } from "./cli/mod.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
