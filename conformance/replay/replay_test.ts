import { assertEquals } from "@std/assert";
import { type Fixture, readFixture, readFixtures } from "../../fixtures/format/mod.ts";
import { MockUpstream } from "../mock/mod.ts";
import { startOwnProxy } from "../own_proxy.ts";
import { Context, type Verdict } from "../suite/mod.ts";
import { judgeAll } from "./case.ts";
import { Conductor } from "./conductor.ts";
import { JUDGEMENTS, play } from "./mod.ts";
import { planOf } from "./plan.ts";
import type { Outcome, Transcript } from "./transcript.ts";

const FIXTURES = new URL("../../fixtures", import.meta.url);

/** The mock in the place of a proxy: what is played reaches it as it was recorded. */
async function playDirectly(fixture: Fixture, mock: MockUpstream): Promise<Transcript> {
  mock.reset();
  const target = {
    url: new URL(`http://${mock.host}/mcp`),
    sseUrl: new URL(`http://${mock.host}/sse`),
  };
  await using context = new Context({ target, mock, patienceMs: 5_000 });
  return await play(fixture, context);
}

function failed(verdicts: readonly Verdict[]): string[] {
  return verdicts.filter(({ status }) => status === "fail")
    .map(({ check, message }) => `${check}: ${message}`);
}

Deno.test("without a proxy every fixture plays as it was recorded, but for the ids' translation", async (t) => {
  await using mock = await MockUpstream.listen();
  const judged = new Set<string>();
  for (const fixture of await readFixtures(FIXTURES)) {
    const { revision, name } = fixture.meta;
    await t.step(`${revision}/${name}`, async () => {
      const verdicts = judgeAll(await playDirectly(fixture, mock));
      for (const { check } of verdicts) judged.add(check);
      const wrong = failed(verdicts).filter((text) => !text.startsWith("sessions."));
      assertEquals(wrong, []);
      assertEquals(mock.problems, []);
    });
  }
  const never = JUDGEMENTS.map(({ id }) => id).filter((id) => !judged.has(id));
  // Ids that were not translated can leak nowhere.
  assertEquals(never, ["privacy.fixture-ids"]);
});

type Change = (transcript: Transcript) => Transcript;

/** Changes the outcomes for which `change` gives another. */
function outcomes(change: (outcome: Outcome) => Partial<Outcome> | undefined): Change {
  return (transcript) => ({
    ...transcript,
    outcomes: transcript.outcomes.map((outcome) => ({ ...outcome, ...change(outcome) })),
  });
}

/** Changes what the client got of answers. */
function got(change: (got: NonNullable<Outcome["got"]>, outcome: Outcome) => unknown): Change {
  return outcomes((outcome) =>
    outcome.got === undefined ? undefined : {
      got: { ...outcome.got, ...(change(outcome.got, outcome) ?? {}) as Outcome["got"] },
    }
  );
}

/** Changes what reached the server. */
function arrived(change: (arrived: NonNullable<Outcome["arrived"]>) => unknown): Change {
  return outcomes(({ arrived }) =>
    arrived === undefined
      ? undefined
      : { arrived: { ...arrived, ...(change(arrived) ?? {}) as Outcome["arrived"] } }
  );
}

const translated: Change = (transcript) => ({
  ...transcript,
  sessions: transcript.sessions.map((session) => ({ ...session, client: "the-clients-own" })),
});

const spaced = (bytes: Uint8Array) =>
  new TextEncoder().encode(` ${new TextDecoder().decode(bytes)}`);

/** What a bad proxy does, on which fixture, and the one check that must tell. */
const FAULTS: readonly [check: string, what: string, fixture: string, change: Change][] = [
  ["once.fixture", "a request arrives twice", "call-progress", outcomes(() => ({ repeats: 1 }))],
  [
    "once.fixture",
    "a request never arrives",
    "call-progress",
    outcomes(() => ({ arrived: undefined })),
  ],
  [
    "once.fixture",
    "a request comes that nobody sent",
    "call-progress",
    (transcript) => ({ ...transcript, strays: ["POST /mcp {}"] }),
  ],
  [
    "request.fixture-bytes",
    "bodies are written anew",
    "call-progress",
    arrived(({ body }) => body.length === 0 ? {} : { body: spaced(body) }),
  ],
  [
    "request.fixture-fields",
    "a field is lost",
    "call-progress",
    arrived(({ fields }) => ({
      fields: fields.filter(([name]) => name !== "mcp-protocol-version"),
    })),
  ],
  [
    "request.fixture-fields",
    "event streams are not asked for",
    "call-progress",
    arrived(({ fields }) => ({
      fields: fields.map(([name, value]) => [name, name === "accept" ? "application/json" : value]),
    })),
  ],
  [
    "request.fixture-fields",
    "Last-Event-ID is lost",
    "resume-before-answer",
    arrived(({ fields }) => ({ fields: fields.filter(([name]) => name !== "last-event-id") })),
  ],
  [
    "answer.fixture-status",
    "202 becomes 200",
    "call-progress",
    got(({ status }) => ({
      status: status === 202 ? 200 : status,
    })),
  ],
  [
    "answer.fixture-status",
    "an answer is lost",
    "call-progress",
    outcomes(({ plan }) => plan.number === 2 ? { got: undefined, problem: "closed" } : undefined),
  ],
  [
    "answer.fixture-fields",
    "JSON is called text",
    "json-tool-error",
    got(({ fields }) => ({
      fields: fields.map(([name, value]) => [
        name,
        name === "content-type" ? "text/plain" : value,
      ]),
    })),
  ],
  [
    "answer.fixture-bytes",
    "JSON is written anew",
    "json-tool-error",
    got(({ body }) => ({
      body: spaced(body),
    })),
  ],
  [
    "events.fixture-complete",
    "the last event is lost",
    "call-progress",
    got(({ blocks }) => ({
      blocks: blocks.slice(0, -1),
    })),
  ],
  [
    "events.fixture-complete",
    "an event comes twice",
    "call-progress",
    got(({ blocks }) => ({
      blocks: [...blocks, ...blocks.slice(-1)],
    })),
  ],
  [
    "events.fixture-complete",
    "events lose their type",
    "call-progress",
    got(({ blocks }) => ({
      blocks: blocks.map((block) => ({ ...block, event: "other" })),
    })),
  ],
  [
    "events.fixture-order",
    "events change places",
    "sse-without-ids",
    got(({ blocks }) => ({
      blocks: blocks.toReversed(),
    })),
  ],
  [
    "events.fixture-ids",
    "ids are lost",
    "call-progress",
    got(({ blocks }) => ({
      blocks: blocks.map((block) => ({ ...block, id: block.data === "" ? block.id : null })),
    })),
  ],
  [
    "events.fixture-ids",
    "two events get one id",
    "call-progress",
    got(({ blocks }) => ({
      blocks: blocks.map((block) => ({ ...block, id: "1" })),
    })),
  ],
  [
    "events.fixture-clean-end",
    "an end becomes a break",
    "call-progress",
    got((_, { plan }) => plan.isStream ? { end: "cut" } : {}),
  ],
  [
    "streaming.fixture-head",
    "the head waits",
    "call-progress",
    outcomes(({ plan }) => ({
      headLate: plan.isStream,
    })),
  ],
  [
    "streaming.fixture-first-event",
    "events wait",
    "call-progress",
    outcomes(({ plan }) => ({ blocksLate: plan.isStream ? [1, 2] : [] })),
  ],
  [
    "sessions.fixture-translated",
    "the server gets another session id",
    "call-progress",
    (transcript) =>
      arrived(({ fields }) => ({
        fields: fields.map(([name, value]) => [name, name === "mcp-session-id" ? "other" : value]),
      }))({
        ...transcript,
        sessions: transcript.sessions.map((session) => ({ ...session, server: "the-servers-own" })),
      }),
  ],
  [
    "privacy.fixture-ids",
    "the server's id stands in a field",
    "call-progress",
    (transcript) =>
      got(({ fields }) => ({
        fields: [...fields, ["x-session", transcript.sessions[0]!.server]],
      }))(translated(transcript)),
  ],
  [
    "privacy.fixture-ids",
    "the client's id stands in a body",
    "call-progress",
    (transcript) =>
      arrived(({ fields }) => ({ fields: [...fields, ["x-session", "the-clients-own"]] }))(
        translated(transcript),
      ),
  ],
  [
    "cancellation.fixture-abort",
    "the server's stream stays open",
    "2026-07-28/leave-subscription",
    outcomes(({ cutAfterLeaving }) => cutAfterLeaving ? { cutAfterLeaving: false } : undefined),
  ],
  [
    "faults.fixture-truncation",
    "a break becomes an end",
    "server-breaks-off",
    got(({ end }) => ({
      end: end === "cut" ? "complete" : end,
    })),
  ],
];

Deno.test("each judgement tells of its own fault, and no other does", async (t) => {
  await using mock = await MockUpstream.listen();
  for (const [check, what, name, change] of FAULTS) {
    await t.step(`${check}: ${what}`, async () => {
      const path = name.includes("/") ? name : `2025-11-25/${name}`;
      const transcript = await playDirectly(await readFixture(`${FIXTURES}/${path}`), mock);
      const before = new Set(failed(judgeAll(transcript)).map((text) => text.split(":")[0]));
      const after = failed(judgeAll(change(transcript))).map((text) => text.split(":")[0]!);
      const isNew = (id: string) => id === check || !before.has(id);
      assertEquals([...new Set(after.filter(isNew))], [check]);
    });
  }
  const proven = new Set(FAULTS.map(([check]) => check));
  assertEquals(JUDGEMENTS.map(({ id }) => id).filter((id) => !proven.has(id)), []);
});

/**
 * A proxy for HTTP+SSE that answers each POST itself, sends one on when the server has answered the one before,
 * and takes its time to end the stream of a client that has left.
 */
function lateRelay(server: string) {
  const origin = `http://${server}`;
  const ends: string[] = [];
  const over = new AbortController();
  let sent: Promise<unknown> = Promise.resolve();
  const relay = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    const url = origin + pathname + search;
    if (method === "POST") {
      const body = await request.bytes();
      sent = sent.then(async () => {
        const answer = await fetch(url, { method, headers, body, signal: over.signal });
        await answer.body?.cancel();
      });
      return new Response(null, { status: 202 });
    }
    const control = new AbortController();
    const answer = await fetch(url, { headers, signal: control.signal });
    const reader = answer.body!.getReader();
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { value } = await reader.read();
        if (value !== undefined) return controller.enqueue(value);
        ends.push("the server");
      },
      cancel() {
        setTimeout(() => {
          ends.push("the client");
          control.abort();
        }, LEAVES_LATE_MS);
      },
    });
    return new Response(body, { headers: answer.headers });
  });
  return {
    origin: `http://127.0.0.1:${relay.addr.port}`,
    ends,
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await sent.catch(() => {});
      await relay.shutdown();
    },
  };
}

/** How long that relay takes: long enough for the server's end to come first, if there is one. */
const LEAVES_LATE_MS = 100;

Deno.test("a proxy that answers HTTP+SSE by itself gets every answer of the server, and may end first", async () => {
  await using mock = await MockUpstream.listen();
  await using relay = lateRelay(mock.host);
  const target = { url: new URL(`${relay.origin}/mcp`), sseUrl: new URL(`${relay.origin}/sse`) };
  await using context = new Context({ target, mock, patienceMs: 2_000 });
  const fixture = await readFixture(`${FIXTURES}/2024-11-05/http-sse-errors`);
  const verdicts = judgeAll(await play(fixture, context));
  assertEquals(failed(verdicts).filter((text) => !text.startsWith("sessions.")), []);
  assertEquals(relay.ends, ["the client"]);
});

Deno.test("a stream that is opened again when its replay is over is refused for good, and no session begun anew", async () => {
  await using mock = await MockUpstream.listen();
  const fixture = await readFixture(`${FIXTURES}/2025-11-25/list-changed`);
  await playDirectly(fixture, mock);
  const stream = await fetch(`http://${mock.host}/mcp`, {
    headers: { accept: "text/event-stream" },
  });
  assertEquals([stream.status, await stream.json()], [405, { error: "this session is over" }]);
});

Deno.test("a stream that the proxy resumes before its client does is the one that the client resumes", async () => {
  await using mock = await MockUpstream.listen();
  await using proxy = await startOwnProxy(`http://${mock.host}/mcp`);
  await using context = new Context({ target: proxy.target, mock, patienceMs: 5_000 });
  const fixture = await readFixture(`${FIXTURES}/2025-11-25/resume-get-stream`);
  const conductor = new Conductor(planOf(fixture), context);
  mock.use((request, reply) => conductor.serve(request, reply));
  const resumed = mock.arrival((request) => request.field("last-event-id") !== undefined);
  const left = fixture.entries.findIndex(({ from, type }) => from === "client" && type === "abort");
  for (const [at, entry] of fixture.entries.entries()) {
    await conductor.step(entry);
    if (at === left) await resumed;
  }
  await conductor.close();
  assertEquals(failed(judgeAll(conductor.transcript())), []);
});

Deno.test("recorded times can be kept, scaled", async () => {
  await using mock = await MockUpstream.listen();
  const fixture = await readFixture(`${FIXTURES}/2025-11-25/ping`);
  const target = {
    url: new URL(`http://${mock.host}/mcp`),
    sseUrl: new URL(`http://${mock.host}/`),
  };
  await using context = new Context({ target, mock, patienceMs: 5_000 });
  const startedMs = performance.now();
  await play(fixture, context, { timeScale: 0.5 });
  const recordedMs = fixture.entries.at(-1)!.at;
  assertEquals(performance.now() - startedMs >= recordedMs * 0.5 - 1, true);
});
