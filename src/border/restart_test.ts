/**
 * The proxy is killed and started again: what survives, and what does not (R67).
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as eventClient from "../testing/event_client.ts";
import { type EventServer, eventServer } from "../testing/event_server.ts";
import * as messages from "../testing/messages.ts";
import { startProgram } from "../testing/program.ts";
import { postText } from "../testing/raw_client.ts";

interface Run {
  readonly origin: string;
  kill(): Promise<void>;
}

/** Starts the proxy on a config as often as a test asks for it. */
async function withProgram(
  settings: (folder: string) => Record<string, unknown>,
  test: (start: () => Promise<Run>, upstream: EventServer) => Promise<void>,
): Promise<void> {
  await using upstream = eventServer();
  const folder = await Deno.makeTempDir();
  const file = `${folder}/switchyard.json`;
  const reconnect = { attempts: 8, initialDelayMs: 1, maxDelayMs: 50 };
  await Deno.writeTextFile(
    file,
    JSON.stringify({
      listen: "127.0.0.1:0",
      drainTimeoutMs: 0,
      ...settings(folder),
      routes: [{ path: "/mcp", upstream: { url: upstream.url, reconnect } }],
    }),
  );
  const runs: Run[] = [];
  try {
    await test(async () => {
      const program = startProgram(["serve", "--config", file], ["-P", `--allow-write=${folder}`]);
      const line = await program.first;
      if (!line.startsWith("listening ")) throw new Error((await program.end()).err);
      let killed = false;
      const run = {
        origin: new URL(line.slice("listening ".length)).origin,
        async kill() {
          if (killed) return;
          killed = true;
          program.child.kill("SIGKILL");
          await program.end();
        },
      };
      runs.push(run);
      return run;
    }, upstream);
  } finally {
    await Promise.all(runs.map((run) => run.kill()));
    await Deno.remove(folder, { recursive: true });
  }
}

const progress = (step: number) =>
  `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":${step}}}`;
const result = (id: number) => `{"jsonrpc":"2.0","id":${id},"result":{"content":[]}}`;
const event = (data: string, id: string) => `id: ${id}\ndata: ${data}\n\n`;

Deno.test("R67 with a durable store sessions and their streams survive SIGKILL", async () => {
  const settings = (folder: string) => ({
    dataDir: `${folder}/data`,
    sessions: { store: "sqlite" },
    eventLog: { store: "sqlite", path: `${folder}/events.db` },
  });
  await withProgram(settings, async (start, upstream) => {
    const first = await start();
    const session = await eventClient.openSession(first.origin);
    const fields = { "mcp-session-id": session };
    assertEquals((await postText(first.origin, messages.initialized, fields)).status, 202);
    let lastId: string | undefined;
    {
      using call = await eventClient.call(first.origin, session, 7);
      const server = await upstream.stream(0);
      await server.send(event(progress(1), "u1") + event(progress(2), "u2"));
      while (lastId === undefined) {
        const next = await call.next();
        if (next !== null && next !== "cut" && next.data) lastId = next.id;
      }
      // The second one is in the log, and was never acknowledged.
      await call.next();
      await first.kill();
    }
    const second = await start();
    const resuming = eventClient.listen(second.origin, session, lastId);
    const again = await upstream.stream(1);
    assertEquals(again.request.field("last-event-id"), "u2");
    await again.send(event(result(7), "u3"));
    await again.end();
    using rest = await resuming;
    const events = (await rest.rest()).flatMap(({ data }) => data ? [data] : []);
    assertEquals(events, [progress(2), result(7)]);
    assertEquals((await postText(second.origin, messages.initialized, fields)).status, 202);
  });
});

Deno.test("R67 without a durable store clients get 404 after SIGKILL, and start over", async () => {
  // A key that outlives the process does not make a session outlive it.
  const settings = (folder: string) => ({ dataDir: `${folder}/data` });
  await withProgram(settings, async (start) => {
    const first = await start();
    const session = await eventClient.openSession(first.origin);
    await first.kill();
    const second = await start();
    const fields = { "mcp-session-id": session };
    assertEquals((await postText(second.origin, messages.ping(), fields)).status, 404);
    const fresh = { "mcp-session-id": await eventClient.openSession(second.origin) };
    assertEquals((await postText(second.origin, messages.initialized, fresh)).status, 202);
  });
});
