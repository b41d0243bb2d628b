import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import {
  entry,
  errorOf,
  interceptContext,
  messageOf as message,
  now,
  pipelineUnderTest as pipeline,
} from "../testing/intercept.ts";
import { ExactNumber, stringifyMessage } from "./codec.ts";
import type { PipelineEntry } from "./guard.ts";
import type { Interceptor, JsonRpcMessage } from "./types.ts";
import { MAX_EXPANSION } from "./verdict.ts";

const REQUEST = '{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"n":1.0}}';
const NOTE = '{"jsonrpc":"2.0","method":"notifications/x"}';
const RESPONSE = '{"jsonrpc":"2.0","id":"a","result":{"n":1.0}}';
const NUMBERS: readonly string[] = [REQUEST, NOTE, RESPONSE];

const CONTEXT = interceptContext();

Deno.test("a pipeline tells what it looks at", () => {
  const seen = (interceptor: Partial<Interceptor>) => {
    const { seesClient, seesServer, seesEvents } = pipeline(entry(interceptor));
    return [seesClient, seesServer, seesEvents];
  };
  const hook = () => undefined;
  assertEquals(seen({}), [false, false, false]);
  assertEquals(seen({ clientMessage: hook }), [true, false, false]);
  assertEquals(seen({ serverMessage: hook }), [false, true, false]);
  assertEquals(seen({ event: hook }), [false, false, true]);
});

Deno.test("property: interceptors that all pass are the identity, without a promise if all are sync", async () => {
  const kinds = fc.array(fc.constantFrom("none", "sync", "async"), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(kinds, fc.constantFrom(...NUMBERS), async (hooks, text) => {
      const entries = hooks.map((kind) => {
        if (kind === "none") return entry({});
        const hook = () => kind === "async" ? Promise.resolve(undefined) : undefined;
        return entry({ clientMessage: hook, serverMessage: hook, event: hook });
      });
      const { clientMessage, serverMessage, event, clock } = pipeline(...entries);
      const original = message(text);
      const view = { id: "1", event: "message", data: text };
      const results = [
        clientMessage(original, CONTEXT),
        serverMessage(original, CONTEXT),
        event(view, CONTEXT),
      ];
      assertEquals(results.some((r) => r instanceof Promise), hooks.includes("async"));
      const [toServer, toClient, events] = await Promise.all(results);
      assertEquals(toServer, { kind: "send", message: original, changed: false });
      assert((toServer as { message: unknown }).message === original);
      assertEquals(toClient, { messages: [original], changed: false });
      assertEquals(events, { events: [view], changed: false, replies: [] });
      assertEquals(clock.timers, 0);
    }),
    { numRuns: 60 },
  );
});

Deno.test("messages of the client pass in order, those of the server and events the other way round", async () => {
  const order: string[] = [];
  const named = (name: string, isAsync: boolean) =>
    entry({
      name,
      clientMessage: (m) => {
        order.push(`${name} client`);
        const verdict = { replace: { ...m, params: { by: name } } };
        return isAsync ? Promise.resolve(verdict) : verdict;
      },
      serverMessage: () => void order.push(`${name} server`),
      event: () => void order.push(`${name} event`),
    });
  const { clientMessage, serverMessage, event } = pipeline(named("a", true), named("b", false));
  const sent = await clientMessage(message(REQUEST), CONTEXT);
  await serverMessage(message(RESPONSE), CONTEXT);
  await event({ data: "x" }, CONTEXT);
  assertEquals(order, ["a client", "b client", "b server", "a server", "b event", "a event"]);
  assertEquals(
    stringifyMessage((sent as { message: JsonRpcMessage }).message),
    '{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"by":"b"}}',
  );
});

Deno.test("R24 a replacement keeps jsonrpc, kind and the exact id, or it is an error", () => {
  const wrong: [string, (m: JsonRpcMessage) => unknown][] = [
    [REQUEST, (m) => ({ ...m, id: 9007199254740992 })],
    [REQUEST, (m) => ({ ...m, id: "9007199254740993" })],
    [REQUEST, ({ id: _, ...m }) => m],
    [REQUEST, ({ method: _, ...m }) => ({ ...m, result: {} })],
    [REQUEST, (m) => ({ ...m, jsonrpc: "1.0" })],
    [REQUEST, (m) => ({ ...m, method: 1 })],
    [REQUEST, (m) => ({ ...m, result: {} })],
    [NOTE, (m) => ({ ...m, id: 1 })],
    [RESPONSE, (m) => ({ ...m, error: { code: 1, message: "" } })],
    [RESPONSE, ({ result: _, ...m }) => m],
    [RESPONSE, ({ result: _, ...m }) => ({ ...m, error: { code: "1", message: "" } })],
  ];
  for (const [text, change] of wrong) {
    const hook = (m: JsonRpcMessage) => ({ replace: change(m) as JsonRpcMessage });
    const { serverMessage, log } = pipeline(entry({ serverMessage: hook }));
    const outcome = now(serverMessage(message(text), CONTEXT));
    assertEquals(
      outcome.messages.filter((m) => Object.hasOwn(m, "error")).length,
      Number(text === RESPONSE),
    );
    assertEquals(log.lines.map(([level, what]) => [level, what]), [["warn", "interceptor failed"]]);
  }
});

Deno.test("R24 an id that is made anew, but the same to the letter, is the same", () => {
  const renewed = (source: string) => {
    const id = new ExactNumber(source);
    const hook = (m: JsonRpcMessage) => ({ replace: { ...m, id, params: {} } });
    return now(pipeline(entry({ clientMessage: hook })).clientMessage(message(REQUEST), CONTEXT));
  };
  assertEquals(renewed("9007199254740993").kind, "send");
  assertEquals(renewed("9007199254740993.0").kind, "answer");
});

Deno.test("a replaced message is a copy: who made it cannot change it later, nor the one that came", () => {
  const params = { list: [1] };
  const seen: unknown[] = [];
  const { clientMessage, log } = pipeline(
    entry({ name: "a", clientMessage: (m) => ({ replace: { ...m, params } }) }),
    entry({ name: "b", clientMessage: (m) => void seen.push(m.params) }),
    entry({
      name: "c",
      clientMessage: (m) => {
        (m.params as { list: number[] }).list.push(2);
      },
    }, "pass"),
  );
  const outcome = clientMessage(message(REQUEST), CONTEXT) as { message: JsonRpcMessage };
  params.list.push(3);
  assertEquals(outcome.message.params, { list: [1] });
  assertEquals(seen, [{ list: [1] }]);
  assertEquals(log.lines.map(([, , { interceptor, why }]) => [interceptor, why]), [[
    "c",
    "threw TypeError",
  ]]);
});

Deno.test("a message that nobody froze is copied for the interceptors and comes back itself", () => {
  const mine = { jsonrpc: "2.0", id: 1, method: "ping" };
  const seen: unknown[] = [];
  const { clientMessage } = pipeline(entry({ clientMessage: (m) => void seen.push(m) }));
  const outcome = clientMessage(mine, CONTEXT) as { message: unknown };
  assert(outcome.message === mine);
  assert(seen[0] !== mine && Object.isFrozen(seen[0]));
});

Deno.test("dropping: a request is answered, a response becomes an error, a notification is gone", () => {
  const drop = () => ({ drop: "Not here." });
  const { clientMessage, serverMessage } = pipeline(
    entry({ clientMessage: drop, serverMessage: drop }),
  );
  const answered = clientMessage(message(REQUEST), CONTEXT) as { message: JsonRpcMessage };
  assertEquals(errorOf(answered.message), ["9007199254740993", -31403]);
  assertStringIncludes(stringifyMessage(answered.message), "x dropped this message: Not here.");
  assertEquals(clientMessage(message(NOTE), CONTEXT), { kind: "drop" });
  assertEquals(clientMessage(message(RESPONSE), CONTEXT), { kind: "drop" });

  const response = now(serverMessage(message(RESPONSE), CONTEXT));
  assertEquals(response.messages.map(errorOf), [['"a"', -31403]]);
  assertEquals(serverMessage(message(NOTE), CONTEXT), { messages: [], changed: true });
  const asked = now(serverMessage(message(REQUEST), CONTEXT));
  assertEquals([asked.messages, errorOf(asked.reply)], [[], ["9007199254740993", -31403]]);
});

Deno.test("answering: a request of the client goes no further, one of the server is replied to", () => {
  const later: unknown[] = [];
  const answer = () => ({ answer: { result: { ok: 1 } } });
  const { clientMessage, serverMessage } = pipeline(
    entry({ clientMessage: answer }),
    entry({ clientMessage: (m) => void later.push(m), serverMessage: answer }),
  );
  const id = message(REQUEST).id;
  assertEquals(clientMessage(message(REQUEST), CONTEXT), {
    kind: "answer",
    message: { jsonrpc: "2.0", id, result: { ok: 1 } },
  });
  assertEquals(later, []);
  assertEquals(serverMessage(message(REQUEST), CONTEXT), {
    messages: [],
    changed: true,
    reply: { jsonrpc: "2.0", id, result: { ok: 1 } },
  });
});

Deno.test("R48 expanding keeps the order, and each part goes through the interceptors that follow", async () => {
  const note = (n: number) => ({ jsonrpc: "2.0", method: "notifications/n", params: { n } });
  const tag = (m: JsonRpcMessage) => {
    const verdict = Object.hasOwn(m, "method")
      ? { replace: { ...m, params: { ...m.params as object, seen: true } } }
      : undefined;
    return (m.params as { n?: number } | undefined)?.n === 1 ? Promise.resolve(verdict) : verdict;
  };
  const { serverMessage } = pipeline(
    entry({ serverMessage: tag }),
    entry({ serverMessage: (m) => ({ expand: [note(1), note(2), m, note(3)] }) }),
  );
  const { messages } = await serverMessage(message(RESPONSE), CONTEXT);
  assertEquals(
    messages.map((m) => (m.params as { n: number; seen: true } | undefined) ?? m.id),
    [{ n: 1, seen: true }, { n: 2, seen: true }, "a", { n: 3, seen: true }],
  );
});

Deno.test("R48 an expansion has a limit, alone and over all interceptors together", () => {
  const times = (count: number) =>
    entry({ serverMessage: (m) => ({ expand: Array.from({ length: count }, () => m) }) });
  const count = (...entries: PipelineEntry[]) => {
    const { serverMessage, log } = pipeline(...entries);
    const { messages } = now(serverMessage(message(NOTE), CONTEXT));
    return [messages.length, log.lines.length];
  };
  assertEquals(count(times(MAX_EXPANSION)), [MAX_EXPANSION, 0]);
  assertEquals(count(times(MAX_EXPANSION + 1)), [0, 1]);
  // 40 become 1000 at the 25th of the 40; what is beyond that is lost.
  assertEquals(count(times(25), times(40)), [1000, 0]);
  assertEquals(count(times(26), times(40)), [38 * 26, 2]);
  assertEquals(count(times(0)), [0, 0]);
});

Deno.test("R48 an expanded request or response is kept exactly once, with notifications beside it", () => {
  const note = message(NOTE);
  const wrong: [string, (m: JsonRpcMessage) => unknown[]][] = [
    [RESPONSE, () => []],
    [RESPONSE, () => [note]],
    [RESPONSE, (m) => [m, m]],
    [RESPONSE, (m) => [m, { ...m, id: "b" }]],
    [RESPONSE, () => [message(REQUEST)]],
    [REQUEST, () => []],
    [NOTE, () => [message(REQUEST)]],
    [NOTE, () => [message(RESPONSE)]],
  ];
  for (const [text, into] of wrong) {
    const { serverMessage, log } = pipeline(
      entry({ serverMessage: (m) => ({ expand: into(m) as JsonRpcMessage[] }) }),
    );
    serverMessage(message(text), CONTEXT);
    assertEquals(log.lines.length, 1, `${text} ${into}`);
  }
});

Deno.test("R88 an interceptor that hangs has failed at its deadline, and what it says later is lost", async () => {
  const { promise, resolve } = Promise.withResolvers<{ drop: string }>();
  const { clientMessage, clock, log } = pipeline(entry({ clientMessage: () => promise }));
  const waiting = clientMessage(message(REQUEST), CONTEXT);
  clock.advance(99);
  assertEquals([clock.timers, log.lines.length], [1, 0]);
  clock.advance(1);
  const outcome = await waiting as { message: JsonRpcMessage };
  assertEquals(errorOf(outcome.message), ["9007199254740993", -31504]);
  assertStringIncludes(stringifyMessage(outcome.message), "within 100 ms");
  resolve({ drop: "late" });
  await promise;
  assertEquals([clock.timers, log.lines.map(([, what]) => what)], [0, ["interceptor too slow"]]);
});

Deno.test("R88 a rejection after the deadline troubles nobody", async () => {
  const { promise, reject } = Promise.withResolvers<undefined>();
  const { clientMessage, clock, log } = pipeline(entry({ clientMessage: () => promise }));
  const waiting = clientMessage(message(NOTE), CONTEXT);
  clock.advance(100);
  assertEquals(await waiting, { kind: "drop" });
  reject(new Error("late"));
  await promise.catch(() => {});
  assertEquals(log.lines.length, 1);
});

type Fault = "throw" | "reject" | "hang" | "rubbish" | "mutate";

function faulty(fault: Fault, isStruck: (text: string) => boolean) {
  return (item: unknown) => {
    if (!isStruck(JSON.stringify(item))) return undefined;
    const faults: Record<Fault, () => unknown> = {
      throw: () => {
        throw new Error("canary");
      },
      reject: () => Promise.reject(new Error("canary")),
      hang: () => new Promise(() => {}),
      rubbish: () => "canary",
      mutate: () => (item as { id: number }).id = 5,
    };
    return faults[fault]();
  };
}

Deno.test("R48 R88 property: a faulty interceptor touches the one message alone, by its policy", async () => {
  const fault = fc.constantFrom<Fault>("throw", "reject", "hang", "rubbish", "mutate");
  const policy = fc.constantFrom<"pass" | "fail">("pass", "fail");
  const texts = fc.array(fc.constantFrom(...NUMBERS), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(fault, policy, texts, fc.nat(5), async (kind, onError, all, at) => {
      const struck = `"struck":${at}`;
      const hook = faulty(
        kind,
        (text) => text.includes(struck) || text.includes(JSON.stringify(struck).slice(1, -1)),
      );
      const { clientMessage, serverMessage, event, clock, log } = pipeline(
        entry(
          { clientMessage: hook, serverMessage: hook, event: hook } as unknown as Interceptor,
          onError,
        ),
      );
      const originals = all.map((text, index) =>
        message(text.replace('"2.0"', `"2.0","struck":${index}`))
      );
      const waiting = originals.map((original) => [
        clientMessage(original, CONTEXT),
        serverMessage(original, CONTEXT),
        event({ id: "7", data: stringifyMessage(original) }, CONTEXT),
      ]);
      // A deadline that passes first would make a hang of every async fault.
      if (kind === "hang") clock.advance(100);
      const outcomes = await Promise.all(waiting.map((three) => Promise.all(three)));
      outcomes.forEach(([toServer, toClient, events], index) => {
        const original = originals[index]!;
        const isStruck = index === at && onError === "fail";
        const passed = [
          { kind: "send", message: original, changed: false },
          { messages: [original], changed: false },
          { events: [{ id: "7", data: stringifyMessage(original) }], changed: false, replies: [] },
        ];
        if (!isStruck) return assertEquals([toServer, toClient, events] as unknown[], passed);
        const text = JSON.stringify([toServer, toClient, events]);
        assert(!text.includes("canary"), text);
        const errors = text.match(/-3150[04]/g)?.length ?? 0;
        assertEquals(errors, Object.hasOwn(original, "id") ? 3 : 0, text);
      });
      assertEquals(log.lines.length, at < all.length ? 3 : 0);
      assert(!JSON.stringify(log.lines).includes("canary"));
      assertEquals(clock.timers, 0);
    }),
    { numRuns: 100 },
  );
});

Deno.test("R96 what an interceptor throws is in neither the log nor the error, only what and where", () => {
  const errors = [
    new SyntaxError("canary\n    at canary (file:///canary:1:1)"),
    Object.assign(new Error("x"), { name: "canary canary" }),
    "canary",
    { canary: 1 },
  ];
  for (const error of errors) {
    const { clientMessage, log } = pipeline(entry({
      clientMessage: () => {
        throw error;
      },
    }));
    const outcome = JSON.stringify(clientMessage(message(REQUEST), CONTEXT));
    assert(!outcome.includes("canary") && !JSON.stringify(log.lines).includes("canary"));
  }
  const { clientMessage, log } = pipeline(entry({
    clientMessage: () => {
      throw new RangeError("canary");
    },
  }));
  clientMessage(message(NOTE), CONTEXT);
  assertEquals(log.lines[0]![2].why, "threw RangeError");
  assertStringIncludes(String(log.lines[0]![2].at), "pipeline_test.ts:");
});

Deno.test("a response of the client on which an interceptor failed is an error for the server that waits", () => {
  const { clientMessage } = pipeline(entry({
    clientMessage: () => {
      throw new Error();
    },
  }));
  const outcome = clientMessage(message(RESPONSE), CONTEXT) as { message: JsonRpcMessage };
  assertEquals(errorOf(outcome.message), ['"a"', -31500]);
  assertEquals([(outcome as { kind?: string }).kind], ["send"]);
});

Deno.test("close() closes all, and one that fails or hangs keeps nobody", async () => {
  const closed: string[] = [];
  const { close, clock, log } = pipeline(
    entry({
      close: () => {
        throw new Error();
      },
    }),
    entry({ close: () => new Promise(() => {}) }),
    entry({ close: () => void closed.push("c") }),
    entry({}),
  );
  const closing = close();
  clock.advance(100);
  await closing;
  assertEquals([closed, log.lines.length], [["c"], 2]);
});

Deno.test("hooks are called on their interceptor", () => {
  class Counting implements Interceptor {
    readonly name = "counting";
    count = 0;
    clientMessage() {
      this.count++;
    }
    serverMessage() {
      this.count++;
    }
    event() {
      this.count++;
    }
  }
  const interceptor = new Counting();
  const { clientMessage, serverMessage, event } = pipeline(entry({}), {
    interceptor,
    timeoutMs: 1,
    onError: "fail",
  });
  clientMessage(message(NOTE), CONTEXT);
  serverMessage(message(NOTE), CONTEXT);
  event({ data: "x" }, CONTEXT);
  assertEquals(interceptor.count, 3);
});
