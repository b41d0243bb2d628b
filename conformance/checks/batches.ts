/**
 * Batches, which exist in 2025-03-26 alone.
 *
 * @module
 */

import { type MockScript, modernServer } from "../mock/mod.ts";
import {
  callRequest,
  type Context,
  expectEqual,
  initializeRequest,
  type Scenario,
} from "../suite/mod.ts";
import { expectRefusal, HEADER_MISMATCH, INVALID_REQUEST, modernCall } from "./modern_variants.ts";
import { inSession, MARK, marked } from "./probe.ts";

const STREAMABLE = "2026-07-28 basic/transports/streamable-http";

const BATCH = `[${marked(MARK, "1")},${marked(MARK, "2")}]`;
const RESULTS = '[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]';
const answerBatch: MockScript = (_, reply) => reply.json(RESULTS);

async function batchServed(context: Context): Promise<void> {
  const { fields } = await inSession(context, { "": answerBatch }, "2025-03-26");
  const { status, message } = await context.send({ body: BATCH, fields });
  expectEqual(status, 200, "the status of a batch in 2025-03-26");
  const ids = Array.isArray(message) ? message.map(({ id }) => id).toSorted() : message;
  expectEqual(ids, [1, 2], "the list of ids that were answered");
}

async function batchRefused(context: Context): Promise<void> {
  for (const revision of ["2025-06-18", "2025-11-25"]) {
    context.mock.reset();
    const { fields } = await inSession(context, { "": answerBatch }, revision);
    for (const body of [BATCH, `[${marked()}]`]) {
      const answer = await context.send({ body, fields });
      expectRefusal(context, answer, `a batch in ${revision}`, [INVALID_REQUEST]);
    }
  }
}

async function batchOfInitialize(context: Context): Promise<void> {
  const { fields } = await inSession(context, { "": answerBatch }, "2025-03-26");
  const body = [initializeRequest("2025-03-26"), callRequest(1, { mark: MARK })];
  const answer = await context.send({ body, fields });
  expectRefusal(context, answer, "initialize in a batch", [INVALID_REQUEST]);
}

async function modernBatch(context: Context): Promise<void> {
  context.mock.use(modernServer({ "": answerBatch }));
  const call = modernCall(context, {});
  const answer = await context.send({ ...call, body: [call.body] });
  expectRefusal(context, answer, "a batch in 2026-07-28", [INVALID_REQUEST, HEADER_MISMATCH]);
}

/** The checks of batches, without their group. */
export const BATCHES: readonly Omit<Scenario, "group">[] = [
  {
    id: "era.batch",
    title: "A batch in a session of 2025-03-26 is served",
    source: "2025-03-26 basic/index, Batching; R29",
    run: batchServed,
  },
  {
    id: "era.no-batch",
    title: "A batch in a session of 2025-06-18 or 2025-11-25 is refused",
    source: "2025-06-18 changelog, item 1; 2025-11-25 basic/transports; R29",
    run: batchRefused,
  },
  {
    id: "era.no-batch-modern",
    title: "A batch in 2026-07-28 is refused",
    source: `${STREAMABLE}, Sending Messages, item 4; R29`,
    run: modernBatch,
  },
  {
    id: "era.no-initialize-in-batch",
    title: "initialize in a batch is refused",
    source: "2025-03-26 basic/lifecycle, Initialization; R29",
    run: batchOfInitialize,
  },
];
