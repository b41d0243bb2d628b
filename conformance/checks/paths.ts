/**
 * Targets and methods: what is asked, and of whom.
 *
 * @module
 */

import { MockUpstream, rpcMethod, sessionServer } from "../mock/mod.ts";
import { type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { binary } from "../wire/mod.ts";
import {
  expectRefused,
  inSession,
  isRefusal,
  marked,
  outcomeOf,
  outcomeOfRaw,
  rawText,
  reached,
  told,
} from "./probe.ts";

const BODY = marked();
const LENGTH = `content-length: ${BODY.length}`;

/** Targets that a careless reader takes for another path; `@` is the endpoint's path. */
const TRICKS: readonly string[] = [
  "@/../admin",
  "@/..",
  "@/../../admin",
  "@/./../admin",
  "@/%2e%2e/admin",
  "@/%2E%2E%2Fadmin",
  "@/..%2fadmin",
  "@/..;/admin",
  "@/..\\admin",
  "@%5c..%5cadmin",
  "//admin",
  "//evil.example@",
  "/admin/..@/../admin",
  "@%00/admin",
];

async function pathTricks(context: Context): Promise<void> {
  const session = await inSession(context);
  const usual = context.mock.requests[0]?.target;
  for (const trick of TRICKS) {
    const line = `POST ${trick.replace("@", context.target.url.pathname)} HTTP/1.1`;
    await outcomeOfRaw(context, session, { line, lines: [LENGTH], rest: BODY });
    // Read as the endpoint itself it may be served; anything else of the server's may not.
    const astray = reached(context).find(({ target }) => target !== usual);
    expect(astray === undefined, `${trick} reached the server as ${astray?.target}`);
  }
}

async function connectAndTrace(context: Context): Promise<void> {
  const session = await inSession(context);
  const { url } = context.target;
  const { host } = context.mock;
  for (const line of [`CONNECT ${host} HTTP/1.1`, `TRACE ${url.pathname} HTTP/1.1`]) {
    const text = rawText(context, session, { line, lines: ["x-secret: mark-5e1f"] });
    const outcome = await outcomeOf(context, text, line.split(" ")[0]);
    expectRefused(context, outcome, line);
    const echoed = outcome !== "closed" && outcome.text.includes("mark-5e1f");
    expect(!echoed, `${line} was answered with the request's own fields`);
  }
}

async function unknownMethods(context: Context): Promise<void> {
  const refuse = { PUT: NOT_ALLOWED, PATCH: NOT_ALLOWED, FOO: NOT_ALLOWED };
  const session = await inSession(context, refuse);
  for (const method of Object.keys(refuse)) {
    const line = `${method} ${context.target.url.pathname} HTTP/1.1`;
    const outcome = await outcomeOfRaw(context, session, { line, lines: [LENGTH], rest: BODY });
    expect(isRefusal(outcome), `${method} got ${told(outcome)}, expected 405 or 501`);
    if (outcome === "closed" || outcome.status !== 405) continue;
    expect(outcome.field("allow") !== undefined, `405 for ${method} came without Allow`);
  }
}

const NOT_ALLOWED: NonNullable<Parameters<typeof inSession>[1]>[string] = (_, reply) =>
  reply.empty(405, [["allow", "GET, POST, DELETE"]]);

async function foreignAuthority(context: Context): Promise<void> {
  const session = await inSession(context);
  await using other = await MockUpstream.listen();
  other.use(sessionServer());
  const { host, pathname } = context.target.url;
  for (const named of [host, other.host]) {
    const line = `POST http://${other.host}${pathname} HTTP/1.1`;
    const raw = { line, host: [`host: ${named}`], lines: [LENGTH], rest: BODY };
    await outcomeOfRaw(context, session, raw);
    expectEqual(other.connections, 0, "the number of connections to the host in the target");
  }
}

async function ownAuthority(context: Context): Promise<void> {
  const session = await inSession(context);
  const line = `POST ${context.target.url.href} HTTP/1.1`;
  const outcome = await outcomeOfRaw(context, session, { line, lines: [LENGTH], rest: BODY });
  expect(
    outcome !== "closed" && outcome.status === 200,
    `a target in absolute form got ${told(outcome)}, expected 200`,
  );
}

/** Fields with which some servers let a client choose path, method or host. */
const OVERRIDES: readonly string[] = [
  "x-original-url: /admin",
  "x-rewrite-url: /admin",
  "x-original-uri: /admin",
  "x-forwarded-uri: /admin",
  "x-forwarded-prefix: /admin",
  "x-forwarded-host: evil.example",
  "x-forwarded-server: evil.example",
  "x-host: evil.example",
  "forwarded: host=evil.example;proto=https",
  "x-http-method-override: DELETE",
  "x-http-method: DELETE",
  "x-method-override: DELETE",
];

async function overrides(context: Context): Promise<void> {
  const session = await inSession(context);
  await outcomeOfRaw(context, session, { lines: [LENGTH, ...OVERRIDES], rest: BODY });
  await outcomeOfRaw(context, session, { lines: [LENGTH], rest: BODY });
  const [changed, usual] = reached(context);
  expect(changed !== undefined, "a request with fields such as X-Original-URL was not served");
  const facts = (request: typeof changed | undefined) =>
    request && [request.method, request.target, request.field("host")];
  if (usual === undefined) return;
  expectEqual(facts(changed), facts(usual), "method, target and Host with X-Original-URL and such");
}

async function h2cPreface(context: Context): Promise<void> {
  const session = await inSession(context);
  const settings = "\0\0\0\x04\0\0\0\0\0";
  const goaway = "\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
  const client = await context.connect();
  await client.write(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${settings}${goaway}`);
  const said = await context.within(client.untilClosed(), "the end of an HTTP/2 connection");
  const text = binary(said);
  // The server's own preface is a SETTINGS frame, of type 4.
  const spoken = said[3] === 4;
  const refused = text === "" || /^HTTP\/1\.[01] (4\d\d|50[15]) /.test(text);
  expect(spoken || refused, `the preface of HTTP/2 got ${JSON.stringify(text.slice(0, 100))}`);
  const strays = context.mock.requests.filter((request) => rpcMethod(request) === undefined);
  expectEqual(strays.length, 0, "the number of requests at the server for a preface");
  const after = await outcomeOfRaw(context, session, { lines: [LENGTH], rest: BODY });
  expect(after !== "closed" && after.status === 200, `the next request got ${told(after)}`);
}

const RULES: readonly Omit<Scenario, "group">[] = [
  {
    id: "transport.path-tricks",
    title: "No spelling of a path gets another path of the server",
    source: "RFC 3986 section 6.2.2, RFC 9110 section 17.3; CVE-2026-29791; R13",
    run: pathTricks,
  },
  {
    id: "transport.connect-and-trace",
    title: "CONNECT and TRACE are refused",
    source: "RFC 9110 sections 9.3.6 and 9.3.8; R12",
    run: connectAndTrace,
  },
  {
    id: "transport.unknown-methods",
    title: "A method that MCP does not use is refused, and 405 says what may be used",
    source: "RFC 9110 sections 9.1 and 15.5.6",
    run: unknownMethods,
  },
  {
    id: "transport.absolute-form-foreign",
    title: "A host that a client names in the target is never called",
    source: "RFC 9112 section 3.2.2; R10",
    run: foreignAuthority,
  },
  {
    id: "transport.absolute-form-own",
    title: "A target in absolute form that names the proxy itself is served",
    source: "RFC 9112 section 3.2.2; R10",
    run: ownAuthority,
  },
  {
    id: "transport.override-fields",
    title: "Fields such as X-Original-URL do not change method, target or Host at the server",
    source: "RFC 9110 section 17.1; R20",
    run: overrides,
  },
  {
    id: "transport.http2-preface",
    title: "HTTP/2 without TLS is spoken or refused, and nothing between",
    source: "RFC 9113 section 3.4; R18, R19",
    run: h2cPreface,
  },
];

/** The checks of targets and methods. */
export const PATHS: readonly Scenario[] = RULES.map((rule) => ({ ...rule, group: "transport" }));
