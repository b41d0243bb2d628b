// Preloaded into a peer that has no flag for the address it listens on: this machine alone may call.

import { Server } from "node:net";

const { listen } = Server.prototype;

Server.prototype.listen = function (first, ...rest) {
  if (typeof first !== "number") return listen.call(this, first, ...rest);
  return listen.call(this, { port: first, host: "127.0.0.1" }, ...rest);
};
