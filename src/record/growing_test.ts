import { assert, assertEquals } from "@std/assert";
import { ManualClock } from "../testing/manual_clock.ts";
import { GrowingLines } from "./growing.ts";
import { normalise } from "./normalise.ts";
import { Recorder, type RecordingWatch } from "./recorder.ts";

const encoder = new TextEncoder();
const STREAM = [["content-type", "text/event-stream"]] as const;
const JSON_TYPE = [["content-type", "application/json"]] as const;

/** A recorder, and the lines of what it records. */
function start() {
  let lines: GrowingLines | undefined;
  const watch: RecordingWatch = {
    begin: (growing) => void (lines = new GrowingLines(growing)),
    kept: (entry) => lines!.add(entry),
    dropped: (entry) => lines!.drop(entry),
  };
  const options = { clock: new ManualClock(), maxBytes: 100_000, hosts: ["mcp.test:80"] };
  const recorder = new Recorder({ ...options, onLimit() {}, watch });
  const begin = (fields: readonly (readonly [string, string])[] = []) => {
    const exchange = recorder.begin({ method: "POST", target: "/mcp", fields })!;
    const say = (from: "client" | "server", text: string) =>
      exchange.data(from, encoder.encode(text));
    return { ...exchange, say };
  };
  const told = () =>
    lines!.entries.map((entry) =>
      `${entry.from} ${entry.type}${entry.type === "data" ? ` ${entry.text}` : ""}`
    );
  return { recorder, begin, lines: lines!, told };
}

Deno.test("GrowingLines has the lines that the recording has in the end", () => {
  const { recorder, begin, lines } = start();
  for (let count = 0; count < 3; count++) {
    const exchange = begin([["authorization", "Bearer canary-12345678"], ["host", "mcp.test:80"]]);
    exchange.say("client", `{"id":${count},"a":"2026-01-01T00:00:00Z canary-12345678"}`);
    exchange.end("client");
    exchange.response(200, [["mcp-session-id", `session-${count % 2}`], ...STREAM]);
    exchange.say("server", `id: e${count}\ndata: {"at":"http://mcp.test:80/x"}\n\n`);
    exchange.say("server", `data: {"password":"hunter2hunter2"}\n\n`);
    exchange.end("server");
  }
  assertEquals(lines.entries, normalise(recorder.recording()).entries);
  assertEquals(lines.changes, 0);
  assert(!JSON.stringify(lines.entries).match(/canary|hunter2|session-[01]/));
});

Deno.test("GrowingLines holds a body back until it is over, and a stream until its event is", () => {
  const { begin, told } = start();
  const answer = begin();
  answer.end("client");
  answer.response(200, JSON_TYPE);
  answer.say("server", '{"password":"hun');
  const stream = begin();
  stream.end("client");
  stream.response(200, STREAM);
  stream.say("server", "data: 1\n\nda");
  const before = told();
  assert(!before.some((line) => line.startsWith("server data")), before.join());
  stream.say("server", "ta: 2\r\n\r\n");
  assertEquals(told().slice(before.length), [
    "server data data: 1\n\nda",
    "server data ta: 2\r\n\r\n",
  ]);
  stream.say("server", 'data: {"token":"brok');
  stream.abort("server");
  assertEquals(told().slice(before.length + 2), [
    'server data data: {"token":"{{redacted}}',
    "server abort",
  ]);
  answer.say("server", 'ter2"}');
  answer.end("server");
  assertEquals(told().slice(-3), [
    'server data {"password":"{{redacted}}',
    'server data "}',
    "server end",
  ]);
});

Deno.test("GrowingLines takes out of what is there what turns out to be a secret", () => {
  const { begin, lines } = start();
  const first = begin();
  first.say("client", '{"note":"canary-ä-1234 canary-plain-1"}');
  first.end("client");
  first.response(200, [["x-note", "canary-plain-1"]]);
  first.end("server");
  assertEquals(lines.changes, 0);
  const second = begin([["authorization", "Bearer canary-plain-1"]]);
  second.say("client", '{"password":"canary-ä-1234"}');
  second.end("client");
  assert(lines.changes > 0);
  assert(!JSON.stringify(lines.entries).includes("canary"), JSON.stringify(lines.entries));
});

Deno.test("GrowingLines takes back the end of a client that has left", () => {
  const { begin, told, lines } = start();
  const exchange = begin();
  exchange.end("client");
  exchange.response(200, STREAM);
  exchange.say("server", "data: 1");
  assertEquals(told(), ["client request", "client end", "server response"]);
  exchange.abort("client");
  assertEquals(told(), [
    "client request",
    "server response",
    "server data data: 1",
    "client abort",
  ]);
  assertEquals(lines.changes, 1);
});
