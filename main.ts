/**
 * Switchyard, an MCP reverse proxy: `deno run -P main.ts serve --upstream URL`.
 *
 * @module
 */

import { run, systemIo } from "./src/cli/mod.ts";

if (import.meta.main) Deno.exit(await run(Deno.args, systemIo()));
