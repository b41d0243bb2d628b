/**
 * The servers of the matrix: how each is started, how the proxy reaches it, and what it has for each feature.
 *
 * @module
 */

import { TextLineStream } from "@std/streams/text-line-stream";
import { startDualServer } from "../../../conformance/servers/dual.ts";
import { startHttpSseServer } from "../../../conformance/servers/http_sse.ts";
import type {
  FixtureEvent,
  FixtureOptions,
  FixtureServer,
} from "../../../conformance/servers/loopback.ts";
import { startModernServer } from "../../../conformance/servers/modern.ts";
import { startSessionServer } from "../../../conformance/servers/session.ts";
import { createSessionServer } from "../../../conformance/servers/session_server.ts";
import { SessionPeers } from "../../../conformance/servers/session_state.ts";
import * as processes from "../../testing/processes.ts";
import { Inbox } from "../wait.ts";
import { FIXTURE_TARGET, MODERN_TARGET, REFERENCE_TARGET, type Target } from "./targets.ts";

/** An era a server speaks. */
export type Era = "session" | "modern";

/** A server that runs. */
export interface RunningServer {
  /** `upstream` of the proxy's config. */
  readonly upstream: Readonly<Record<string, unknown>>;
  /** Its endpoint, if it has one. */
  readonly url?: string;
  /** Resolves when it can speak of its own accord. */
  listening(): Promise<void>;
  /** Resolves when it has noticed that a call was cancelled. */
  cancelled(): Promise<void>;
  close(): Promise<void>;
}

/** A server of the matrix. */
export interface MatrixServer {
  readonly name: string;
  readonly eras: readonly Era[];
  readonly target: Target;
  start(): Promise<RunningServer>;
}

type StartFixture = (options: FixtureOptions) => FixtureServer | Promise<FixtureServer>;

function fixture(start: StartFixture, upstream: Readonly<Record<string, unknown>> = {}) {
  return async (): Promise<RunningServer> => {
    const events = new Inbox<FixtureEvent>();
    const server = await start({ observe: (event) => events.push(event) });
    const happened = async (wanted: FixtureEvent) =>
      void await events.first(`${wanted} at the server`, (event) => event === wanted);
    return {
      upstream: { ...upstream, url: server.url },
      url: server.url,
      listening: () => happened("listening"),
      cancelled: () => happened("cancelled"),
      close: () => server.close(),
    };
  };
}

/** The reference server on stdio, where what it speaks of its own accord is always listened to. */
async function startReference(): Promise<RunningServer> {
  const tap = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const told = new Inbox<string>();
  const taking = take(tap, told);
  const { args, ...program } = processes.stdioReference();
  const tapArgs = ["run", "-A", "--quiet", new URL("./tap.ts", import.meta.url).pathname];
  const stdio = {
    ...program,
    args: [...tapArgs, String(tap.addr.port), program.command, ...args],
    closeMs: 200,
  };
  return await Promise.resolve({
    upstream: { stdio },
    listening: () => Promise.resolve(),
    cancelled: async () => {
      const isCancelled = (line: string) => line.includes('"notifications/cancelled"');
      await told.first("the cancellation's arrival at the server", isCancelled);
    },
    close: async () => {
      tap.close();
      await taking;
    },
  });
}

/** Takes what each tap copies, until the listener is closed and all of them have gone. */
async function take(tap: Deno.Listener, told: Inbox<string>): Promise<void> {
  const readings: Promise<void>[] = [];
  const read = async (connection: Deno.Conn) => {
    const lines = connection.readable
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    try {
      for await (const line of lines) told.push(line);
    } catch {
      // The program was killed.
    }
  };
  for await (const connection of tap) readings.push(read(connection));
  await Promise.all(readings);
}

/** The servers, by what they speak. */
export const SERVERS: readonly MatrixServer[] = [
  {
    name: "SDK v1, HTTP+SSE",
    eras: ["session"],
    target: FIXTURE_TARGET,
    start: fixture((options) => {
      const peers = new SessionPeers();
      const createServer = () => createSessionServer(options, peers);
      return startHttpSseServer({ ...options, createServer });
    }, { transport: "http+sse" }),
  },
  {
    name: "SDK v1, Streamable HTTP",
    eras: ["session"],
    target: FIXTURE_TARGET,
    start: fixture(startSessionServer),
  },
  { name: "reference, stdio", eras: ["session"], target: REFERENCE_TARGET, start: startReference },
  {
    name: "SDK v2, modern",
    eras: ["modern"],
    target: MODERN_TARGET,
    start: fixture(startModernServer),
  },
  {
    name: "SDK v2, dual",
    eras: ["session", "modern"],
    target: FIXTURE_TARGET,
    start: fixture(startDualServer),
  },
];
