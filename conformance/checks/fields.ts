/**
 * Fields that belong to one connection, both ways, and how answers are framed.
 *
 * @module
 */

import type { MockScript } from "../mock/mod.ts";
import { callRequest, type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import {
  expectRefusedOrWhole,
  inSession,
  isRefusal,
  marked,
  outcomeOfRaw,
  reached,
  told,
} from "./probe.ts";

const BODY = marked();
const LENGTH = `content-length: ${BODY.length}`;
const RESULT = '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}';
const JSON_TYPE = "content-type: application/json\r\n";

async function hopByHopRequest(context: Context): Promise<void> {
  const session = await inSession(context);
  const lines = [
    LENGTH,
    "connection: keep-alive, x-nominated",
    "x-nominated: 1",
    "keep-alive: timeout=71",
    "proxy-connection: keep-alive",
    "te: trailers, deflate;q=0.5",
  ];
  const outcome = await outcomeOfRaw(context, session, { lines, rest: BODY });
  expect(reached(context).length > 0, `a request with Connection got ${told(outcome)}`);
  const [request] = reached(context);
  const names = ["x-nominated", "keep-alive", "proxy-connection", "te"];
  const passed = names.filter((name) => request?.field(name) !== undefined);
  expectEqual(passed, [], "the list of hop-by-hop fields that reached the server");
}

async function upgradeRequest(context: Context): Promise<void> {
  const session = await inSession(context);
  const lines = [
    LENGTH,
    "connection: upgrade, http2-settings",
    "upgrade: h2c, websocket",
    "http2-settings: AAMAAABkAARAAAAAAAIAAAAA",
  ];
  await outcomeOfRaw(context, session, { lines, rest: BODY });
  const names = ["upgrade", "http2-settings"];
  const passed = names.filter((name) => reached(context)[0]?.field(name) !== undefined);
  expectEqual(passed, [], "the list of upgrade fields that reached the server");
}

async function nominatedSession(context: Context): Promise<void> {
  const session = await inSession(context);
  await outcomeOfRaw(context, session, { lines: [LENGTH], rest: BODY });
  // What the server is told of the session otherwise is no matter of this check.
  const usual = reached(context)[0]?.field("mcp-session-id");
  if (usual === undefined) return;
  const before = reached(context).length;
  const lines = [LENGTH, "connection: mcp-session-id, content-type"];
  const outcome = await outcomeOfRaw(context, session, { lines, rest: BODY });
  if (isRefusal(outcome)) return;
  expect(reached(context).length > before, `a request that nominates got ${told(outcome)}`);
  const bare = reached(context).find((request) => request.field("mcp-session-id") === undefined);
  expect(bare === undefined, "a request lost its session id by naming it in Connection");
}

async function underscored(context: Context): Promise<void> {
  const session = await inSession(context);
  const lines = [LENGTH, "Mcp_Session_Id: chosen", "mcp_protocol_version: 1"];
  const outcome = await outcomeOfRaw(context, session, { lines, rest: BODY });
  expectRefusedOrWhole(context, outcome, "a request with underscored fields");
  const names = reached(context).flatMap(({ fields }) => fields.map(([name]) => name));
  const passed = names.filter((name) => name.startsWith("mcp_"));
  expectEqual(passed, [], "the list of underscored fields that reached the server");
}

async function twoSessionIds(context: Context): Promise<void> {
  const session = await inSession(context);
  for (const lines of [["mcp-session-id: another"], ["Mcp-Session-Id: another", "x-a: b"]]) {
    await outcomeOfRaw(context, session, { lines: [LENGTH, ...lines], rest: BODY });
    const request = reached(context).find(({ values }) =>
      values("mcp-session-id").length > 1 || values("mcp-session-id")[0]?.includes("another")
    );
    const ids = request?.values("mcp-session-id");
    expect(request === undefined, `two session ids reached the server as ${JSON.stringify(ids)}`);
  }
}

async function spoofedForwarding(context: Context): Promise<void> {
  const session = await inSession(context);
  const claimed = "203.0.113.7";
  const lines = [LENGTH, `x-forwarded-for: ${claimed}`, `forwarded: for=${claimed}`];
  await outcomeOfRaw(context, session, { lines, rest: BODY });
  for (const name of ["x-forwarded-for", "forwarded"]) {
    const value = reached(context)[0]?.field(name);
    // Behind what the proxy itself has seen, or not at all.
    const alone = value === claimed || value === `for=${claimed}`;
    expect(!alone, `${name} reached the server as the client wrote it: ${value}`);
  }
}

/** Has the server answer one call with bytes as they are. */
async function rawAnswer(context: Context, bytes: string, closes = false) {
  const script: MockScript = async (_, reply) => {
    await reply.raw(bytes);
    if (closes) reply.close();
    else reply.finish();
  };
  const session = await inSession(context, { "tools/call": script });
  return await context.send({ body: callRequest(1), fields: session.fields });
}

async function hopByHopAnswer(context: Context): Promise<void> {
  const answer = await rawAnswer(
    context,
    `HTTP/1.1 200 OK\r\n${JSON_TYPE}connection: keep-alive, x-nominated\r\nx-nominated: 1\r\n` +
      "keep-alive: timeout=71\r\nproxy-connection: keep-alive\r\nupgrade: h2c\r\n" +
      `content-length: ${RESULT.length}\r\n\r\n${RESULT}`,
  );
  expectEqual(answer.status, 200, "the status of the answer");
  const passed = ["x-nominated", "proxy-connection", "upgrade"].filter(answer.field);
  if (answer.field("keep-alive")?.includes("71")) passed.push("keep-alive");
  expectEqual(passed, [], "the list of hop-by-hop fields that reached the client");
}

async function answerFramings(context: Context): Promise<void> {
  const chunks = `${RESULT.length.toString(16)}\r\n${RESULT}\r\n0\r\n\r\n`;
  const answer = await rawAnswer(
    context,
    `HTTP/1.1 200 OK\r\n${JSON_TYPE}content-length: ${RESULT.length}\r\n` +
      `transfer-encoding: chunked\r\n\r\n${chunks}`,
    true,
  );
  // That only one framing came is what reading the answer at all has shown.
  if (answer.status >= 500) return;
  expectEqual([answer.status, answer.text], [200, RESULT], "an answer framed in two ways");
}

async function answerSplitting(context: Context): Promise<void> {
  for (const [what, character] of [["a bare CR", "\r"], ["NUL", "\0"]]) {
    context.mock.reset();
    const answer = await rawAnswer(
      context,
      `HTTP/1.1 200 OK\r\n${JSON_TYPE}x-odd: a${character}x-second: b\r\n` +
        `content-length: ${RESULT.length}\r\n\r\n${RESULT}`,
      true,
    );
    // An answer with such a character in a field would not have been read at all.
    const split = answer.field("x-second");
    expect(split === undefined, `${what} in a field of the server's made two fields of it`);
  }
}

const RULES: readonly Omit<Scenario, "group">[] = [
  {
    id: "transport.hop-by-hop-request",
    title: "Fields of the client's connection, named in Connection or known, end at the proxy",
    source: "RFC 9110 section 7.6.1; R14",
    run: hopByHopRequest,
  },
  {
    id: "transport.upgrade-request",
    title: "An offer to change the protocol ends at the proxy",
    source: "RFC 9110 section 7.8; R14",
    run: upgradeRequest,
  },
  {
    id: "transport.nominated-session",
    title: "A request cannot be robbed of its session id by naming that in Connection",
    source: "RFC 9110 section 7.6.1; R14",
    run: nominatedSession,
  },
  {
    id: "transport.underscored-fields",
    title: "Mcp_Session_Id, which some servers take for Mcp-Session-Id, is refused or dropped",
    source: "RFC 9110 section 17.10; R15",
    run: underscored,
  },
  {
    id: "transport.two-session-ids",
    title: "Of two session ids the server never sees both",
    source: "RFC 9110 section 5.3; R15",
    run: twoSessionIds,
  },
  {
    id: "transport.spoofed-forwarding",
    title: "A client cannot say where it comes from",
    source: "RFC 7239 section 8.1; R20",
    run: spoofedForwarding,
  },
  {
    id: "transport.hop-by-hop-answer",
    title: "Fields of the server's connection end at the proxy",
    source: "RFC 9110 section 7.6.1; R14",
    run: hopByHopAnswer,
  },
  {
    id: "transport.answer-framings",
    title: "An answer with two framings comes with one, or as 502",
    source: "RFC 9112 section 6.3, rule 3; R7",
    run: answerFramings,
  },
  {
    id: "transport.answer-splitting",
    title: "No field of the server's becomes two",
    source: "RFC 9110 section 5.5, RFC 9112 section 2.2; R16",
    run: answerSplitting,
  },
];

/** The checks of fields that belong to one connection, and of how answers are framed. */
export const FIELDS: readonly Scenario[] = RULES.map((rule) => ({ ...rule, group: "transport" }));
