import { assert, assertEquals, assertMatch } from "@std/assert";
import { Metrics, type ProcessTold } from "./mod.ts";

const target = {
  name: "a",
  weight: 1,
  draining: true,
  underWay: 2,
  calls: 9,
  failures: 3,
  state: "down",
  reason: "refused",
  forMs: 1,
  pausedForMs: 0,
  failuresInRow: 3,
  ejections: 1,
  breaker: "open",
  medianMs: null,
  probe: null,
} as const;

const told: ProcessTold = {
  snapshot: {
    answersUnderWay: 4,
    clientConnections: 5,
    draining: true,
    eventLog: { streams: 1, events: 20, bytes: 300 },
    principals: 6,
    sessions: 7,
    streams: { held: 3, unattended: 1 },
    subscriptions: 2,
    uptimeMs: 1500,
  },
  routes: [{
    route: "/mcp",
    targets: () => [target],
    retries: () => ({ made: 8, refused: 1 }),
  }],
  tokens: [{ route: "/mcp", stats: { fetched: 3, failed: 2, refused: 1 } }],
  memory: { rss: 1000, heapUsed: 100 },
};

function linesOf(metrics: Metrics, now: ProcessTold): string[] {
  const { text } = metrics.page(now);
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

Deno.test("Metrics tells what is read at this moment, each under its own name and type", () => {
  const metrics = new Metrics();
  assertEquals(linesOf(metrics, told), [
    "switchyard_uptime_seconds 1.5",
    "switchyard_draining 1",
    "switchyard_client_connections 5",
    "switchyard_sessions 7",
    "switchyard_principals 6",
    "switchyard_answers_under_way 4",
    "switchyard_subscriptions 2",
    'switchyard_streams{state="attended"} 2',
    'switchyard_streams{state="unattended"} 1',
    "switchyard_event_log_streams 1",
    "switchyard_event_log_events 20",
    "switchyard_event_log_bytes 300",
    'switchyard_target_state{route="/mcp",target="a",state="up"} 0',
    'switchyard_target_state{route="/mcp",target="a",state="returning"} 0',
    'switchyard_target_state{route="/mcp",target="a",state="ejected"} 0',
    'switchyard_target_state{route="/mcp",target="a",state="down"} 1',
    'switchyard_target_draining{route="/mcp",target="a"} 1',
    'switchyard_target_under_way{route="/mcp",target="a"} 2',
    'switchyard_target_calls_total{route="/mcp",target="a"} 9',
    'switchyard_target_failures_total{route="/mcp",target="a"} 3',
    'switchyard_target_ejections_total{route="/mcp",target="a"} 1',
    'switchyard_retries_total{route="/mcp",outcome="made"} 8',
    'switchyard_retries_total{route="/mcp",outcome="refused"} 1',
    'switchyard_server_tokens_total{route="/mcp",outcome="fetched"} 3',
    'switchyard_server_tokens_total{route="/mcp",outcome="failed"} 2',
    'switchyard_server_tokens_total{route="/mcp",outcome="refused"} 1',
    "process_resident_memory_bytes 1000",
    "switchyard_heap_used_bytes 100",
  ]);
  const { contentType } = metrics.page(told);
  assertMatch(contentType, /^text\/plain; version=0\.0\.4/);
});

Deno.test("Metrics tells nothing of what there is none: a log, a target that a reload took away", () => {
  const metrics = new Metrics();
  metrics.page(told);
  const snapshot = { ...told.snapshot, eventLog: null, clientConnections: null };
  const lines = linesOf(metrics, { ...told, snapshot, routes: [], tokens: [] });
  const gone = ["event_log", "client_connections", "target", "retries", "server_tokens"];
  for (const name of gone) assert(!lines.some((line) => line.includes(name)), name);
});

Deno.test("Metrics counts on from scrape to scrape, and reads the counts of targets as they are", () => {
  const metrics = new Metrics();
  const request = { route: "/mcp", http: "POST", era: "modern", rpc: "tools/call", status: 200 };
  metrics.answered({ ...request, seconds: 0.02 });
  metrics.page(told);
  metrics.answered({ ...request, seconds: 2 });
  metrics.failed({ route: undefined, kind: "bad_request", source: "client" });
  const lines = linesOf(metrics, told);
  const has = (line: string) => assert(lines.includes(line), `${line}\n\n${lines.join("\n")}`);
  const labels = 'route="/mcp",http="POST",era="modern",rpc="tools/call",status="200"';
  has(`switchyard_requests_total{${labels}} 2`);
  const bucket = (le: string) => `_bucket{route="/mcp",rpc="tools/call",le="${le}"}`;
  has(`switchyard_request_first_byte_seconds${bucket("0.01")} 0`);
  has(`switchyard_request_first_byte_seconds${bucket("0.025")} 1`);
  has(`switchyard_request_first_byte_seconds${bucket("+Inf")} 2`);
  has('switchyard_errors_total{route="",kind="bad_request",source="client"} 1');
  has('switchyard_target_calls_total{route="/mcp",target="a"} 9');
});

Deno.test("Metrics keeps to its number of series; what comes beyond is counted as one", () => {
  const metrics = new Metrics(2);
  const request = { http: "POST", era: undefined, rpc: "ping", status: 200, seconds: 1 };
  for (let round = 0; round < 2; round++) {
    for (let route = 0; route < 10; route++) {
      metrics.answered({ ...request, route: `/${route}` });
      metrics.failed({ route: `/${route}`, kind: "internal", source: "proxy" });
    }
  }
  const lines = linesOf(metrics, { ...told, routes: [] });
  const of = (name: string) => lines.filter((line) => line.startsWith(name));
  const labels = (route: string) => `{route="${route}",http="POST",era="",rpc="ping",status="200"}`;
  assertEquals(of("switchyard_requests_total"), [
    `switchyard_requests_total${labels("/0")} 2`,
    `switchyard_requests_total${labels("/1")} 2`,
    'switchyard_requests_total{route="other",http="other",era="other",rpc="other",status="other"} 16',
  ]);
  assertEquals(of("switchyard_errors_total").length, 3);
  assertEquals(of("switchyard_request_first_byte_seconds_count").length, 3);
});
