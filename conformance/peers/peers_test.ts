import { assertEquals, assertStringIncludes } from "@std/assert";
import { Cleanup } from "../../bench/cleanup.ts";
import { MockUpstream, sessionServer } from "../mock/mod.ts";
import { assess } from "../report/mod.ts";
import { GOOD_RUN, RUN } from "../report/samples.ts";
import { OWN_SOURCE } from "../runner/mod.ts";
import { Context, initializeRequest } from "../suite/mod.ts";
import { findNginx, mcpSettings, startMcpNginx } from "./nginx.ts";
import { type Peer, resultsDocument } from "./mod.ts";

function peer(name: string): Peer {
  const source = { ...OWN_SOURCE, name, assume: ["body-limit-1m" as const] };
  return { source, version: "1.2.3", setup: `How ${name} was set up.`, claims: `A ${name}.` };
}

const FACTS = {
  date: "2026-11-21T03:00:00.000Z",
  platform: "Deno 2.9.5, linux x86_64, 2 cores",
  command: "deno task conformance:peers",
  patienceMs: 3_000,
  leftOut: [{ name: "absent", why: "it is not installed" }],
};

Deno.test("resultsDocument() stands the targets side by side", () => {
  const results = [
    { peer: peer("one"), assessment: assess({ ...RUN, expected: [] }) },
    { peer: peer("two"), assessment: assess(GOOD_RUN) },
  ];
  const text = resultsDocument(results, FACTS);
  for (
    const part of [
      "on 2026-11-21: Deno 2.9.5, linux x86_64, 2 cores, loopback, anything may take 3000 ms.",
      "### two\n\nVersion: 1.2.3. Assumptions made: body-limit-1m.\n\nA two.\n\nHow two was set up.",
      "### absent\n\nNot run: it is not installed.",
      "| group | what it is about | one | two |",
      "| 0/1 | 1/1 |\n| events |",
      "| faults | an upstream that fails | 0/0 | - |",
      "| all |  | 2/3 | 2/2 |",
      "| 20 ms | not measured | 1.040 [1.020, 1.060] |",
      "| answer.status | fail | pass |",
      "| faults.refused | - | - |",
    ]
  ) assertStringIncludes(text, part);
});

Deno.test("resultsDocument() counts a known gap as what it is", () => {
  const results = [{ peer: peer("one"), assessment: assess(RUN) }];
  assertStringIncludes(resultsDocument(results, FACTS), "| answer.status | fail |");
});

Deno.test("mcpSettings() shows what an operator would write, without files of this run", () => {
  const text = mcpSettings("8080", "127.0.0.1:9000");
  for (const part of ["proxy_buffering off;", "proxy_http_version 1.1;", "127.0.0.1:8080"]) {
    assertStringIncludes(text, part);
  }
});

Deno.test("nginx is started before an upstream and ended again", async () => {
  const program = await findNginx();
  if (program === undefined) return;
  await using mock = await MockUpstream.listen();
  mock.use(sessionServer({ sessionIds: ["one"] }));
  const cleanup = new Cleanup();
  const running = await startMcpNginx(program, `http://${mock.host}/mcp`, cleanup);
  await using context = new Context({ target: running.target, mock, patienceMs: 5_000 });
  const answer = await context.send({ body: initializeRequest("2025-11-25") });
  assertEquals([answer.status, answer.field("mcp-session-id")], [200, "one"]);
  await cleanup.run();
});
