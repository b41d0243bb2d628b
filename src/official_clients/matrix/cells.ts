/**
 * The cells of the matrix, and the exceptions: what the specification keeps a cell from.
 *
 * @module
 */

import type { MatrixClient, MatrixConnect } from "./client.ts";
import { connectV1Sse, connectV1Streamable } from "./driver_v1.ts";
import { connectV2Modern, connectV2Session } from "./driver_v2.ts";
import type { Era, MatrixServer } from "./servers.ts";

/** A client of the matrix. */
export interface ClientKind {
  readonly name: string;
  readonly era: Era;
  /** The servers it can speak to without the proxy. */
  readonly direct: readonly string[];
  readonly connect: (options: MatrixConnect) => Promise<MatrixClient>;
  /** Its endpoint at a proxy, from that of Streamable HTTP. */
  readonly endpoint?: (url: string) => string;
}

const STREAMABLE_SESSIONS = ["SDK v1, Streamable HTTP", "SDK v2, dual"];

/** The clients, oldest first. */
export const CLIENTS: readonly ClientKind[] = [
  {
    name: "SDK v1 over HTTP+SSE",
    era: "session",
    direct: ["SDK v1, HTTP+SSE"],
    connect: connectV1Sse,
    endpoint: (url) => `${url}/sse`,
  },
  {
    name: "SDK v1",
    era: "session",
    direct: STREAMABLE_SESSIONS,
    connect: connectV1Streamable,
  },
  {
    name: "SDK v2 in session mode",
    era: "session",
    direct: STREAMABLE_SESSIONS,
    connect: connectV2Session,
  },
  {
    name: "SDK v2 in modern mode",
    era: "modern",
    direct: ["SDK v2, modern", "SDK v2, dual"],
    connect: connectV2Modern,
  },
];

/** How a cell's eras meet: the same, or translated up to a modern server, or down to sessions. */
export type CellKind = "same" | "up" | "down";

/** The kind of a cell. */
export function kindOf(client: ClientKind, server: MatrixServer): CellKind {
  if (server.eras.includes(client.era)) return "same";
  return client.era === "session" ? "up" : "down";
}

/** The kinds of cell that are run. */
export const CELLS: readonly CellKind[] = ["same", "up", "down"];

/**
 * Who calls: one whom the proxy tells apart by a key, or anybody. It makes a difference to modern clients on
 * servers of sessions alone, where each request of anybody has a session of its own.
 */
export type Caller = "keyed" | "anybody";

/** A cell of the matrix. */
export interface Cell {
  readonly client: ClientKind;
  readonly server: MatrixServer;
  readonly kind: CellKind;
  readonly caller: Caller;
  /** How it is called in the table. */
  readonly name: string;
}

/** The cells of a client and a server; none where their kind is not run. */
export function cellsOf(client: ClientKind, server: MatrixServer): Cell[] {
  const kind = kindOf(client, server);
  if (!CELLS.includes(kind)) return [];
  const cell = (caller: Caller): Cell => {
    const by = caller === "anybody" ? ", by anybody" : "";
    return { client, server, kind, caller, name: `${client.name} to ${server.name}${by}` };
  };
  return kind === "down" ? [cell("keyed"), cell("anybody")] : [cell("keyed")];
}

/** What the specification keeps some cells from. */
export interface Exception {
  readonly feature: string;
  readonly server: string;
  /** The era of the clients it is about; either if left out. */
  readonly client?: Era;
  /** The callers it is about; either if left out. */
  readonly caller?: Caller;
  /** The section that forbids it, and why. */
  readonly section: string;
}

/** Every one of them; one that works after all is stale and fails. */
export const EXCEPTIONS: readonly Exception[] = [
  {
    feature: "url first",
    server: "SDK v2, modern",
    section: "2026-07-28 basic/index, Error Codes: -32042 belongs to 2025-11-25 alone",
  },
  {
    feature: "url first",
    server: "SDK v2, dual",
    client: "modern",
    section: "2026-07-28 basic/index, Error Codes: -32042 belongs to 2025-11-25 alone",
  },
  ...["update", "list changed"].map((feature): Exception => ({
    feature,
    server: "reference, stdio",
    client: "modern",
    caller: "anybody",
    section:
      "2025-11-25 basic/transports, Session Management: this server tells of a change in the session " +
      "that made it alone, and each request of anybody has a session of its own",
  })),
];

/** What no server of ours offers, and need not. */
export const NOT_OFFERED: readonly Exception[] = [
  ...["rounds", "several"].map((feature) => ({
    feature,
    server: "reference, stdio",
    section: "2025-11-25 client/elicitation: what a server asks is the server's choice",
  })),
];

/** The exception for a feature of a cell. */
export function exceptionFor(
  { client, server, caller }: Pick<Cell, "client" | "server" | "caller">,
  feature: string,
): Exception | undefined {
  return [...EXCEPTIONS, ...NOT_OFFERED].find((exception) =>
    exception.feature === feature && exception.server === server.name &&
    (exception.client ?? client.era) === client.era && (exception.caller ?? caller) === caller
  );
}
