/**
 * Proxies that send requests more than once.
 *
 * @module
 */

import { ofGroup } from "../broken_proxy.ts";
import { fieldOf, textOf } from "../message.ts";

/** The broken proxies that send requests more than once. */
export const ONCE = ofGroup("once", [
  {
    name: "sends-calls-twice",
    needsTimeouts: true,
    describe: "sends each call twice and throws one answer away",
    breaks: [
      "once.answered",
      "once.answered-with-a-stream",
      "once.concurrent",
      "once.closed-inside-the-head",
      "once.closed-inside-the-body",
      "once.reset-inside-a-stream",
      "once.no-http",
      "once.timeout-before-the-head",
      "once.timeout-inside-the-body",
      "once.slow-answer",
      "once.error-status",
      "once.unused-connection-closed",
      "once.client-leaves-before-the-answer",
      "once.client-leaves-its-stream",
    ],
    make: () => ({
      back: {
        request: ({ body, bytes }) =>
          textOf(body).includes('"tools/call"') ? { also: bytes } : undefined,
      },
    }),
  },
  {
    name: "sends-notifications-twice",
    describe: "sends each notification twice",
    breaks: ["once.session-messages"],
    make: () => ({
      back: {
        request: ({ body, bytes }) =>
          textOf(body).includes('"notifications/') ? { also: bytes } : undefined,
      },
    }),
  },
  {
    name: "sends-gets-twice",
    describe: "sends each GET twice",
    breaks: ["once.get-refused-once"],
    make: () => ({
      back: { request: ({ method, bytes }) => method === "GET" ? { also: bytes } : undefined },
    }),
  },
  {
    name: "takes-405-for-later",
    withEventLog: true,
    describe: "asks again for the rest of a stream where the server has answered 405",
    breaks: ["once.resumption-refused-once"],
    make: () => ({
      back: {
        answer: ({ status }, { fields }) =>
          status === 405 && fieldOf(fields, "last-event-id") !== undefined
            ? { status: 503 }
            : undefined,
      },
    }),
  },
  {
    name: "retries-without-an-answer",
    describe: "sends a request again where the server ends the connection without an answer",
    breaks: ["once.closed-without-an-answer", "once.reset-without-an-answer"],
    make: () => ({ back: { unanswered: "retry", request: () => undefined } }),
  },
]);
