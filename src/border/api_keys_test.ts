/**
 * R91, R93, R94, R96: callers with and without API keys, over a real socket.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { hashOfKey } from "../auth/mod.ts";
import * as messages from "../testing/messages.ts";
import { type TestProxy, withProxy } from "../testing/proxy.ts";
import { exchange, jsonPost, postText, type RawResponse } from "../testing/raw_client.ts";
import {
  jsonAnswer,
  type ScriptedUpstream,
  scriptedUpstream,
} from "../testing/scripted_upstream.ts";

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const KEY = "sy_canary-of-ci-0123456789012345678901234567";
const OTHER_KEY = "sy_canary-of-ops-012345678901234567890123456";
const KEYS = [
  { name: "ci", sha256: hashOfKey(KEY) },
  { name: "ops", sha256: hashOfKey(OTHER_KEY) },
];

/** How a key is sent: the setting, and the field that holds it. */
interface Form {
  readonly name: string;
  readonly auth: { readonly header?: string; readonly keys: typeof KEYS };
  field(key: string): Record<string, string>;
}

const BEARER: Form = {
  name: "Authorization: Bearer",
  auth: { keys: KEYS },
  field: (key) => ({ authorization: `Bearer ${key}` }),
};

const OWN_FIELD: Form = {
  name: "a field of its own",
  auth: { header: "X-Caller", keys: KEYS },
  field: (key) => ({ "x-caller": key }),
};

const FORMS: readonly Form[] = [BEARER, OWN_FIELD];

interface Guarded {
  readonly proxy: TestProxy;
  readonly upstream: ScriptedUpstream;
}

async function withKeys(
  form: Form,
  test: (guarded: Guarded) => Promise<void>,
  { config = {}, upstreamConfig = {} }: Record<string, Record<string, unknown>> = {},
): Promise<void> {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(RESULT)));
  await withProxy(
    { upstream: upstream.url, config: { auth: form.auth, ...config }, upstreamConfig },
    (proxy) => test({ proxy, upstream }),
  );
}

const METHODS = ["POST", "GET", "DELETE"] as const;

function send(
  proxy: TestProxy,
  method: typeof METHODS[number],
  fields: Record<string, string>,
  path = "/mcp",
): Promise<RawResponse> {
  if (method === "POST") return exchange(proxy.origin, jsonPost(messages.ping(), fields, path));
  const accept = "application/json, text/event-stream";
  const lines = Object.entries({ host: "localhost", accept, ...fields })
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return exchange(proxy.origin, `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
}

for (const form of FORMS) {
  for (const httpServer of ["switchyard", "deno"]) {
    Deno.test(`R91 R94 no key and a wrong key are a 401 on every method, the right one passes (${form.name}, ${httpServer})`, () =>
      withKeys(form, async ({ proxy, upstream }) => {
        for (const method of METHODS) {
          const wrong: Record<string, string>[] = [
            {},
            form.field("sy_nobody"),
            form.field(KEYS[0]!.sha256),
            form.field(""),
            // A session, whoever has its id, is no proof of who calls.
            { "mcp-session-id": "x" },
          ];
          for (const fields of wrong) {
            const refused = await send(proxy, method, fields);
            assertEquals([method, fields, refused.status], [method, fields, 401]);
            assertEquals(JSON.parse(refused.text).error.code, -31401);
            assertStringIncludes(refused.headers.get("www-authenticate")!, 'realm="switchyard"');
          }
        }
        assertEquals(upstream.requests.length, 0);
        assertEquals((await send(proxy, "POST", form.field(KEY))).status, 200);
        // R81: who may call, and names no session to end.
        assertEquals((await send(proxy, "DELETE", form.field(KEY))).status, 400);
        // The scripted answer is no event stream, which the proxy says of the upstream, not of the caller.
        assertEquals((await send(proxy, "GET", form.field(KEY))).status, 502);
        assertEquals(upstream.requests.map(({ line }) => line.split(" ")[0]), [
          "POST",
          "GET",
        ]);
      }, { config: { httpServer } }));
  }

  Deno.test(`R93 the key never reaches the upstream, whatever is forwarded (${form.name})`, async () => {
    for (const credentials of ["drop", "forward"]) {
      await withKeys(form, async ({ proxy, upstream }) => {
        const mine = form === OWN_FIELD ? { authorization: "Bearer for-the-server" } : {};
        const more = { ...mine, cookie: "a=b", x_caller: KEY, "x-kept": "1" };
        // Naming the field in Connection neither hides it from the proxy nor saves it.
        const nominating = { connection: `keep-alive, ${Object.keys(form.field(KEY))[0]}` };
        for (const connection of [{}, nominating]) {
          const fields = { ...more, ...form.field(KEY), ...connection };
          assertEquals((await postText(proxy.origin, messages.ping(), fields)).status, 200);
          const arrived = upstream.requests.at(-1)!.fields;
          const got = new Map(arrived);
          assertEquals(got.get("x-kept"), "1");
          const isForwarded = credentials === "forward";
          assertEquals(got.get("cookie"), isForwarded ? "a=b" : undefined);
          assertEquals(got.get("authorization"), isForwarded ? mine.authorization : undefined);
          assertEquals(got.has("x-caller"), false);
          if (form === OWN_FIELD) assert(!JSON.stringify(arrived).includes(KEY));
        }
        assertEquals(upstream.requests.length, 2);
      }, { upstreamConfig: { credentials } });
    }
  });

  Deno.test(`R96 log lines name the caller, and hold neither key nor hash (${form.name})`, () =>
    withKeys(form, async ({ proxy }) => {
      await postText(proxy.origin, messages.ping(), form.field(KEY));
      await postText(proxy.origin, "{", form.field(OTHER_KEY));
      await postText(proxy.origin, messages.ping(), form.field("sy_canary-nobody"));
      await postText(proxy.origin, messages.ping());
      const lines = proxy.logs.map((line) => JSON.parse(line));
      const requests = lines.filter(({ message }) => message === "request");
      assertEquals(requests.map(({ status, principal }) => [status, principal]), [
        [200, "ci"],
        [400, "ops"],
        [401, undefined],
        [401, undefined],
      ]);
      const text = proxy.logs.join("\n");
      for (const secret of ["canary", ...KEYS.map(({ sha256 }) => sha256.slice(0, 16))]) {
        assert(!text.includes(secret), secret);
      }
    }));
}

Deno.test("without keys all are one, Authorization means nothing, and no line names a caller", async () => {
  await using upstream = scriptedUpstream((_, to) => to.write(jsonAnswer(RESULT)));
  await withProxy({ upstream: upstream.url }, async (proxy) => {
    for (const fields of [{}, { authorization: "Bearer x" }]) {
      assertEquals((await postText(proxy.origin, messages.ping(), fields)).status, 200);
    }
    assert(!proxy.logs.join().includes("principal"));
  });
});

Deno.test("a caller without a key learns nothing of routes; the door comes first", () =>
  withKeys(BEARER, async ({ proxy }) => {
    const [known, unknown] = await Promise.all(
      ["/mcp", "/nowhere"].map((path) => send(proxy, "POST", {}, path)),
    );
    assertEquals([known!.status, known!.text], [401, unknown!.text]);
    assertEquals((await send(proxy, "POST", BEARER.field(KEY), "/nowhere")).status, 404);
    assertEquals((await send(proxy, "POST", { host: "evil.test" })).status, 403);
    assertEquals((await send(proxy, "POST", { origin: "https://evil.test" })).status, 403);
  }));

Deno.test("a preflight needs no key, is the same on every path, and a page can read the 401", () =>
  withKeys(OWN_FIELD, async ({ proxy, upstream }) => {
    const origin = "http://localhost:1";
    const ask = (path: string) =>
      exchange(
        proxy.origin,
        `OPTIONS ${path} HTTP/1.1\r\nhost: localhost\r\norigin: ${origin}\r\n` +
          "access-control-request-method: POST\r\naccess-control-request-headers: x-caller\r\n\r\n",
      );
    const [known, unknown] = [await ask("/mcp"), await ask("/nowhere")];
    assertEquals([known.status, known.headers.get("access-control-allow-headers")], [
      204,
      "x-caller",
    ]);
    assertEquals(
      [...known.headers].filter(([name]) => name !== "date"),
      [
        ...unknown.headers,
      ].filter(([name]) => name !== "date"),
    );
    const refused = await send(proxy, "POST", { origin });
    assertEquals([refused.status, refused.headers.get("access-control-allow-origin")], [
      401,
      origin,
    ]);
    assertEquals(upstream.requests.length, 0);
  }));

Deno.test("R91 a body is not waited for where the key is missing", () =>
  withKeys(BEARER, async ({ proxy }) => {
    const head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n" +
      "accept: application/json, text/event-stream\r\ncontent-length: 1000\r\n\r\n";
    assertEquals((await exchange(proxy.origin, head)).status, 401);
  }));

Deno.test("rate_limit by principal counts each caller apart, whatever key it shows", async () => {
  const second = "sy_second-key-of-ci";
  const keys = [...KEYS, { name: "ci", sha256: hashOfKey(second) }];
  const interceptors = [{
    use: "rate_limit",
    options: { burst: 1, perSecond: 0.001, by: "principal" },
  }];
  await withKeys(
    { ...BEARER, auth: { keys } },
    async ({ proxy }) => {
      const isLimited = async (key: string) => {
        const { text } = await postText(proxy.origin, messages.ping(), BEARER.field(key));
        return JSON.parse(text).error?.code === -31429;
      };
      assertEquals([await isLimited(KEY), await isLimited(second)], [false, true]);
      assertEquals([await isLimited(OTHER_KEY), await isLimited(OTHER_KEY)], [false, true]);
    },
    { config: { interceptors } },
  );
});
