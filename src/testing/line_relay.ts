/**
 * A program on stdio whose other end is a test: run as `deno run -A line_relay.ts PORT`. What comes on stdin
 * goes to that port of this machine, and what comes from there to stdout. Ends with either.
 *
 * @module
 */

if (import.meta.main) {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(Deno.args[0]) });
  await Promise.race([
    Deno.stdin.readable.pipeTo(connection.writable),
    connection.readable.pipeTo(Deno.stdout.writable),
  ]).catch(() => {});
  Deno.exit(0);
}
