/**
 * Switchyard, an MCP reverse proxy: `deno run -P main.ts serve --upstream URL`.
 *
 * @module
 */

import { holdHangup } from "./src/cli/hangup.ts";

if (import.meta.main) {
  holdHangup();
  // Loading all the rest takes a while, in which SIGHUP would end the process.
  const { run, systemIo } = await import("./src/cli/mod.ts");
  Deno.exit(await run(Deno.args, systemIo()));
}
