/**
 * Recording one case: a recorder process in front of its server, and the client's conversation.
 *
 * @module
 */

import type { Processes } from "../official_processes.ts";
import { pathOf, type RecordCase } from "./case.ts";
import type { RecordedServer, Servers } from "./servers.ts";
import { delay, SETTLE_MS } from "./waiting.ts";

const ROOT = new URL("../..", import.meta.url);

/** How long a recorder may take to listen. */
const START_DEADLINE_MS = 20_000;

/** How long a conversation may take. */
const CONVERSATION_DEADLINE_MS = 15_000;

/** What is recorded with. */
export interface Studio {
  readonly processes: Processes;
  readonly servers: Servers;
}

/**
 * Records one case into `<folder>/<revision>/<name>/`.
 *
 * @throws {Error} where the recorder or the conversation fails
 */
export async function record(
  { processes, servers }: Studio,
  item: RecordCase,
  folder: string,
): Promise<void> {
  const out = `${folder}/${pathOf(item)}`;
  // An earlier try may have left one; the recorder writes over nothing.
  await Deno.remove(out, { recursive: true }).catch(() => {});
  await servers.with(item.server, (server) => recordServer(processes, item, server, out));
}

async function recordServer(
  processes: Processes,
  item: RecordCase,
  server: RecordedServer,
  out: string,
): Promise<void> {
  const process = processes.start({
    args: ["run", "-P=record", "--frozen", "main.ts", "record"].concat(
      ["--upstream", server.url, "--listen", "127.0.0.1:0", "--out", out],
      ["--name", item.name, "--title", item.title],
    ),
    cwd: ROOT,
  });
  try {
    const url = await processes.ready(
      process,
      START_DEADLINE_MS,
      () => /^listening (http:\S+)$/m.exec(process.stdout())?.[1],
    );
    const signal = AbortSignal.timeout(CONVERSATION_DEADLINE_MS);
    await item.run(url, signal, server);
    // The recorder is to see the end of the last connection before it is told to stop.
    await delay(SETTLE_MS, signal);
  } finally {
    await processes.stop(process);
  }
  const code = await process.exit;
  if (code !== 0) throw new Error(`the recorder ended with ${code}\n${process.stderr()}`);
}
