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
export const CELLS: readonly CellKind[] = ["same"];

/** What the specification keeps some cells from. */
export interface Exception {
  readonly feature: string;
  readonly server: string;
  /** The era of the clients it is about; either if left out. */
  readonly client?: Era;
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
  client: ClientKind,
  server: MatrixServer,
  feature: string,
): Exception | undefined {
  return [...EXCEPTIONS, ...NOT_OFFERED].find((exception) =>
    exception.feature === feature && exception.server === server.name &&
    (exception.client ?? client.era) === client.era
  );
}
