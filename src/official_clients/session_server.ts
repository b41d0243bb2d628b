/**
 * The session server of this repository in a process of its own, which a test may kill. The port is the
 * first argument and is told on stdout.
 *
 * @module
 */

import { startSessionServer } from "../../conformance/servers/session.ts";

const { url } = startSessionServer({ port: Number(Deno.args[0] ?? 0) });
Deno.stdout.writeSync(new TextEncoder().encode(`session server on port ${new URL(url).port}\n`));
