/**
 * Every official client through the proxy to every server, feature by feature, and without the proxy where the
 * two can speak to each other: what a cell cannot do directly is not the proxy's doing.
 *
 * The last test shows the table.
 *
 * @module
 */

import { hashOfKey } from "../../auth/mod.ts";
import { testProxy } from "../../testing/proxy.ts";
import { within } from "../wait.ts";
import {
  type Cell,
  CELLS,
  cellsOf,
  type ClientKind,
  CLIENTS,
  exceptionFor,
  EXCEPTIONS,
} from "./cells.ts";
import { type Feature, FEATURES, type Subject } from "./features.ts";
import { type MatrixServer, SERVERS } from "./servers.ts";
import { Table } from "./table.ts";

const KEY = "sy_key-of-the-matrix";

/** Long enough for the first start of a program. */
const CONNECT_MS = 15_000;
const FEATURE_MS = 8_000;

const MAX_REASON_CHARS = 300;

const table = new Table(FEATURES.map(({ name }) => name));

/** The exceptions that some cell had. */
const used = new Set<unknown>();

async function runFeature(
  t: Deno.TestContext,
  cell: Cell,
  feature: Feature,
  subject: Subject,
): Promise<void> {
  const note = (text: string) => table.note(cell.name, feature.name, text);
  const exception = exceptionFor(cell, feature.name);
  await t.step(feature.name, async () => {
    let failure: unknown;
    try {
      if (feature.offeredBy?.(subject.target) === false) {
        throw new Error("the server has no such tool");
      }
      await within(feature.run(subject), feature.name, FEATURE_MS);
    } catch (error) {
      failure = error;
    }
    if (exception !== undefined && failure !== undefined) {
      used.add(exception);
      return note(`n/a: ${exception.section}`);
    }
    if (exception !== undefined) {
      note("STALE");
      throw new Error(`this works, but is an exception of ${exception.section}`);
    }
    note(failure === undefined ? "ok" : `FAILED ${reasonOf(failure)}`);
    if (failure !== undefined) throw failure;
  });
}

/** The first line of what it says, and of a comparison the lines that differ. */
function reasonOf(failure: unknown): string {
  const text = String(failure instanceof Error ? failure.message : failure);
  const [first = "", ...rest] = text.trim().split("\n");
  const differing = rest.filter((line) => /^[-+] /.test(line)).map((line) =>
    line.replace(/ +/, " ")
  );
  return [first, ...differing].join(" ").slice(0, MAX_REASON_CHARS);
}

async function throughProxy(t: Deno.TestContext, cell: Cell): Promise<void> {
  const { client, server, caller } = cell;
  const isKeyed = caller === "keyed";
  await using stack = new AsyncDisposableStack();
  const running = await server.start();
  stack.defer(() => running.close());
  const proxy = await testProxy({
    upstreamConfig: running.upstream,
    config: isKeyed ? { auth: { keys: [{ name: "matrix", sha256: hashOfKey(KEY) }] } } : {},
  });
  stack.defer(async () => void await proxy.stop());
  const connecting = client.connect({
    endpoint: client.endpoint?.(proxy.endpoint) ?? proxy.endpoint,
    headers: isKeyed ? { authorization: `Bearer ${KEY}` } : {},
  });
  const connected = await within(connecting, "the connection", CONNECT_MS);
  stack.defer(() => connected.close());
  const subject = { client: connected, server: running, target: server.target };
  for (const feature of FEATURES) await runFeature(t, cell, feature, subject);
}

async function directly(client: ClientKind, server: MatrixServer): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const running = await server.start();
  stack.defer(() => running.close());
  const connected = await client.connect({ endpoint: running.url!, headers: {} });
  stack.defer(() => connected.close());
  const subject = { client: connected, server: running, target: server.target };
  for (const feature of FEATURES) {
    if (exceptionFor({ client, server, caller: "keyed" }, feature.name) !== undefined) continue;
    await within(feature.run(subject), feature.name, FEATURE_MS);
  }
}

for (const client of CLIENTS) {
  for (const server of SERVERS) {
    if (client.direct.includes(server.name)) {
      const name = `matrix, without the proxy: ${client.name} to ${server.name}`;
      Deno.test(name, () => directly(client, server));
    }
    for (const cell of cellsOf(client, server)) {
      Deno.test(`matrix, ${cell.kind}: ${cell.name}`, async (t) => {
        try {
          await throughProxy(t, cell);
        } catch (error) {
          table.fail(cell.name, reasonOf(error));
          throw error;
        }
      });
    }
  }
}

Deno.test("matrix: the table, and no exception that no cell has", () => {
  Deno.stdout.writeSync(new TextEncoder().encode(`${table.render()}\n`));
  const unused = EXCEPTIONS.filter((exception) => !used.has(exception));
  const cells = CLIENTS.flatMap((client) => SERVERS.flatMap((server) => cellsOf(client, server)));
  const isWhole = CELLS.length === 3 && table.rows === cells.length;
  if (isWhole && unused.length > 0) {
    throw new Error(`stale exceptions: ${JSON.stringify(unused)}`);
  }
});
