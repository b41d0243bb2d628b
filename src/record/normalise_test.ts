import { assert, assertEquals, assertNotMatch } from "@std/assert";
import type { Entry } from "../../fixtures/format/mod.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { normalise } from "./normalise.ts";
import { Recorder } from "./recorder.ts";
import type { Field } from "./redact.ts";

const SESSION = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
const UUID = "0f8fad5b-d9cb-469f-a165-70867728950e";
const JSON_TYPE: Field = ["content-type", "application/json"];
const SSE_TYPE: Field = ["content-type", "text/event-stream"];

interface Exchange {
  readonly target?: string;
  readonly request?: readonly Field[];
  readonly sent?: readonly string[];
  readonly response?: readonly Field[];
  readonly pieces?: readonly (string | Uint8Array)[];
  readonly open?: boolean;
}

const encoder = new TextEncoder();

function bytes(piece: string | Uint8Array): Uint8Array {
  return typeof piece === "string" ? encoder.encode(piece) : piece;
}

function record(...exchanges: readonly Exchange[]): Entry[] {
  const recorder = new Recorder({
    clock: new ManualClock(),
    maxBytes: 1_000_000,
    hosts: ["127.0.0.1:4012"],
    onLimit: () => {},
  });
  for (const { target = "/mcp", request = [], sent = [], ...answer } of exchanges) {
    const exchange = recorder.begin({ method: "POST", target, fields: request })!;
    for (const piece of sent) exchange.data("client", bytes(piece));
    exchange.end("client");
    exchange.response(200, answer.response ?? [JSON_TYPE]);
    for (const piece of answer.pieces ?? []) exchange.data("server", bytes(piece));
    if (answer.open !== true) exchange.end("server");
  }
  return normalise(recorder.recording()).entries;
}

function answered(pieces: readonly (string | Uint8Array)[], extra: Exchange = {}): string[] {
  return record({ ...extra, pieces }).filter(({ from }) => from === "server")
    .flatMap((entry) => {
      if (entry.type === "data") return [entry.text];
      return entry.type === "bytes" ? [`base64 ${entry.base64}`] : [];
    });
}

function fields(...given: readonly Field[]): Entry {
  return record({ request: given })[0]!;
}

Deno.test("normalise() drops what is noise, and keeps the order and the spelling of the rest", () => {
  const entry = fields(
    ["X-Powered-By", "Express"],
    ["date", "now"],
    ["user-agent", "x"],
    ["sec-fetch-mode", "cors"],
    ["host", "127.0.0.1:4012"],
    ["content-length", "12"],
    ["accept", "text/event-stream"],
  );
  assertEquals((entry as { fields: unknown }).fields, [
    ["x-powered-by", "Express"],
    ["content-length", "{{length}}"],
    ["accept", "text/event-stream"],
  ]);
});

Deno.test("normalise() names session ids the same everywhere, UUID or not", () => {
  const entries = record(
    { response: [SSE_TYPE, ["mcp-session-id", SESSION]], pieces: [`data: "${SESSION}"\n\n`] },
    { request: [["mcp-session-id", SESSION]], pieces: [`{"id":"${UUID}","in":"${SESSION}"}`] },
    { request: [["mcp-session-id", "s-2"]], pieces: ['{"short":"s-2"}'] },
  );
  const text = JSON.stringify(entries);
  assert(!text.includes(SESSION) && !text.includes(UUID));
  assertEquals(text.match(/\{\{session:1\}\}/g)?.length, 4);
  assertEquals(text.match(/\{\{uuid:1\}\}/g)?.length, 1);
  // A short id is a session id only where one stands.
  assertEquals(text.match(/\{\{session:2\}\}/g)?.length, 1);
  assert(text.includes('{\\"short\\":\\"s-2\\"}'));
});

Deno.test("normalise() finds the session in the endpoint event and in later targets", () => {
  for (const [url, later] of [["/m?sessionId=", "/m?sessionId="], ["/m/", "/m/"]] as const) {
    const entries = record(
      { response: [SSE_TYPE], pieces: [`event: endpoint\ndata: ${url}${SESSION}\n\n`] },
      { target: `${later}${SESSION}`, sent: [`{"note":"${SESSION}"}`] },
    );
    const text = JSON.stringify(entries);
    assert(!text.includes(SESSION));
    assertEquals(text.match(/\{\{session:1\}\}/g)?.length, 3);
  }
});

Deno.test("normalise() learns a session from a target, whatever its form", () => {
  const entries = record({ target: "/m?session_id=abcdef0123", sent: ['{"in":"abcdef0123"}'] });
  assertEquals(JSON.stringify(entries).match(/\{\{session:1\}\}/g)?.length, 2);
});

Deno.test("normalise() names event ids, also in Last-Event-ID, and leaves empty ones", () => {
  const entries = record(
    {
      response: [SSE_TYPE],
      pieces: ["id: a.1\ndata: id: x\n\nid:7\r\ndata:\r\n\r\nid:\ndata: z\n\n"],
    },
    { request: [["last-event-id", "7"]] },
  );
  assertEquals(entries.find(({ type, from }) => type === "data" && from === "server"), {
    at: 0,
    exchange: 1,
    from: "server",
    type: "data",
    text: "id: {{event:1}}\ndata: id: x\n\nid:{{event:2}}\r\ndata:\r\n\r\nid:\ndata: z\n\n",
  });
  assert(JSON.stringify(entries).includes('["last-event-id","{{event:2}}"]'));
});

Deno.test("normalise() names UUIDs, times, states and hosts, once for each value", () => {
  const text = answered([
    `{"a":"${UUID}","b":"${UUID}","t":"2026-01-02T03:04:05.678Z","u":"2026-01-02T03:04:05+01:00",` +
    `"requestState":"c3RhdGU=","h":"http://127.0.0.1:4012/x","l":"localhost:4012",` +
    `"other":"127.0.0.1:40123","n":1,"id":"call-1"}`,
  ]);
  assertEquals(text, [
    '{"a":"{{uuid:1}}","b":"{{uuid:1}}","t":"{{time:1}}","u":"{{time:2}}",' +
    '"requestState":"{{state:1}}","h":"http://{{host}}/x","l":"{{host}}",' +
    '"other":"127.0.0.1:40123","n":1,"id":"call-1"}',
  ]);
});

Deno.test("normalise() names a signed state as a whole, and each one apart", () => {
  const one = "v1.eyJzdGVwIjoxLCJleHAiOjF9.AbCdEfGh";
  const text = answered([
    `{"requestState":"${one}","again":{"requestState":"${one}"},"changed":{"requestState":"${one}x"}}`,
  ]);
  assertEquals(text, [
    '{"requestState":"{{state:1}}","again":{"requestState":"{{state:1}}"},' +
    '"changed":{"requestState":"{{state:2}}"}}',
  ]);
});

Deno.test("normalise() finds a value that is split over pieces, at every place", () => {
  const whole = `data: {"a":"${UUID}","token":"sesame-1234"}\n\n`;
  const wanted = 'data: {"a":"{{uuid:1}}","token":"{{redacted}}"}\n\n';
  for (let at = 1; at < whole.length; at++) {
    const pieces = answered([whole.slice(0, at), whole.slice(at)], { response: [SSE_TYPE] });
    assertEquals(pieces.join(""), wanted);
    assertEquals(pieces.length, 2);
  }
  assertEquals(answered([...whole], { response: [SSE_TYPE] }).join(""), wanted);
});

Deno.test("normalise() keeps pieces that split a character, and bytes that are no text", () => {
  const euro = encoder.encode('"€"');
  assertEquals(answered([euro.slice(0, 2), euro.slice(2)]), ["base64 IuI=", "base64 gqwi"]);
  assertEquals(answered([new Uint8Array([0, 255])]), ["base64 AP8="]);
  // Secrets are found all the same.
  const split = encoder.encode('{"token":"sesame-1234€"}');
  const shown = answered([split.slice(0, 22), split.slice(22)]);
  assertEquals(shown, ['{"token":"{{redacted}}', '"}']);
  const mixed = new Uint8Array([255, ...encoder.encode('{"token":"sesame-1234"}')]);
  assertEquals(
    atob(answered([mixed])[0]!.slice("base64 ".length)).slice(1),
    '{"token":"{{redacted}}"}',
  );
});

Deno.test("normalise() hides a secret of a head wherever it is echoed, and where an echo breaks off", () => {
  const secret = "s3cr3t/with+signs==";
  const head: Exchange = { request: [["authorization", `Bearer ${secret}`]] };
  const echo = `{"text":"${secret}","url":"/x?y=${encodeURIComponent(secret)}"}`;
  assertEquals(answered([echo], head), ['{"text":"{{redacted}}","url":"/x?y={{redacted}}"}']);
  assertEquals(answered([`said ${secret.slice(0, 9)}`], { ...head, open: true }), [
    "said {{redacted}}",
  ]);
  const basic: Exchange = { request: [["authorization", `Basic ${btoa("me:my-password-1")}`]] };
  assertEquals(answered(["my-password-1"], basic), ["{{redacted}}"]);
});

Deno.test("normalise() hides a secret of a body where another exchange echoes it", () => {
  const entries = record(
    { sent: ['{"password":"open-sesame-1"}'] },
    { pieces: ["it was open-sesame-1"] },
  );
  assert(!JSON.stringify(entries).includes("sesame"));
});

Deno.test("normalise() shows nothing of a body that is compressed", () => {
  const pieces = ["\x1f\x8babc", "def"];
  const response: Field[] = [JSON_TYPE, ["content-encoding", "gzip"]];
  assertEquals(answered(pieces, { response }), ["{{redacted}}", "{{redacted}}"]);
});

Deno.test("normalise() gives two recordings of one conversation the same bytes", () => {
  const conversation = (port: string, session: string, uuid: string) =>
    JSON.stringify(record(
      {
        request: [["origin", `http://localhost:${port}`], ["host", `localhost:${port}`]],
        response: [SSE_TYPE, ["mcp-session-id", session], ["date", port]],
        pieces: [
          `id: ${uuid}_1\ndata: {"at":"2026-01-02T03:04:${port.slice(2)}Z","u":"${uuid}"}\n\n`,
        ],
      },
      { request: [["mcp-session-id", session], ["last-event-id", `${uuid}_1`]] },
    ));
  const one = conversation("4012", SESSION, UUID);
  const two = conversation("4013", UUID, SESSION);
  assertEquals(one, two);
  assertNotMatch(one, /40\d\d/);
});
