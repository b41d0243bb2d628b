import { assertEquals } from "@std/assert";
import { ANONYMOUS, type Authenticator } from "./auth/mod.ts";
import { ProxyError } from "./errors.ts";
import { Exchanges } from "./front/mod.ts";
import { createHandler, type HandlerRules, MAX_CHECKS, type Route } from "./handler.ts";
import { type ClientRequest, Fields, NEVER_ABORTED } from "./http/mod.ts";
import { nullLogger } from "./telemetry/mod.ts";
import { ManualClock } from "./testing/manual_clock.ts";

/** The status of one POST, and who the front was told calls; undefined where it was not asked. */
async function post(authenticate: Authenticator["authenticate"]): Promise<unknown[]> {
  let caller: string | undefined;
  const front: Route["front"] = (_request, principal) => {
    caller = principal.id;
    return Promise.resolve({ status: 202, fields: new Fields(), body: null });
  };
  const rules: HandlerRules = {
    door: { hosts: new Set(), origins: new Set() },
    authenticator: {
      authenticate,
      nameOf: () => undefined,
      credentialFields: ["authorization"],
    },
    routes: new Map([["/mcp", { name: "r", front }]]),
  };
  const handler = createHandler({
    current: () => rules,
    logger: nullLogger,
    clock: new ManualClock(),
    exchanges: new Exchanges(),
  });
  const request: ClientRequest = {
    method: "POST",
    target: "/mcp",
    headers: new Fields(["host", "localhost"]),
    signal: NEVER_ABORTED,
    body: () => new Uint8Array(),
  };
  return [(await handler(request)).status, caller];
}

Deno.test("R91 createHandler() has the front wait for an authenticator that takes a while", async () => {
  assertEquals(await post(() => ANONYMOUS), [202, "anonymous"]);
  const late = { id: "key:late", name: "late" };
  assertEquals(await post(() => Promise.resolve(late)), [202, "key:late"]);
  const refused = new ProxyError("unauthorized", "No.");
  assertEquals(await post(() => Promise.reject(refused)), [401, undefined]);
  assertEquals(
    await post(() => {
      throw refused;
    }),
    [401, undefined],
  );
  assertEquals(await post(() => Promise.reject(new Error("broken"))), [500, undefined]);
});

Deno.test("createHandler() has documents for everybody answered ahead of the authenticator, by GET alone, and tells it the path", async () => {
  const KNOWN = "/.well-known/oauth-protected-resource";
  const paths: string[] = [];
  const rules: HandlerRules = {
    door: { hosts: new Set(), origins: new Set() },
    authenticator: {
      authenticate(_headers, path) {
        paths.push(path);
        throw new ProxyError("unauthorized", "No.");
      },
      nameOf: () => undefined,
      credentialFields: ["authorization"],
    },
    metadata: (path) => {
      const answer = { status: 200, fields: new Fields(), body: null };
      return path === `${KNOWN}/x` ? { answer: () => Promise.resolve(answer) } : undefined;
    },
    routes: new Map(),
  };
  const handler = createHandler({
    current: () => rules,
    logger: nullLogger,
    clock: new ManualClock(),
    exchanges: new Exchanges(),
  });
  const ask = async (method: string, target: string, host = "localhost") => {
    const headers = new Fields(["host", host]);
    const body = () => new Uint8Array();
    return (await handler({ method, target, headers, signal: NEVER_ABORTED, body })).status;
  };
  assertEquals(await ask("GET", `${KNOWN}/x?y=1`), 200);
  assertEquals(await ask("GET", `${KNOWN}/x`, "evil.test"), 403);
  assertEquals(await ask("POST", `${KNOWN}/x`), 405);
  assertEquals(paths, []);
  assertEquals(await ask("GET", `${KNOWN}/y?z`), 401);
  assertEquals(await ask("GET", "http://localhost/mcp?z"), 401);
  assertEquals(paths, [`${KNOWN}/y`, "/mcp"]);
});

/** A handler whose rules change; each `rules[at]` may put others in place while it judges. */
function changing(make: (change: () => void) => readonly Partial<HandlerRules>[]) {
  let at = 0;
  const reached: number[] = [];
  const some = make(() => at++);
  const rules = Array.from({ length: some.length }, (_, own): HandlerRules => ({
    door: { hosts: new Set(["mcp.example.com"]), origins: new Set() },
    authenticator: {
      authenticate: () => ANONYMOUS,
      nameOf: () => undefined,
      credentialFields: ["authorization"],
    },
    routes: new Map([["/mcp", {
      name: "r",
      front: () => {
        reached.push(own);
        return Promise.resolve({ status: 202, fields: new Fields(), body: null });
      },
    }]]),
    ...some[own],
  }));
  const handler = createHandler({
    current: () => rules[Math.min(at, rules.length - 1)]!,
    logger: nullLogger,
    clock: new ManualClock(),
    exchanges: new Exchanges(),
  });
  const post = () =>
    handler({
      method: "POST",
      target: "/mcp",
      headers: new Fields(["host", "mcp.example.com"]),
      signal: NEVER_ABORTED,
      body: () => new Uint8Array(),
    });
  return { post, reached };
}

function judging(authenticate: Authenticator["authenticate"]): Partial<HandlerRules> {
  const nameOf = () => undefined;
  return { authenticator: { authenticate, nameOf, credentialFields: ["authorization"] } };
}

Deno.test("R91 a request goes by the rules that hold when it is known who calls, refused or not by those before", async () => {
  const refused = new ProxyError("unauthorized", "No.");
  for (const before of [() => Promise.resolve(ANONYMOUS), () => Promise.reject(refused)]) {
    const passing = changing((change) => [
      judging(() => {
        change();
        return before();
      }),
      {},
    ]);
    assertEquals([(await passing.post()).status, passing.reached], [202, [1]]);
    const refusing = changing((change) => [
      judging(() => {
        change();
        return before();
      }),
      judging(() => {
        throw refused;
      }),
    ]);
    assertEquals([(await refusing.post()).status, refusing.reached], [401, []]);
    // R90: and by the door of then.
    const shut = changing((change) => [
      judging(() => {
        change();
        return before();
      }),
      { door: { hosts: new Set(), origins: new Set() } },
    ]);
    assertEquals([(await shut.post()).status, shut.reached], [403, []]);
  }
});

Deno.test("who calls is asked MAX_CHECKS times for one request, and then the client may try again", async () => {
  let checks = 0;
  const { post, reached } = changing((change) =>
    Array.from({ length: MAX_CHECKS + 1 }, () =>
      judging(() => {
        checks++;
        change();
        return Promise.resolve(ANONYMOUS);
      }))
  );
  const { status, fields } = await post();
  assertEquals([status, fields.get("retry-after"), checks], [503, "1", MAX_CHECKS]);
  assertEquals(reached, []);
});
