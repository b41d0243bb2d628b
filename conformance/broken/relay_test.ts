import { assertEquals } from "@std/assert";
import { type MockScript, MockUpstream, sessionServer } from "../mock/mod.ts";
import { callRequest, Context } from "../suite/mod.ts";
import type { Damage } from "./damage.ts";
import { bytesOf, textOf } from "./message.ts";
import { Relay } from "./relay.ts";

/** Changes nothing, but reads everything. */
const WATCHES: Damage = { request: () => undefined, answer: () => undefined };

/** Every way in which a relay may look at what it passes on unchanged. */
const KINDS: Readonly<Record<string, Damage>> = {
  raw: {},
  "that looks at requests": { request: () => undefined },
  "that looks at answers": { answer: () => undefined },
  "that looks at both": WATCHES,
  "that writes answers anew": { answer: ({ fields }) => ({ fields }) },
  "that changes streams": { answer: () => ({ stream: { push: (piece) => [piece] } }) },
};

async function withRelay(
  damage: Damage,
  run: (context: Context, mock: MockUpstream) => Promise<void>,
): Promise<void> {
  await using mock = await MockUpstream.listen();
  const past = { hostname: "127.0.0.1", port: mock.port };
  await using relay = await Relay.listen({ to: past, past });
  relay.use(damage);
  const url = new URL(`http://127.0.0.1:${relay.address.port}/mcp`);
  await using context = new Context({ target: { url, sseUrl: url }, mock, patienceMs: 2_000 });
  await run(context, mock);
  assertEquals(relay.problems, []);
}

function raw(text: string, after: "close" | "reset" | "finish"): MockScript {
  return async (_, reply) => {
    await reply.raw(text);
    // What was written before a reset must be able to arrive.
    if (after === "reset") await new Promise((resolve) => setTimeout(resolve, 30));
    reply[after]();
  };
}

for (const [kind, damage] of Object.entries(KINDS)) {
  Deno.test(`a relay ${kind} passes sessions, several requests on a connection, and streams`, async () => {
    await withRelay(damage, async (context, mock) => {
      mock.use(sessionServer({
        sessionIds: ["one"],
        on: {
          "tools/call": async (_, reply) => {
            await reply.stream();
            await reply.event({ id: "1", data: "" });
            await reply.event({ data: "später" });
            await reply.end();
          },
        },
      }));
      const session = await context.openSession();
      assertEquals(session.id, "one");
      const client = await context.connect();
      for (let time = 0; time < 3; time++) {
        await client.write(context.bytes({ body: callRequest(time), fields: session.fields }));
        const { text, complete } = await context.finish(await client.response());
        assertEquals([text, complete], ["id: 1\ndata: \n\ndata: später\n\n", true]);
      }
      assertEquals(mock.requests.length, 5);
      assertEquals(new Set(mock.requests.slice(2).map(({ connection }) => connection)).size, 1);
    });
  });

  Deno.test(`a relay ${kind} passes a truncated answer as one`, async () => {
    await withRelay(damage, async (context, mock) => {
      for (const end of ["close", "reset"] as const) {
        mock.use(raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", end));
        const { text, complete } = await context.send({ body: callRequest(1) });
        assertEquals([text, complete], ["abc", false]);
      }
    });
  });

  Deno.test(`a relay ${kind} passes bodies that end with the connection, and none`, async () => {
    await withRelay(damage, async (context, mock) => {
      mock.use(raw("HTTP/1.1 200 OK\r\n\r\nabc", "close"));
      const answer = await context.send({ body: callRequest(1) });
      assertEquals([answer.text, answer.complete], ["abc", true]);
      mock.use((_, reply) => reply.empty(204));
      const client = await context.connect();
      for (let time = 0; time < 2; time++) {
        await client.write(context.bytes({ body: callRequest(1) }));
        assertEquals((await client.response()).status, 204);
      }
    });
  });

  Deno.test(`a relay ${kind} passes requests that are no HTTP byte by byte`, async () => {
    await withRelay(damage, async (context, mock) => {
      const client = await context.connect();
      await client.write("POST /mcp HTTP/1.1\r\nhost : x\r\n\r\n{}");
      await client.untilClosed();
      assertEquals(mock.problems, ['not a header field: "host : x"']);
    });
  });

  Deno.test(`a relay ${kind} tells the server that the client has gone`, async () => {
    await withRelay(damage, async (context, mock) => {
      const gone = Promise.withResolvers<void>();
      mock.use((_, reply) => void reply.gone.then(gone.resolve));
      const client = await context.connect();
      await client.write(context.bytes({ body: callRequest(1) }));
      await mock.arrival();
      client.close();
      await context.within(gone.promise, "the end of the connection");
    });
  });

  Deno.test(`a relay ${kind} passes what a slow client has sent so far`, async () => {
    await withRelay(damage, async (context, mock) => {
      const bytes = context.bytes({ body: callRequest(1) });
      const client = await context.connect();
      await client.write(bytes.subarray(0, 40));
      await new Promise((resolve) => setTimeout(resolve, 120));
      await client.write(bytes.subarray(40));
      await context.within(mock.arrival(), "the request");
      assertEquals(mock.problems, []);
    });
  });
}

Deno.test("a relay changes requests, sends them twice, and answers them itself", async () => {
  const damage: Damage = {
    request({ body, bytes }) {
      const text = textOf(body);
      if (text === "twice") return { also: bytes };
      if (text === "no") return { answer: bytesOf("HTTP/1.1 418 No\r\ncontent-length: 0\r\n\r\n") };
      return text !== "other" ? undefined : { send: bytesOf("DELETE /mcp HTTP/1.1\r\n\r\n") };
    },
  };
  await withRelay(damage, async (context, mock) => {
    const answered: MockScript = (_, reply) => reply.empty(202);
    mock.use(answered);
    assertEquals((await context.send({ body: "no" })).status, 418);
    assertEquals(mock.requests.length, 0);
    assertEquals((await context.send({ body: "other" })).status, 202);
    assertEquals(mock.requests[0]?.method, "DELETE");
    assertEquals((await context.send({ body: "twice" })).status, 202);
    await context.within(mock.nth(2, ({ text }) => text === "twice"), "the second");
  });
});

Deno.test("a relay changes answers and hides that they were cut", async () => {
  const damage: Damage = {
    answer: ({ status }) =>
      status === 500
        ? { status: 200, whole: () => bytesOf("whole") }
        : { hideCut: true, stream: { push: (piece) => [piece, piece], end: () => [bytesOf("!")] } },
  };
  await withRelay(damage, async (context, mock) => {
    mock.use((_, reply) => reply.empty(500));
    const whole = await context.send({ body: "{}" });
    assertEquals([whole.status, whole.text, whole.complete], [200, "whole", true]);
    mock.use(raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", "close"));
    const cut = await context.send({ body: "{}" });
    assertEquals([cut.text, cut.complete], ["abcabc!", true]);
  });
});

Deno.test("a relay replaces interim answers and what it cannot read, and breaks streams off", async () => {
  const damage: Damage = {
    answer: () => ({ breaksOff: true, stream: { push: (piece) => [piece] } }),
    interim: bytesOf("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"),
    unreadable: (bytes) => bytesOf(textOf(bytes).replace("a : b\r\n", "")),
  };
  await withRelay(damage, async (context, mock) => {
    mock.use(raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\n\r\n", "finish"));
    assertEquals((await context.send({ body: "{}" })).status, 500);
    mock.use(raw("HTTP/1.1 200 OK\r\na : b\r\ncontent-length: 3\r\n\r\nabc", "finish"));
    assertEquals((await context.send({ body: "{}" })).text, "abc");
    mock.use(
      raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "finish"),
    );
    const cut = await context.send({ body: "{}" });
    assertEquals([cut.text, cut.complete], ["abc", false]);
  });
});

Deno.test("a relay tells of clients that leave before their answers have ended, and of no others", async () => {
  const left: string[] = [];
  let begun = 0;
  const departed = Promise.withResolvers<void>();
  const damage: Damage = {
    begins: () => void begun++,
    request: () => undefined,
    answer: () => undefined,
    departed({ body }) {
      left.push(textOf(body));
      departed.resolve();
    },
  };
  await withRelay(damage, async (context, mock) => {
    mock.use((request, reply) => request.text === "stays" ? reply.empty(202) : reply.stream());
    await context.send({ body: "stays" });
    const { client } = await context.begin({ body: "leaves" });
    client.close();
    await context.within(departed.promise, "the departure");
    assertEquals([left, begun], [["leaves"], 2]);
  });
});
