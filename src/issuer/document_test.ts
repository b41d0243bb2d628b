/**
 * R95: what is fetched from an authorization server, over real sockets.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../clock.ts";
import { ManualClock } from "../testing/manual_clock.ts";
import { scriptedUpstream } from "../testing/scripted_upstream.ts";
import {
  DOCUMENT_TIMEOUT_MS,
  DocumentError,
  type DocumentOptions,
  fetchDocument,
  MAX_DOCUMENT_BYTES,
} from "./document.ts";

const SETTING = "auth.oauth.allowPrivateAddresses";
const PRIVATE: DocumentOptions = {
  clock: systemClock,
  allowPrivateAddresses: true,
  setting: SETTING,
};
const NEVER = new AbortController().signal;

async function failure(url: string, options: DocumentOptions): Promise<string> {
  const { message } = await assertRejects(
    () => fetchDocument(new URL(url), options, NEVER),
    DocumentError,
  );
  return message;
}

function answer(body: string, more = "", status = "200 OK"): string {
  const length = new TextEncoder().encode(body).length;
  return `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n${more}` +
    `content-length: ${length}\r\n\r\n${body}`;
}

Deno.test("fetchDocument() asks by GET for what is not coded, and reads the JSON", async () => {
  await using server = scriptedUpstream((_, to) => to.write(answer('{"keys":[]}')));
  const url = new URL(`/tenant/keys?v=1`, server.url);
  assertEquals(await fetchDocument(url, PRIVATE, NEVER), { keys: [] });
  const [request] = server.requests;
  assertEquals([request!.line, request!.field("host"), request!.field("accept-encoding")], [
    "GET /tenant/keys?v=1 HTTP/1.1",
    url.host,
    "identity",
  ]);
});

Deno.test("R95 fetchDocument() follows no redirect, and takes nothing but a JSON document of 256 KiB", async () => {
  const large = JSON.stringify("x".repeat(MAX_DOCUMENT_BYTES - 2));
  const cases = [
    [answer("", "location: http://127.0.0.1/\r\n", "302 Found"), "it answered 302"],
    [answer("{}", "", "500 Internal Server Error"), "it answered 500"],
    [answer("", "", "204 No Content").replace(/content-length.*\r\n/, ""), "it answered 204"],
    [answer("{"), "it is no JSON"],
    [answer("{}", "content-encoding: gzip\r\n"), "content coding"],
    [answer(`${large} `), "more than 262144 bytes"],
    ["rubbish\r\n\r\n", "the exchange failed (upstream_protocol)"],
  ] as const;
  let next = 0;
  await using server = scriptedUpstream((_, to) => to.write(cases[next]![0]));
  for (const [at, [, wanted]] of cases.entries()) {
    next = at;
    const message = await failure(server.url, PRIVATE);
    assertEquals([message.includes(wanted), message], [true, message]);
  }
  assertEquals(server.requests.length, cases.length);
  // What came, and is no document, is told apart from an exchange that failed.
  const statuses = [];
  for (next = 0; next < cases.length; next++) {
    const error = await assertRejects(() => fetchDocument(new URL(server.url), PRIVATE, NEVER));
    statuses.push((error as DocumentError).status);
  }
  assertEquals(statuses, [302, 500, 204, 200, 200, 200, undefined]);
  await using whole = scriptedUpstream((_, to) => to.write(answer(large)));
  assertEquals(
    ((await fetchDocument(new URL(whole.url), PRIVATE, NEVER)) as string).length,
    large.length - 2,
  );
});

Deno.test("R95 fetchDocument() dials nothing that is not of the public internet, by name or by number", async () => {
  await using server = scriptedUpstream((_, to) => to.write(answer("{}")));
  const { port } = new URL(server.url);
  const strict = { ...PRIVATE, allowPrivateAddresses: false };
  const refused = "its name resolves to an address that is not of the public internet; " +
    "auth.oauth.allowPrivateAddresses allows those";
  for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
    assertEquals(await failure(`http://${host}:${port}/`, strict), refused);
  }
  for (
    const host of ["10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"]
  ) {
    assertEquals(await failure(`https://${host}:${port}/`, strict), refused);
  }
  const names: Record<string, string[]> = {
    "inside.example.com": ["10.0.0.7"],
    "both.example.com": ["1.1.1.1", "127.0.0.1"],
    "metadata.example.com": ["169.254.169.254"],
    "six.example.com": ["fd00::1"],
  };
  const resolve = (hostname: string) => Promise.resolve(names[hostname]!);
  for (const host of Object.keys(names)) {
    assertEquals(await failure(`https://${host}:${port}/`, { ...strict, resolve }), refused);
  }
  assertEquals(server.requests.length, 0);
});

Deno.test("R95 fetchDocument() dials the very address that was looked at, and looks once", async () => {
  const hosts: (string | null)[] = [];
  // localhost leads here for who asked the resolver of the test, and nowhere for who asks the system's.
  const onListen = () => {};
  const server = Deno.serve({ hostname: "127.0.0.2", port: 0, onListen }, ({ headers }) => {
    hosts.push(headers.get("host"));
    return Response.json({});
  });
  const { port } = server.addr;
  let asked = 0;
  const resolve = () => Promise.resolve(asked++ === 0 ? ["127.0.0.2"] : ["127.0.0.1"]);
  const url = new URL(`http://localhost:${port}/`);
  assertEquals(await fetchDocument(url, { ...PRIVATE, resolve }, NEVER), {});
  assertEquals([asked, hosts], [1, [`localhost:${port}`]]);
  // The next address serves where one refuses.
  const two = () => Promise.resolve(["127.0.0.3", "127.0.0.2"]);
  assertEquals(await fetchDocument(url, { ...PRIVATE, resolve: two }, NEVER), {});
  // Four are tried.
  const many = () => Promise.resolve([...new Array(4).fill("127.0.0.3"), "127.0.0.2"]);
  assertEquals(
    await failure(url.href, { ...PRIVATE, resolve: many }),
    "the exchange failed (upstream_unreachable)",
  );
  const none = () => Promise.reject(new Error("ENOTFOUND"));
  assertEquals(
    await failure(url.href, { ...PRIVATE, resolve: none }),
    "its name cannot be resolved",
  );
  const empty = () => Promise.resolve([]);
  assertEquals(await failure(url.href, { ...PRIVATE, resolve: empty }), "its name has no address");
  await server.shutdown();
});

Deno.test("fetchDocument() has 5 seconds, also for the name, and ends with its signal", async () => {
  const clock = new ManualClock();
  const hanging = { ...PRIVATE, clock, resolve: () => new Promise<never>(() => {}) };
  const waiting = failure("http://localhost/", hanging);
  clock.advance(DOCUMENT_TIMEOUT_MS);
  assertEquals(await waiting, "it took longer than 5 seconds");
  await using silent = scriptedUpstream(() => {});
  const late = failure(silent.url, { ...PRIVATE, clock });
  await silent.received(0);
  clock.advance(DOCUMENT_TIMEOUT_MS);
  assertEquals(await late, "it took longer than 5 seconds");
  const abort = new AbortController();
  const given = assertRejects(
    () => fetchDocument(new URL(silent.url), { ...PRIVATE, clock }, abort.signal),
    DocumentError,
  );
  await silent.received(1);
  abort.abort();
  await given;
  assertEquals(clock.timers, 0);
  // Looking up a name ends for who waits, too, and none is looked up for nobody.
  let looked = 0;
  const counting = { ...hanging, resolve: () => (looked++, new Promise<never>(() => {})) };
  const now = new AbortController();
  const naming = assertRejects(
    () => fetchDocument(new URL("http://localhost/"), counting, now.signal),
    DocumentError,
    "it was given up",
  );
  now.abort();
  await naming;
  await assertRejects(
    () => fetchDocument(new URL("http://localhost/"), counting, now.signal),
    DocumentError,
    "it was given up",
  );
  assertEquals([looked, clock.timers], [1, 0]);
});
