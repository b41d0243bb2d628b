/**
 * An upstream that fails: what the client may see of it, and that the next call works.
 *
 * @module
 */

import type { MockScript, Reply } from "../mock/mod.ts";
import { type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { BROKEN, UNANSWERED } from "./broken_answers.ts";
import { answerText, bodyOf, faultScenario } from "./fault.ts";
import { REFUSED } from "./unusable_answers.ts";
import { UNUSUAL } from "./unusual_answers.ts";
import { echoed, expectWorks, keyOf, modernByKey, modernCall, soon } from "./upstreams.ts";

const OTHERS: readonly Scenario[] = [
  {
    id: "faults.no-answer-in-time",
    group: "faults",
    title: "a server that does not answer in time is answered with 504",
    source: "RFC 9110 15.6.5, R61",
    revisions: ["2026-07-28"],
    assumes: ["short-timeouts"],
    async run(context) {
      context.mock.use(modernByKey({ subject: (_, reply) => reply.gone }));
      const { status } = await context.send(modernCall(context, "subject"));
      expectEqual(status, 504, "the status of a call that the server did not answer");
      await expectWorks(context, (key) => modernCall(context, key), "afterwards");
    },
  },
  {
    id: "faults.second-answer-discarded",
    group: "faults",
    title: "a second answer to one request never becomes the answer to another",
    source: "RFC 9112 9.2, R8",
    revisions: ["2026-07-28"],
    run: secondAnswer,
  },
  {
    id: "faults.answer-before-the-request",
    group: "faults",
    title: "an answer that a connection brings while it is unused answers nothing",
    source: "RFC 9112 9.2, R8",
    revisions: ["2026-07-28"],
    run: earlyAnswer,
  },
  {
    id: "faults.stalled-calls-beside-others",
    group: "faults",
    title: "30 calls that the server does not answer hold up no other",
    source: "RFC 9110 15.6.5",
    revisions: ["2026-07-28"],
    run: stalledBesideOthers,
  },
];

const POISON = '{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}}';

async function secondAnswer(context: Context): Promise<void> {
  const twice: MockScript = async (request, reply) => {
    await reply.raw(answerText(bodyOf(request)) + answerText(POISON));
    reply.finish();
  };
  context.mock.use(modernByKey({ twice }));
  for (let at = 0; at < 5; at++) {
    const first = await context.send(modernCall(context, "twice"));
    // What comes with its answer may cost a call its answer; it must not give it another one.
    if (first.status === 200) expectEqual(echoed(first), "twice", "the answer to the call");
    await expectWorks(context, (key) => modernCall(context, key), "behind a double answer");
  }
}

async function earlyAnswer(context: Context): Promise<void> {
  const late = Promise.withResolvers<Reply>();
  const script: MockScript = async (request, reply) => {
    await reply.raw(answerText(bodyOf(request)));
    late.resolve(reply);
    reply.finish();
  };
  context.mock.use(modernByKey({ subject: script }));
  await context.send(modernCall(context, "subject"));
  const reply = await context.within(late.promise, "the answer of the server");
  await reply.raw(answerText(POISON));
  for (let at = 0; at < 5; at++) {
    const key = `behind ${at}`;
    const answer = await context.send(modernCall(context, key));
    // The connection may break under a call that was on its way; another answer it must not get.
    if (answer.status === 200) expectEqual(echoed(answer), key, "the answer to a later call");
  }
}

async function stalledBesideOthers(context: Context): Promise<void> {
  const stalled = new Map<string, Reply>();
  const all = Promise.withResolvers<void>();
  const stall: MockScript = async (request, reply) => {
    stalled.set(keyOf(request)!, reply);
    if (stalled.size === 30) all.resolve();
    await reply.gone;
  };
  const keys = Array.from({ length: 30 }, (_, at) => `stalled ${at}`);
  context.mock.use(modernByKey(Object.fromEntries(keys.map((key) => [key, stall]))));
  for (const key of keys) {
    const client = await context.connect();
    await client.write(context.bytes(modernCall(context, key)));
  }
  expect(await soon(all.promise.then(() => true)), `${stalled.size} of 30 calls came at once`);
  for (let at = 0; at < 5; at++) {
    await expectWorks(context, (key) => modernCall(context, key), "beside 30 that stall");
  }
  const over = [...stalled.values()].filter((reply) => reply.isGone).length;
  expectEqual(over, 0, "the number of stalled calls that ended before the others were answered");
}

/** The checks of upstreams that fail. */
export const FAULTS: readonly Scenario[] = [
  ...[...REFUSED, ...BROKEN, ...UNANSWERED, ...UNUSUAL].map(faultScenario),
  ...OTHERS,
];
