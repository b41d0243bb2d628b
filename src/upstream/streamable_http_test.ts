import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { Fields, NEVER_ABORTED, ReadFields } from "../http/mod.ts";
import { heldBody } from "./held_body.ts";
import type { HttpRequest } from "./http_client.ts";
import { encodeRequest } from "./http1/request.ts";
import { streamableHttpUpstream } from "./streamable_http.ts";
import type { UpstreamAnswer, UpstreamCall } from "./upstream.ts";

const BODY = new TextEncoder().encode("{}");
const TIMEOUTS = { headersMs: 1, totalMs: 1, bodyIdleMs: 1, streamIdleMs: 1 };

const OPTIONS = {
  path: "/mcp",
  query: "",
  headers: {},
  forwardCredentials: false,
  withheld: [],
  timeouts: TIMEOUTS,
};

/** An upstream whose requests are kept as they would go on the wire. */
function upstreamWith(headers: Record<string, string>) {
  const sent: string[] = [];
  const client = {
    send(request: HttpRequest) {
      const [bytes] = encodeRequest(request, "server");
      sent.push(new TextDecoder().decode(bytes));
      const fields = new Fields(["content-type", "application/json"]);
      return Promise.resolve({ status: 200, fields, body: heldBody(new Uint8Array()) });
    },
    close: () => Promise.resolve(),
  };
  return { sent, upstream: streamableHttpUpstream(client, { ...OPTIONS, headers }) };
}

function keptFields(...list: string[]): ReadFields {
  const fields = new ReadFields(["host", "proxy", "content-type", "application/json", ...list]);
  fields.keep();
  return fields;
}

function call(headers: ReadFields, given: Partial<UpstreamCall>): UpstreamCall {
  return {
    era: "session",
    headers,
    principal: "p",
    query: "",
    signal: NEVER_ABORTED,
    ...given,
  } as UpstreamCall;
}

Deno.test("R77 fields that come again go out in the session of their call, and to each server as configured", async () => {
  const one = upstreamWith({ "X-Key": "one" });
  const other = upstreamWith({ "X-Key": "other" });
  const headers = keptFields("last-event-id", "e");
  const given: [typeof one, Partial<UpstreamCall>, string][] = [];
  for (const sessionId of ["a", "a", "b", undefined, "a"]) {
    for (const lastEventId of [undefined, null, "own"]) {
      for (const server of [one, other, other, one]) {
        const expected = [
          "POST /mcp HTTP/1.1\r\nhost: server\r\ncontent-type: application/json\r\n",
          lastEventId === undefined ? "last-event-id: e\r\n" : "",
          lastEventId === "own" ? "last-event-id: own\r\n" : "",
          sessionId === undefined ? "" : `mcp-session-id: ${sessionId}\r\n`,
          "accept: application/json, text/event-stream\r\naccept-encoding: identity\r\n",
          `x-key: ${server === one ? "one" : "other"}\r\ncontent-length: 2\r\n\r\n{}`,
        ];
        const more = lastEventId === undefined ? { sessionId } : { sessionId, lastEventId };
        given.push([server, more, expected.join("")]);
      }
    }
  }
  for (const [{ upstream, sent }, more, expected] of given) {
    await upstream.exchange(call(headers, more), BODY);
    assertEquals(sent.at(-1), expected);
    // The stream that answers a POST is taken up with the fields of that POST.
    await upstream.listen(call(headers, more));
    assertEquals(/\naccept: (.*)\r/.exec(sent.at(-1)!)?.[1], "text/event-stream");
  }
});

Deno.test("R15 a configured field replaces what the client sent, under an underscored name as well", async () => {
  const { upstream, sent } = upstreamWith({ "X-User": "proxy" });
  const headers = new Fields(["x-user", "a", "x_user", "admin", "x-mine", "b"]);
  await upstream.exchange({ ...call(keptFields(), {}), headers }, BODY);
  assertEquals(sent[0]!.match(/^x.*$/gm), ["x-mine: b", "x-user: proxy"]);
});

Deno.test("R16 an id that cannot be written is refused each time, and none goes out in its place", async () => {
  const { upstream, sent } = upstreamWith({});
  const headers = keptFields();
  const ask = (sessionId: string) => upstream.exchange(call(headers, { sessionId }), BODY);
  await ask("good");
  for (let count = 0; count < 2; count++) await assertRejects(async () => await ask("bad\r\nx: y"));
  await ask("good");
  assertEquals(sent.map((text) => /mcp-session-id: (.*)\r/.exec(text)?.[1]), ["good", "good"]);
});

Deno.test("JSON with status 200 is told as soon as it is whole, and nothing else", async () => {
  const given = [
    [200, "application/json", true],
    [200, "application/json; charset=utf-8", true],
    [200, "text/event-stream", false],
    [200, "text/html", false],
    [202, "application/json", false],
    [404, "application/json", false],
  ] as const;
  for (const [status, type, isTold] of given) {
    const fields = new Fields(["content-type", type, "mcp-session-id", "up", "keep-alive", "x"]);
    const client = {
      send(request: HttpRequest) {
        const answer = { status, fields, body: heldBody(BODY) };
        request.onWhole?.(answer);
        return Promise.resolve(answer);
      },
      close: () => Promise.resolve(),
    };
    const upstream = streamableHttpUpstream(client, OPTIONS);
    const told: UpstreamAnswer[] = [];
    const answer = await upstream.exchange(call(keptFields(), {}), BODY, (whole) => {
      told.push(whole);
    });
    assertEquals(told.length, isTold ? 1 : 0, `${status} ${type}`);
    if (isTold) assertStrictEquals(told[0], answer);
    assertEquals([answer.sessionId, answer.headers.list], ["up", ["content-type", type]]);
  }
});
