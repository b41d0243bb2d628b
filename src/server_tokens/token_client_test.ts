/**
 * What goes out with the proxy's token, and what becomes of an answer that refuses it.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { Fields, NEVER_ABORTED } from "../http/mod.ts";
import * as serverToken from "../testing/server_token.ts";
import { heldBody, type HttpAnswer, type HttpClient, type HttpRequest } from "../upstream/mod.ts";
import { tokenClient } from "./token_client.ts";

const { REFUSED, under } = serverToken;

function bytesOf(value: unknown) {
  return new TextEncoder().encode(JSON.stringify(value));
}

const CALL = { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "pay" } };

const TIMEOUTS = { headersMs: 1, totalMs: 1, bodyIdleMs: 1, streamIdleMs: 1 };
const REQUEST: HttpRequest = {
  method: "POST",
  path: "/mcp",
  fields: ["accept", "x/y"],
  lines: "accept: x/y\r\n",
  body: new Uint8Array([1, 2, 3]),
  signal: NEVER_ABORTED,
  timeouts: TIMEOUTS,
};

/** A client that answers with these statuses in turn, a 403 for want of ever other scopes. */
function scripted(...statuses: number[]) {
  const sent: HttpRequest[] = [];
  const bodies: HttpAnswer["body"][] = [];
  let closed = 0;
  const client: HttpClient = {
    send(request) {
      sent.push(request);
      const body = heldBody(new Uint8Array([9]));
      bodies.push(body);
      const answer = { status: statuses[sent.length - 1]!, fields: fieldsOf(sent.length), body };
      request.onWhole?.(answer);
      return Promise.resolve(answer);
    },
    close: () => Promise.resolve(void closed++),
  };
  return { client, sent, bodies, isClosed: () => closed === 1 };
}

function fieldsOf(number: number): Fields {
  const challenge = `Bearer error="insufficient_scope", scope="s${number}"`;
  return new Fields(["www-authenticate", challenge]);
}

Deno.test("tokenClient() sends a request once more for each of the two reasons, and not again", () =>
  under(async ({ source, issuer }) => {
    const { client, sent } = scripted(403, 401, 403);
    const error = await assertRejects(() => tokenClient(client, source).send(REQUEST), ProxyError);
    assertEquals([error.kind, sent.length, issuer.requests.length], [
      "server_access_refused",
      3,
      3,
    ]);
  }));

Deno.test("tokenClient() adds the token to the fields and to their text, and changes nothing else", () =>
  under(async ({ source }) => {
    const { client, sent, isClosed } = scripted(200, 200);
    const guarded = tokenClient(client, source);
    await guarded.send(REQUEST);
    await guarded.send({ ...REQUEST, lines: undefined, fresh: true });
    const fields = ["accept", "x/y", "authorization", "Bearer canary-token-1"];
    const lines = "accept: x/y\r\nauthorization: Bearer canary-token-1\r\n";
    assertEquals(sent.map(({ onWhole: _, ...request }) => request), [
      { ...REQUEST, fields, lines },
      { ...REQUEST, fields, lines: undefined, fresh: true },
    ]);
    await guarded.close();
    assert(isClosed());
  }));

Deno.test("tokenClient() sends the very same body again, once, and gives the first answer up", () =>
  under(async ({ source }) => {
    const { client, sent, bodies } = scripted(401, 200);
    const early: number[] = [];
    const onWhole = ({ status }: HttpAnswer) => void early.push(status);
    const answer = await tokenClient(client, source).send({ ...REQUEST, onWhole });
    assertEquals([answer.status, sent.length, sent[1]!.body === REQUEST.body], [200, 2, true]);
    assertEquals(sent.map(({ fields }) => fields[3]), [
      "Bearer canary-token-1",
      "Bearer canary-token-2",
    ]);
    // Told early is what is the last word alone.
    assertEquals([early, bodies.map(({ ended }) => ended)], [[200], [true, false]]);
  }));

Deno.test("tokenClient() has no other token fetched for a probe that is refused: that is its answer", () =>
  under(async ({ source, issuer }) => {
    const { client, sent } = scripted(401);
    const answer = await tokenClient(client, source, { isProbe: true }).send(REQUEST);
    assertEquals([answer.status, sent.length, issuer.requests.length], [401, 1, 1]);
    assertEquals(source.atHand()!.value, "canary-token-1");
  }));

Deno.test("tokenClient() fails where the refusal stays, unless it is the proxy that asks how the server is", () =>
  under(async ({ source, stats }) => {
    const { client, sent, bodies } = scripted(401, 401);
    const error = await assertRejects(() => tokenClient(client, source).send(REQUEST), ProxyError);
    assertEquals([error.kind, error.retrySafe, sent.length], ["server_access_refused", true, 2]);
    assertEquals(bodies.map(({ ended }) => ended), [true, true]);
    const probe = scripted(401);
    const answer = await tokenClient(probe.client, source, { isProbe: true }).send(REQUEST);
    assertEquals([answer.status, probe.sent.length, answer.body.ended], [401, 1, false]);
    assertEquals(stats, { fetched: 2, failed: 0, refused: 2 });
  }));

Deno.test("tokenClient() sends nothing for who has gone, and a probe that is given up while it waits says nothing of the server", async () => {
  for (const isProbe of [false, true]) {
    await under(async ({ source, issuer }) => {
      const asked = Promise.withResolvers<void>();
      const given = Promise.withResolvers<undefined>();
      issuer.instead = (path) => path === "/token" ? (asked.resolve(), given.promise) : undefined;
      const { client, sent } = scripted(200);
      const gone = new AbortController();
      const request = { ...REQUEST, signal: gone.signal };
      const left = assertRejects(
        () => tokenClient(client, source, { isProbe }).send(request),
        ProxyError,
      );
      await asked.promise;
      gone.abort();
      assertEquals((await left).kind, isProbe ? "server_token_unavailable" : "client_closed");
      given.resolve(undefined);
      await source.current(NEVER_ABORTED);
      assertEquals(sent.length, 0);
    });
  }
});

type Times = [number, boolean | undefined];

/** How often a POST of `body` goes out where the first one is refused, and what its client is told. */
async function timesSent(
  body: unknown,
  refusal: Partial<Omit<HttpAnswer, "body">> & {
    readonly said?: unknown;
    readonly method?: string;
  },
): Promise<Times> {
  let found: Times = [0, undefined];
  await under(async ({ source }) => {
    let times = 0;
    const first: HttpAnswer = {
      status: refusal.status ?? 401,
      fields: refusal.fields ?? new Fields(["content-type", "application/json"]),
      body: heldBody(bytesOf(refusal.said ?? { error: "unauthorized" })),
    };
    const good = { status: 200, fields: new Fields([]), body: heldBody(new Uint8Array()) };
    const client: HttpClient = {
      send: () => Promise.resolve(++times === 1 ? first : good),
      close: () => Promise.resolve(),
    };
    const sent = { ...REQUEST, method: refusal.method ?? "POST", body: bytesOf(body) };
    const safe = await tokenClient(client, source).send(sent).then(() => undefined, (error) => {
      assertEquals(error.kind, "server_access_refused");
      assert(error.message.includes("may have been carried out"), error.message);
      return error.retrySafe as boolean;
    });
    assertEquals(first.body.ended, true);
    found = [times, safe];
    // One may be fetched behind it.
    await source.instead(source.atHand()!, REFUSED, NEVER_ABORTED);
  });
  return found;
}

const TYPE = ["content-type", "application/json"];
const CHALLENGE = ["www-authenticate", 'Bearer error="invalid_token"'];

Deno.test("R64 tokenClient() sends nothing again that may have run: what has no challenge, or is answered by its id", async () => {
  const error = { jsonrpc: "2.0", id: 7, error: { code: -32050, message: "the bank said 401" } };
  const again: Times = [2, undefined];
  const once: Times = [1, false];
  const challenged = new Fields([...TYPE, ...CHALLENGE]);
  assertEquals(await timesSent(CALL, { said: error }), once);
  assertEquals(await timesSent(CALL, {}), once);
  assertEquals(await timesSent(CALL, { fields: challenged }), again);
  assertEquals(await timesSent(CALL, { fields: new Fields(CHALLENGE) }), again);
  assertEquals(await timesSent(CALL, { fields: new Fields([]) }), once);
  assertEquals(await timesSent(CALL, { fields: challenged, said: error }), once);
  assertEquals(
    await timesSent([CALL, { ...CALL, id: 8 }], { fields: challenged, said: [error] }),
    once,
  );
  assertEquals(await timesSent(CALL, { fields: challenged, said: { ...error, id: 8 } }), again);
  assertEquals(await timesSent(CALL, { fields: challenged, said: { ...error, id: null } }), again);
  assertEquals(await timesSent(CALL, { fields: challenged, said: "x".repeat(65_536) }), once);
  const stream = new Fields(["content-type", "text/event-stream", ...CHALLENGE]);
  assertEquals(await timesSent(CALL, { fields: stream }), once);
  assertEquals(await timesSent({ jsonrpc: "2.0", id: 7, result: {} }, {}), once);
  const lacking = new Fields([
    ...TYPE,
    "www-authenticate",
    'Bearer error="insufficient_scope", scope="a"',
  ]);
  assertEquals(await timesSent(CALL, { status: 403, fields: lacking }), again);
  assertEquals(await timesSent(CALL, { status: 403, fields: lacking, said: error }), once);
});

Deno.test("tokenClient() sends again what may run twice, whatever the refusal looks like", async () => {
  const said = { jsonrpc: "2.0", id: 7, error: { code: -32000, message: "no" } };
  assertEquals(await timesSent({ ...CALL, method: "tools/list" }, { said }), [2, undefined]);
  for (const method of ["GET", "DELETE"]) {
    assertEquals(await timesSent(CALL, { said, method }), [2, undefined]);
  }
});

Deno.test("tokenClient() has another token fetched behind a refusal that proves nothing, and none where the request was answered", () =>
  under(async ({ source, issuer, told }) => {
    const post = { ...REQUEST, body: bytesOf(CALL) };
    const of = (said: unknown): HttpClient => ({
      send: () =>
        Promise.resolve({ status: 401, fields: new Fields(TYPE), body: heldBody(bytesOf(said)) }),
      close: () => Promise.resolve(),
    });
    const answered = of({
      jsonrpc: "2.0",
      id: 7,
      error: { code: 1, message: "the bank said 401" },
    });
    await assertRejects(() => tokenClient(answered, source).send(post), ProxyError);
    await told(2);
    assertEquals(issuer.requests.length, 1);
    await assertRejects(() => tokenClient(of({}), source).send(post), ProxyError);
    await issuer.wanted(2);
    await told(3);
    assertEquals((await source.current(NEVER_ABORTED)).value, "canary-token-2");
  }));
