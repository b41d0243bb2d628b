/**
 * What happens to clients while proxies are killed and started again.
 *
 * @module
 */

export { chaosClients, type ChaosFigures, type ChaosOptions } from "./chaos_clients.ts";
export {
  type CountedServer,
  countedServer,
  type CountedServerOptions,
  pause,
} from "./counted_server.ts";
