import { assert, assertEquals } from "@std/assert";
import { formatFixture, MAX_EXCHANGE_BYTES, parseFixture } from "../../fixtures/format/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { toFixture } from "./fixture.ts";
import { Recorder } from "./recorder.ts";

const encoder = new TextEncoder();

function start(maxBytes = 100_000) {
  const clock = new ManualClock();
  let limits = 0;
  const recorder = new Recorder({ clock, maxBytes, hosts: [], onLimit: () => void limits++ });
  const begin = () => recorder.begin({ method: "POST", target: "/mcp", fields: [] });
  const told = () => recorder.recording().entries.map(({ from, type }) => `${from} ${type}`);
  return { clock, recorder, begin, told, limits: () => limits };
}

Deno.test("Recorder keeps what happened in its order, with whole milliseconds", () => {
  const { clock, recorder, begin, told } = start();
  clock.advance(5);
  const exchange = begin()!;
  exchange.end("client");
  clock.advance(2);
  exchange.response(200, []);
  exchange.data("server", encoder.encode("x"));
  exchange.data("server", new Uint8Array());
  exchange.end("server");
  assertEquals(told(), [
    "client request",
    "client end",
    "server response",
    "server data",
    "server end",
  ]);
  assertEquals(recorder.recording().entries.map(({ at }) => at), [5, 5, 7, 7, 7]);
});

Deno.test("Recorder copies pieces, which their owner may use again", () => {
  const { recorder, begin } = start();
  const piece = encoder.encode("abc");
  begin()!.data("client", piece);
  piece.fill(0);
  const [, data] = recorder.recording().entries;
  assert(data?.type === "data");
  assertEquals(new TextDecoder().decode(data.bytes), "abc");
});

Deno.test("Recorder ends each side once: an abort of the client stands in place of its end", () => {
  const { recorder, begin, told } = start();
  const exchange = begin()!;
  exchange.end("client");
  exchange.response(200, []);
  exchange.abort("client");
  exchange.abort("client");
  exchange.data("server", encoder.encode("late"));
  exchange.end("server");
  exchange.abort("server");
  assertEquals(told(), ["client request", "server response", "client abort"]);
  const done = begin()!;
  done.end("client");
  done.response(200, []);
  done.end("server");
  done.abort("client");
  assertEquals(told().slice(3), ["client request", "client end", "server response", "server end"]);
  const { meta, exchange: text } = formatFixture(
    toFixture(recorder.recording(), { name: "x" }).fixture,
  );
  assertEquals(parseFixture("x", meta, text).entries.length, 7);
});

Deno.test("Recorder stops at its limit, says so once, and takes nothing more", () => {
  const { recorder, begin, told, limits } = start(1_000);
  const exchange = begin()!;
  for (let count = 0; count < 100; count++) exchange.data("client", encoder.encode("12345678"));
  exchange.end("client");
  assertEquals(limits(), 1);
  assertEquals(begin(), undefined);
  // A piece counts with the line it takes in the file, or empty lines could fill the memory.
  assertEquals(told().length, 9);
  const { meta } = toFixture(recorder.recording(), { name: "x" }).fixture;
  assertEquals(meta.truncated, true);
});

Deno.test("Recorder takes nothing after stop()", () => {
  const { recorder, begin, told } = start();
  const exchange = begin()!;
  exchange.end("client");
  recorder.stop();
  exchange.abort("client");
  assertEquals(begin(), undefined);
  assertEquals(told(), ["client request", "client end"]);
  assertEquals(recorder.recording().truncated, false);
});

Deno.test("toFixture() cuts what would be longer in the file than a fixture may be", () => {
  const { recorder, begin } = start(MAX_EXCHANGE_BYTES);
  const exchange = begin()!;
  const piece = encoder.encode("\x01".repeat(50_000));
  for (let count = 0; count < 10; count++) exchange.data("client", piece);
  const { fixture } = toFixture(recorder.recording(), { name: "x" });
  const { meta, exchange: text } = formatFixture(fixture);
  assert(text.length <= MAX_EXCHANGE_BYTES);
  assertEquals(parseFixture("x", meta, text).meta.truncated, true);
});

Deno.test("Recorder takes only what looks like a host for one", () => {
  const { recorder } = start();
  const hosts = ["result", "a.b", "mcp.example.com", "[::1]:80", "x.y z", `${"a".repeat(300)}.b`];
  for (const host of hosts) {
    recorder.begin({ method: "GET", target: "/", fields: [["host", host]] });
  }
  for (let count = 0; count < 100; count++) {
    recorder.begin({ method: "GET", target: "/", fields: [["host", `host-${count}.x`]] });
  }
  const known = recorder.recording().hosts;
  assertEquals(known.slice(0, 3), ["mcp.example.com", "[::1]:80", "host-0.x"]);
  assertEquals(known.length, 64);
});

Deno.test("toFixture() writes no secret into meta.json either", () => {
  const { recorder } = start();
  const exchange = recorder.begin({
    method: "POST",
    target: "/mcp",
    fields: [["authorization", "Bearer canary-12345"]],
  })!;
  const clientInfo = { name: "for canary-12345", version: "0f8fad5b-d9cb-469f-a165-70867728950e" };
  exchange.data("client", encoder.encode(JSON.stringify({ params: { clientInfo } })));
  const { meta } = toFixture(recorder.recording(), { name: "x" }).fixture;
  assertEquals(meta.client, { name: "for {{redacted}}", version: "{{uuid:1}}" });
  assert(meta.title.startsWith("for {{redacted}}"));
});

Deno.test("Recorder holds no secret of a head, but knows it for later", () => {
  const { recorder } = start();
  recorder.begin({
    method: "GET",
    target: "/mcp?api_key=canary-12345",
    fields: [["authorization", "Bearer canary-67890"], ["cookie", "a=canary-abcde1"]],
  });
  const { entries, secrets } = recorder.recording();
  assert(!JSON.stringify(entries).includes("canary"));
  assertEquals(secrets.toSorted(), ["canary-12345", "canary-67890", "canary-abcde1"]);
});
