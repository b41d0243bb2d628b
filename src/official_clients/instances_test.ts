/**
 * The official clients in front of two instances of the proxy that share a Redis, each request at another
 * instance than the one before, and a server of the other era behind them: what it asks its clients.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { startModernServer } from "../../conformance/servers/modern.ts";
import { startSessionServer } from "../../conformance/servers/session.ts";
import { type ProgramInstance, withProgramInstances } from "../testing/program_instances.ts";
import { testProxy } from "../testing/proxy.ts";
import { redisTest } from "../testing/redis.ts";
import { REVISION } from "./modern_case.ts";
import { type SessionClient, textOf } from "./session_client.ts";
import { StreamableHTTPClientTransport as V1Transport, type Transport } from "./sdk_v1.ts";
import { v1Client } from "./session_v1.ts";
import { answerWith } from "./v2_client.ts";
import { within } from "./wait.ts";

const ANSWERS = { elicited: { name: "Anni", color: "indigo" }, sampled: "Paris", roots: [] };
const CAPABILITIES = { sampling: {}, elicitation: {}, roots: {} };

/** Longer than an instance that was killed is taken to run. */
const GONE_MS = 20_000;

/** What one request was: its method, and for what was posted that of JSON-RPC, or `answer`. */
interface Sent {
  readonly what: string;
  readonly origin: string;
}

/** A fetch whose requests go to one origin after the other. */
class Alternating {
  readonly sent: Sent[] = [];
  /** Where all requests go from now on. */
  only: string | undefined;
  readonly #origins: readonly string[];

  constructor(...instances: readonly Pick<ProgramInstance, "origin">[]) {
    this.#origins = instances.map(({ origin }) => origin);
  }

  readonly fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const origin = this.only ?? this.#origins[this.sent.length % this.#origins.length]!;
    this.sent.push({ what: whatIs(init), origin });
    return await fetch(new URL(new URL(url).pathname, origin), init);
  };

  /** Where requests of these kinds went, in order: 0 or 1. */
  whereOf(...kinds: readonly string[]): number[] {
    return this.sent.filter(({ what }) => kinds.includes(what))
      .map(({ origin }) => this.#origins.indexOf(origin));
  }
}

function whatIs(init: RequestInit | undefined): string {
  if (typeof init?.body !== "string") return init?.method ?? "GET";
  return (JSON.parse(init.body) as { method?: string }).method ?? "answer";
}

/** A client of 2026-07-28 that answers what it is asked, once `may` lets it. */
async function modernClient(alternating: Alternating, may: Promise<void> = Promise.resolve()) {
  const client = new Client({ name: "official-v2", version: "1" }, {
    capabilities: CAPABILITIES,
    versionNegotiation: { mode: { pin: REVISION } },
  });
  const asked = answerWith(client, ANSWERS);
  client.setRequestHandler("elicitation/create", async ({ method }) => {
    asked.push(method);
    await may;
    return { action: "accept" as const, content: ANSWERS.elicited };
  });
  const transport = new StreamableHTTPClientTransport(new URL("http://proxy/mcp"), {
    fetch: alternating.fetch,
  });
  await client.connect(transport);
  return { asked, call: (name: string) => client.callTool({ name }), close: () => client.close() };
}

type Caller = Pick<SessionClient, "asked" | "close"> & {
  call(name: string): Promise<Parameters<typeof textOf>[0]>;
};

const NO_RECONNECTION = {
  maxRetries: 0,
  initialReconnectionDelay: 1,
  maxReconnectionDelay: 1,
  reconnectionDelayGrowFactor: 1,
};

/** Clients of the session era, of both SDKs. */
const SESSION_CLIENTS: Readonly<Record<string, (fetch: Alternating["fetch"]) => Promise<Caller>>> =
  {
    v1: async (fetch) => {
      const { client, asked } = v1Client(ANSWERS);
      const transport = new V1Transport(new URL("http://proxy/mcp"), {
        fetch,
        reconnectionOptions: NO_RECONNECTION,
      });
      await client.connect(transport as Transport);
      return {
        asked,
        call: (name) => client.callTool({ name }) as ReturnType<Caller["call"]>,
        close: async () => {
          await client.close();
        },
      };
    },
    v2: async (fetch) => {
      const client = new Client({ name: "official-v2", version: "1" }, {
        capabilities: CAPABILITIES,
        versionNegotiation: { mode: "legacy" },
      });
      const asked = answerWith(client, ANSWERS);
      const transport = new StreamableHTTPClientTransport(new URL("http://proxy/mcp"), {
        fetch,
        reconnectionOptions: NO_RECONNECTION,
      });
      await client.connect(transport);
      return {
        asked,
        call: (name) => client.callTool({ name }),
        close: () => client.close(),
      };
    },
  };

redisTest(
  "v2 client of 2026-07-28, session-era server, two instances: each retry goes to the other one",
  async (redis) => {
    await using server = disposable(startSessionServer());
    await withProgramInstances(redis, { url: server.url }, async (a, b) => {
      const alternating = new Alternating(a, b);
      const { asked, call, close } = await modernClient(alternating);
      for (let count = 0; count < 3; count++) {
        assertEquals(
          textOf(await call("test_input_required_result_elicitation")),
          "Good day, Anni.",
        );
        const [first, second] = alternating.whereOf("tools/call").slice(-2);
        assert(first !== second);
      }
      assertEquals(
        textOf(await call("test_input_required_result_multi_round")),
        "Anni likes indigo.",
      );
      const rounds = alternating.whereOf("tools/call").slice(-3);
      assert(rounds[0] !== rounds[1] && rounds[1] !== rounds[2]);
      assertEquals(asked.items.length, 5);
      await close();
    });
  },
);

for (const [sdk, connect] of Object.entries(SESSION_CLIENTS)) {
  redisTest(
    `${sdk} client with sessions, modern server, two instances: each answer goes to the other one`,
    async (redis) => {
      await using server = disposable(startModernServer());
      await withProgramInstances(redis, { url: server.url }, async (a, b) => {
        const alternating = new Alternating(a, b);
        const { asked, call, close } = await connect(alternating.fetch);
        for (let count = 0; count < 4; count++) {
          // Every other time the call itself comes to the instance that does not have the session.
          if (count === 2) await call("test_simple_text");
          const result = await call("test_input_required_result_elicitation");
          assertEquals(textOf(result), "Good day, Anni.");
          const [asking, answering] = alternating.whereOf("tools/call", "answer").slice(-2);
          assert(asking !== answering);
        }
        const rounds = await call("test_input_required_result_multi_round");
        assertEquals(textOf(rounds), "Anni likes indigo.");
        assertEquals(asked.items.length, 6);
        assertEquals(new Set(alternating.whereOf("tools/call")).size, 2);
        const begun = alternating.sent.filter(({ what }) => what === "initialize").length;
        assertEquals(begun, 1);
        await close();
      });
    },
  );
}

redisTest(
  "the instance that holds a request is killed while its client is asked: a clear error, and a new call works",
  async (redis) => {
    await using server = disposable(startSessionServer());
    await withProgramInstances(redis, { url: server.url }, async (a, b) => {
      const alternating = new Alternating(a, b);
      alternating.only = a.origin;
      const may = Promise.withResolvers<void>();
      const { asked, call, close } = await modernClient(alternating, may.promise);
      const calling = call("test_input_required_result_elicitation");
      calling.catch(() => {});
      await asked.take(1, "the question", () => true);
      await a.kill();
      alternating.only = b.origin;
      may.resolve();
      const failing = assertRejects(() => calling, Error);
      const { message } = await within(failing, "the end of the call", GONE_MS);
      assert(
        message.includes("The instance of the proxy that held this request has gone"),
        message,
      );
      assertEquals(
        textOf(await call("test_input_required_result_elicitation")),
        "Good day, Anni.",
      );
      await close();
    });
  },
);

redisTest(
  "the instance that has a session is killed while its client is asked: an error, and the session goes on",
  async (redis) => {
    await using server = disposable(startModernServer());
    await withProgramInstances(redis, { url: server.url }, async (a, b) => {
      const alternating = new Alternating(a, b);
      alternating.only = a.origin;
      const { client } = v1Client(ANSWERS);
      const transport = new V1Transport(new URL("http://proxy/mcp"), {
        fetch: alternating.fetch,
        reconnectionOptions: NO_RECONNECTION,
      });
      await client.connect(transport as Transport);
      const call = () =>
        client.callTool({ name: "test_input_required_result_elicitation" }) as ReturnType<
          Caller["call"]
        >;
      assertEquals(textOf(await call()), "Good day, Anni.");
      // The call is at the instance that stays, and the session at the one that is killed.
      alternating.only = b.origin;
      const killed = Promise.withResolvers<void>();
      const answer = transport.send.bind(transport);
      transport.send = async (message, options) => {
        if (!("method" in message)) {
          await a.kill();
          killed.resolve();
        }
        await answer(message, options);
      };
      const failing = assertRejects(call, Error);
      await killed.promise;
      const { message } = await within(failing, "the end of the call", GONE_MS);
      assert(message.includes("is not known"), message);
      transport.send = answer;
      assertEquals(
        textOf(await within(call(), "a call in the session made anew", GONE_MS)),
        "Good day, Anni.",
      );
      const begun = alternating.sent.filter(({ what }) => what === "initialize").length;
      assertEquals(begun, 1, "the client did not notice");
      await client.close();
    });
  },
);

redisTest(
  "the instance that holds a request stops while its client is asked: it is told so at once",
  async (redis) => {
    await using server = disposable(startSessionServer());
    const config = {
      redis: { url: redis.url, prefix: redis.prefix },
      sessions: { store: "redis", keys: ["the-same-key-at-every-instance-0123456789"] },
      eventLog: { store: "redis" },
    };
    const start = () => testProxy({ upstream: server.url, config });
    const [a, b] = [await start(), await start()];
    const alternating = new Alternating(a, b);
    alternating.only = a.origin;
    const may = Promise.withResolvers<void>();
    const { asked, call, close } = await modernClient(alternating, may.promise);
    const calling = call("test_input_required_result_elicitation");
    calling.catch(() => {});
    await asked.take(1, "the question", () => true);
    await a.stop();
    alternating.only = b.origin;
    may.resolve();
    const failing = assertRejects(() => calling, Error);
    const { message } = await within(failing, "the end of the call", 3_000);
    assert(message.includes("The instance of the proxy that held this request has gone"), message);
    await close();
    await b.stop();
  },
);

redisTest(
  "R93 a client's credentials go from instance to instance only where they go upstream",
  async (redis) => {
    await using server = disposable(startModernServer());
    for (const credentials of ["drop", "forward"]) {
      await withProgramInstances(redis, { url: server.url, credentials }, async (a, b) => {
        const look = await redis.connect();
        const passed: string[] = [];
        const keys = await look.command("KEYS", `${redis.prefix}:instance:*`) as string[];
        for (const key of keys) {
          const channel = key.replace(":instance:", ":calls:");
          await look.subscribe(channel, (text) => passed.push(text));
        }
        const { client } = v1Client(ANSWERS);
        const transport = new V1Transport(new URL("http://proxy/mcp"), {
          fetch: new Alternating(a, b).fetch,
          requestInit: { headers: { authorization: "Bearer of-the-client" } },
          reconnectionOptions: NO_RECONNECTION,
        });
        await client.connect(transport as Transport);
        await client.listTools();
        await client.listTools();
        assert(passed.some((text) => text.includes("tools/list") || text.includes('"say":"open"')));
        const isTold = passed.some((text) => text.includes("of-the-client"));
        assertEquals(isTold, credentials === "forward");
        await client.close();
        await look.close();
      });
    }
  },
);

function disposable<T extends { readonly url: string; close(): Promise<void> }>(server: T) {
  return { url: server.url, [Symbol.asyncDispose]: () => server.close() };
}
