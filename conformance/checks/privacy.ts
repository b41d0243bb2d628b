/**
 * What must not get from one side to the other. Whether `Mcp-Session-Id` itself is translated is for
 * `sessions.ts`; here it is looked for everywhere else.
 *
 * @module
 */

import { type MockRequest, type MockScript, modernServer } from "../mock/mod.ts";
import {
  type Answer,
  type Call,
  callRequest,
  type Context,
  expect,
  initializeRequest,
  type Scenario,
} from "../suite/mod.ts";
import { WireError } from "../wire/mod.ts";
import {
  byKey,
  expectWorks,
  modernByKey,
  modernCall,
  rawThenClose,
  sessionCall,
  StrictSessions,
} from "./upstreams.ts";

const PASSTHROUGH = "2026-07-28 basic/authorization/security-considerations " +
  '"Access Token Privilege Restriction"; 2025-11-25 basic/authorization, the same';
const INTERMEDIARIES = "RFC 9110 17.2";
const SESSION_ID = "mcp-session-id";

/** A credential that stands nowhere else. */
const CANARY = "canary-3f9d2b7c61";

/** Where a text stands in an answer, the session id aside; undefined where it does not. */
function placeInAnswer({ fields, text }: Answer, secret: string): string | undefined {
  return placeIn(fields, text, secret);
}

/** Where a text stands in a request that reached the server, the session id aside. */
function placeInRequest({ fields, target, text }: MockRequest, secret: string): string | undefined {
  if (target.includes(secret)) return `the target ${target}`;
  return placeIn(fields, text, secret);
}

function placeIn(
  fields: readonly (readonly [string, string])[],
  text: string,
  secret: string,
): string | undefined {
  const field = fields.find(([name, value]) => name !== SESSION_ID && value.includes(secret));
  if (field !== undefined) return `the field ${field[0]}: ${field[1]}`;
  return text.includes(secret) ? `the body ${text.slice(0, 300)}` : undefined;
}

/** Fails where a text stands in an answer. */
function expectNotIn(answer: Answer, secret: string, what: string): void {
  const place = placeInAnswer(answer, secret);
  expect(place === undefined, `${what} reached the client in ${place}`);
}

/** Fails where a text stands in any request that reached the server. */
function expectNeverUpstream(context: Context, secret: string, what: string): void {
  for (const request of context.mock.requests) {
    const place = placeInRequest(request, secret);
    expect(place === undefined, `${what} reached the server with ${request.method} in ${place}`);
  }
}

/** What happens to calls in a session that is looked through for ids. */
const FATES: Readonly<Record<string, MockScript>> = {
  stream: async (_, reply) => {
    await reply.stream();
    await reply.event({ data: { jsonrpc: "2.0", id: 1, result: {} } });
    await reply.end();
  },
  error: (_, reply) => reply.json({ error: "no" }, 500),
  page: (_, reply) => reply.whole(503, [["content-type", "text/html"]], "<p>no</p>"),
  reset: (_, reply) => reply.reset(),
  garbage: rawThenClose("no HTTP\r\n\r\n"),
};

/** The answer to a call, or nothing where there is none: that reveals nothing either. */
async function answerIfAny(context: Context, call: Call): Promise<readonly Answer[]> {
  try {
    return [await context.send(call)];
  } catch (error) {
    if (error instanceof WireError) return [];
    throw error;
  }
}

/** Uses a session in every way, also after it has ended, and gives all answers. */
async function wholeSession(
  context: Context,
): Promise<{ serverId: string; clientId: string; answers: readonly Answer[] }> {
  const server = new StrictSessions(undefined, { "tools/call": byKey(FATES) });
  context.mock.use(server.script);
  const first = await context.send({ body: initializeRequest("2025-11-25") });
  const clientId = first.field(SESSION_ID);
  const serverId = [...server.known][0];
  expect(clientId !== undefined && serverId !== undefined, "initialize opened no session");
  const fields = { [SESSION_ID]: clientId, "mcp-protocol-version": "2025-11-25" };
  const session = { id: clientId, revision: "2025-11-25", fields };
  const calls: readonly Call[] = [
    { body: { jsonrpc: "2.0", method: "notifications/initialized" }, fields },
    ...["other", ...Object.keys(FATES)].map((key) => sessionCall(session, key)),
    { method: "GET", fields },
    { method: "DELETE", fields },
    { body: callRequest(2, {}), fields },
  ];
  const answers = [first];
  for (const call of calls) answers.push(...await answerIfAny(context, call));
  return { serverId, clientId, answers };
}

const IDS: readonly Scenario[] = [
  {
    id: "privacy.server-session-id-stays-upstream",
    group: "privacy",
    title: "the server's session id stands in no other field and no body that a client gets",
    source: "R77",
    revisions: ["2025-11-25"],
    async run(context) {
      const { serverId, answers } = await wholeSession(context);
      for (const answer of answers) expectNotIn(answer, serverId, "the server's session id");
    },
  },
  {
    id: "privacy.client-session-id-stays-downstream",
    group: "privacy",
    title: "the client's session id stands in no other field, target or body that a server gets",
    source: "R77",
    revisions: ["2025-11-25"],
    async run(context) {
      const { clientId } = await wholeSession(context);
      expectNeverUpstream(context, clientId, "the client's session id");
    },
  },
];

/** The check of a credential of the client's that must not go upstream, in either era. */
function credential(
  id: string,
  title: string,
  source: string,
  field: Readonly<Record<string, string>>,
): Scenario {
  return {
    id,
    group: "privacy",
    title,
    source,
    async run(context) {
      const server = new StrictSessions();
      const modern = modernServer();
      context.mock.use((request, reply) =>
        request.field("mcp-protocol-version") === "2026-07-28"
          ? modern(request, reply)
          : server.script(request, reply)
      );
      const call = modernCall(context, "modern");
      // A proxy may ask for a credential of its own and refuse this one; that is no matter here.
      await context.send({ ...call, fields: { ...call.fields, ...field } });
      const opened = await context.send({ body: initializeRequest("2025-11-25"), fields: field });
      const sessionId = opened.field(SESSION_ID);
      const fields = { ...field, "mcp-protocol-version": "2025-11-25" };
      const later = sessionId === undefined ? fields : { ...fields, [SESSION_ID]: sessionId };
      await context.send({ body: callRequest(1, { key: "session" }), fields: later });
      await context.send({ method: "GET", fields: later });
      await context.send({ method: "DELETE", fields: later });
      expectNeverUpstream(context, CANARY, `the client's ${Object.keys(field)[0]}`);
    },
  };
}

const CREDENTIALS: readonly Scenario[] = [
  credential(
    "privacy.authorization-not-passed-through",
    "the token of a client, which was issued for the proxy, does not go upstream",
    `${PASSTHROUGH}, R93`,
    { authorization: `Bearer ${CANARY}` },
  ),
  credential(
    "privacy.cookies-not-passed-through",
    "the cookies of a client, which the proxy's origin was given, do not go upstream",
    "RFC 6265 8.5, R93",
    { cookie: `session=${CANARY}` },
  ),
  credential(
    "privacy.proxy-credentials-not-passed-through",
    "credentials that are meant for a proxy do not go upstream",
    "RFC 9110 11.7.2",
    { "proxy-authorization": `Basic ${CANARY}` },
  ),
];

/** The text of a server's failure that names what nobody outside should know. */
const PAGE = [
  "<h1>Internal Server Error</h1><pre>TypeError: connect ECONNREFUSED",
  "    at Pool.query (/srv/mcp-internal/node_modules/pg/pool.js:45:11)",
  "    at db7.internal.example:5432</pre>",
].join("\n");

const INNARDS = ["/srv/mcp-internal", "db7.internal.example", "pool.js"];

/** The check of what a client gets where a call fails in this way. */
function failure(
  id: string,
  title: string,
  script: MockScript,
  secrets: (context: Context) => readonly string[],
  source = `${INTERMEDIARIES}, R99`,
): Scenario {
  return {
    id,
    group: "privacy",
    title,
    source,
    revisions: ["2026-07-28"],
    async run(context) {
      context.mock.use(modernByKey({ [CANARY]: script }));
      const call = modernCall(context, CANARY);
      const fields = { ...call.fields, authorization: `Bearer ${CANARY}` };
      for (const answer of await answerIfAny(context, { ...call, fields })) {
        for (const secret of secrets(context)) expectNotIn(answer, secret, `"${secret}"`);
      }
      await expectWorks(context, (key) => modernCall(context, key), "afterwards");
    },
  };
}

/** How an error may name the server: its port alone stands nowhere else. */
const addresses = ({ mock }: Context) => [mock.host, `:${new URL(`http://${mock.host}`).port}`];

const FAILURES: readonly Scenario[] = [
  failure(
    "privacy.stack-traces-in-html",
    "a page with a stack trace and host names does not reach a client",
    (_, reply) => reply.whole(500, [["content-type", "text/html"]], PAGE),
    () => INNARDS,
  ),
  failure(
    "privacy.stack-traces-in-json",
    "nor does JSON that is no JSON-RPC with a stack trace and host names",
    (_, reply) => reply.json({ error: "oops", stack: PAGE }, 500),
    () => INNARDS,
  ),
  failure(
    "privacy.closed-connection-names-no-address",
    "the error for a server that closes the connection does not name its address",
    (_, reply) => reply.close(),
    addresses,
  ),
  failure(
    "privacy.garbage-names-no-address",
    "the error for a server that speaks no HTTP names neither its address nor what it said",
    rawThenClose("SSH-2.0-OpenSSH_9.9 build-db7\r\n\r\n"),
    (context) => [...addresses(context), "OpenSSH", "build-db7"],
  ),
  failure(
    "privacy.redirect-names-no-address",
    "a redirect to an inner host does not tell the client of it",
    (_, reply) => reply.empty(302, [["location", "http://db7.internal.example/admin"]]),
    () => ["db7.internal.example"],
    `${INTERMEDIARIES}, R70, R99`,
  ),
  failure(
    "privacy.errors-repeat-no-secrets",
    "an error of the proxy's repeats neither the client's token nor its arguments",
    (_, reply) => reply.reset(),
    () => [CANARY],
    "RFC 9110 17.7, R96",
  ),
];

/** The checks of privacy. */
export const PRIVACY: readonly Scenario[] = [...IDS, ...CREDENTIALS, ...FAILURES];
