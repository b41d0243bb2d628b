/**
 * The answer reaches the client as the server sent it: status, fields, and the bytes of JSON. Event
 * streams have checks of their own.
 *
 * @module
 */

import { type Context, expect, expectEqual, type Scenario } from "../suite/mod.ts";
import { BYTES } from "./answer_bytes.ts";
import { STATUSES } from "./answer_status.ts";
import { call, resultWith } from "./scripted_answer.ts";

const TRANSPORT = "2025-11-25 basic/transports, Sending Messages to the Server";

async function contentType(context: Context): Promise<void> {
  const answer = await call(context, (reply) => reply.json(resultWith("1")));
  const type = answer.field("content-type") ?? "";
  expect(/^application\/json(;|$)/i.test(type), `Content-Type of the answer is ${type}`);
}

async function unknownFields(context: Context): Promise<void> {
  const sent = {
    "x-unknown": 'a, b; c="d"',
    "cache-control": "no-store",
    "deprecation": "@1688169599",
    "x-empty": "",
  };
  const answer = await call(
    context,
    (reply) =>
      reply.json(resultWith("1"), 200, [...Object.entries(sent), ["x-two", "1"], ["x-two", "2"]]),
  );
  for (const [name, value] of Object.entries(sent)) {
    expectEqual(answer.field(name), value, `${name} of the answer`);
  }
  expectEqual(answer.field("x-two"), "1, 2", "a field of the answer that came twice");
}

const FIELDS: readonly Omit<Scenario, "group">[] = [
  {
    id: "answer.content-type",
    title: "JSON comes as application/json",
    source: `${TRANSPORT}, item 5`,
    run: contentType,
  },
  {
    id: "answer.unknown-fields",
    title: "Fields that a proxy does not know come as the server wrote them",
    source: "RFC 9110 section 5.1",
    run: unknownFields,
  },
];

/** The checks of answers that are no event streams. */
export const ANSWER: readonly Scenario[] = [...BYTES, ...FIELDS, ...STATUSES]
  .map((rule) => ({ ...rule, group: "answer" }));
