/**
 * Runs a program on stdio and shows a test what the program is told: `deno run -A tap.ts PORT PROGRAM ARGUMENT...`
 * passes stdin on to the program, and a copy of it to a port on loopback.
 *
 * @module
 */

const [port, program, ...args] = Deno.args;
const [toTest, toProgram] = Deno.stdin.readable.tee();
const test = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
const child = new Deno.Command(program!, { args, stdin: "piped", stdout: "inherit" }).spawn();
await Promise.all([toTest.pipeTo(test.writable), toProgram.pipeTo(child.stdin)]);
Deno.exit((await child.status).code);
