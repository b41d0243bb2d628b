/**
 * Host and Origin: under which name, and from which web page, a proxy may be called (R90).
 *
 * @module
 */

import { type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import {
  expectRefused,
  inSession,
  isRefusal,
  MARK,
  marked,
  outcomeOf,
  outcomeOfRaw,
  rawText,
  reached,
  told,
} from "./probe.ts";

const BODY = marked();
const LENGTH = `content-length: ${BODY.length}`;
const REBINDING = "2025-11-25 basic/transports, Security Warning";
const MODERN = "2026-07-28 basic/transports/streamable-http, Security & Endpoint";

/** The methods of MCP and that of CORS, as request lines to a path. */
const METHODS: readonly string[] = ["POST", "GET", "DELETE", "OPTIONS"];

/** Sends a call with these Host fields; it has to be refused. */
function refusingHosts(hosts: (own: string) => readonly (readonly string[])[]): Scenario["run"] {
  return async (context) => {
    const session = await inSession(context);
    for (const values of hosts(context.target.url.host)) {
      const host = values.map((value) => `host: ${value}`);
      const outcome = await outcomeOfRaw(context, session, { host, lines: [LENGTH], rest: BODY });
      expectRefused(context, outcome, `Host ${JSON.stringify(values)}`);
    }
  };
}

/** Sends a request of each method with some lines changed; none may reach the server. */
async function everyMethod(
  context: Context,
  what: string,
  lines: readonly string[],
  host?: readonly string[],
): Promise<void> {
  const session = await inSession(context);
  for (const method of METHODS) {
    const line = `${method} ${context.target.url.pathname} HTTP/1.1`;
    const marks = [`x-mark: ${MARK}`, "access-control-request-method: POST", ...lines];
    const text = rawText(context, session, { line, lines: marks, ...(host && { host }) });
    const outcome = await outcomeOf(context, text, method);
    const granted = outcome === "closed" ? undefined : outcome.field("access-control-allow-origin");
    const refused = isRefusal(outcome) || (method === "OPTIONS" && granted === undefined);
    expect(refused, `${method} with ${what} got ${told(outcome)}, expected 403`);
    expect(granted === undefined, `${method} with ${what} may be read by pages of ${granted}`);
    expectEqual(reached(context).length, 0, `the number of ${method} with ${what} at the server`);
  }
}

/** Origins that are nobody's whom a proxy on loopback knows. */
function refusingOrigins(origins: (host: string) => readonly string[]): Scenario["run"] {
  return async (context) => {
    const session = await inSession(context);
    for (const origin of origins(context.target.url.host)) {
      const lines = [LENGTH, `origin: ${origin}`];
      const outcome = await outcomeOfRaw(context, session, { lines, rest: BODY });
      const what = outcome === "closed" ? 0 : outcome.status;
      expect(what === 403, `Origin: ${origin} got ${told(outcome)}, expected 403`);
      expectEqual(reached(context).length, 0, `the number of calls from ${origin} at the server`);
    }
  };
}

async function foreignTarget(context: Context): Promise<void> {
  const session = await inSession(context);
  const { host, pathname } = context.target.url;
  const line = `POST http://evil.example${pathname} HTTP/1.1`;
  for (const named of ["evil.example", host]) {
    const raw = { line, host: [`host: ${named}`], lines: [LENGTH], rest: BODY };
    const outcome = await outcomeOfRaw(context, session, raw);
    expectRefused(context, outcome, `a target at evil.example with Host: ${named}`);
  }
}

async function legacyEndpoint(context: Context): Promise<void> {
  const session = await inSession(context);
  const { pathname } = context.target.sseUrl;
  const variants = [
    { host: ["host: evil.example"], lines: [`x-mark: ${MARK}`] },
    { lines: [`x-mark: ${MARK}`, "origin: https://evil.example"] },
  ];
  for (const variant of variants) {
    const raw = { line: `GET ${pathname} HTTP/1.1`, ...variant };
    const client = await context.connect();
    await client.write(rawText(context, session, raw));
    const { status } = await context.within(client.response("GET"), "the head of the answer");
    expect(status >= 400 && status < 500, `GET ${pathname} by a foreigner got ${status}`);
  }
}

const RULES: readonly Omit<Scenario, "group">[] = [
  {
    id: "door.missing-host",
    title: "A request without Host is refused",
    source: "RFC 9112 section 3.2; R9, R90",
    run: refusingHosts(() => [[], [""]]),
  },
  {
    id: "door.two-hosts",
    title: "A request with two Host fields is refused",
    source: "RFC 9112 section 3.2; R9",
    run: refusingHosts((own) => [[own, own], [own, "evil.example"], ["evil.example", own]]),
  },
  {
    id: "door.malformed-host",
    title: "A Host that is no name and port is refused",
    source: "RFC 9112 section 3.2, RFC 9110 section 4.2.4; R11",
    run: refusingHosts((own) => [
      [`user@${own}`],
      [`evil.example@${own}`],
      [`${own}@evil.example`],
      [`${own}/mcp`],
      [`${own}?x`],
      [`${own}#x`],
      [`${own} evil.example`],
      [`${own}, evil.example`],
      [`http://${own}`],
    ]),
  },
  {
    id: "door.foreign-host",
    title: "A foreign Host is refused, whatever the method: DNS rebinding",
    source: `${REBINDING}; CVE-2025-66414, CVE-2025-66416; R90`,
    run: (context) => everyMethod(context, "a foreign Host", [], ["host: evil.example"]),
  },
  {
    id: "door.lookalike-host",
    title: "A Host that begins or ends like the proxy's own is refused",
    source: `${REBINDING}; R90`,
    run: refusingHosts((own) => {
      const name = own.replace(/:\d+$/, "");
      return [
        [`${name}.evil.example`],
        [`${own}.evil.example`],
        ["localhost.evil.example"],
        [`evil.example.${name}x`],
        ["evil-localhost"],
        ["127.0.0.1.nip.example"],
        [`evil.example:${own.split(":").at(-1)}`],
      ];
    }),
  },
  {
    id: "door.absolute-form",
    title: "A target in absolute form with a foreign host is refused, whatever Host says",
    source: "RFC 9112 section 3.2.2; R10, R90",
    run: foreignTarget,
  },
  {
    id: "door.foreign-origin",
    title: "A foreign Origin is answered with 403",
    source: `${REBINDING}; ${MODERN}; CVE-2025-49596; R90`,
    run: refusingOrigins(() => ["https://evil.example", "http://evil.example", "null"]),
  },
  {
    id: "door.lookalike-origin",
    title: "An Origin that looks like the proxy's own is answered with 403",
    source: `${REBINDING}; R90`,
    run: refusingOrigins((host) => [
      `http://${host}.evil.example`,
      "http://localhost.evil.example",
      "http://127.0.0.1.evil.example",
      `http://evil.example#${host}`,
      `http://evil.example/${host}`,
      `http://${host}@evil.example`,
      "https://evil-localhost",
    ]),
  },
  {
    id: "door.foreign-origin-everywhere",
    title: "A page of a foreign Origin may use no method and read nothing",
    source: `${REBINDING}; Fetch standard, CORS protocol; R90`,
    run: (context) => everyMethod(context, "a foreign Origin", ["origin: https://evil.example"]),
  },
  {
    id: "door.http-sse",
    title: "Where HTTP+SSE is served, Host and Origin are checked too",
    source: "2024-11-05 basic/transports, Security Warning; R90",
    run: legacyEndpoint,
  },
];

/** The checks of Host and Origin. */
export const DOOR: readonly Scenario[] = RULES.map((rule) => ({ ...rule, group: "door" }));
