/**
 * The reference server in a process of its own, kept on the loopback address.
 *
 * It listens on every address of the machine if left alone, and takes no address to listen on; so
 * the address is put in where it opens its socket. The port is told on stdout; the end of stdin ends
 * the process, so that it never outlives the proxy.
 *
 * @module
 */

import { type AddressInfo, Server } from "node:net";

/** A port may be asked for as the first argument; otherwise a free one is taken. */
const PORT = Number(Deno.args[0] ?? 0);

const listen = Server.prototype.listen;

Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
  const callback = args.findLast((arg) => typeof arg === "function") as (() => void) | undefined;
  return Reflect.apply(listen, this, [{ host: "127.0.0.1", port: PORT }, () => {
    const { port } = this.address() as AddressInfo;
    const line = new TextEncoder().encode(`reference server on port ${port}\n`);
    Deno.stdout.writeSync(line);
    callback?.();
  }]);
};

async function endWithStdin(): Promise<never> {
  const piece = new Uint8Array(64);
  while (await Deno.stdin.read(piece).catch(() => null) !== null);
  Deno.exit(0);
}

endWithStdin();
await import("@modelcontextprotocol/server-everything/dist/transports/streamableHttp.js");
