/**
 * An archive against the field list of HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/).
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { z } from "zod";
import type { Entry, Fixture } from "../../fixtures/format/mod.ts";
import { type HarEntry, toHar } from "./har.ts";

const pair = z.strictObject({
  name: z.string(),
  value: z.string(),
  comment: z.string().optional(),
});
const ms = z.number().min(0);
/** Required fields as they are required, further ones refused, but for those that begin with _. */
const HAR_1_2 = z.strictObject({
  log: z.strictObject({
    version: z.literal("1.2"),
    creator: z.strictObject({ name: z.string().min(1), version: z.string().min(1) }),
    comment: z.string().optional(),
    entries: z.array(z.strictObject({
      startedDateTime: z.iso.datetime(),
      time: ms,
      request: z.strictObject({
        method: z.string().min(1),
        url: z.url(),
        httpVersion: z.string().min(1),
        cookies: z.array(z.unknown()),
        headers: z.array(pair),
        queryString: z.array(pair),
        postData: z.strictObject({
          mimeType: z.string(),
          params: z.array(pair),
          text: z.string(),
        }).optional(),
        headersSize: z.int().min(-1),
        bodySize: z.int().min(-1),
      }),
      response: z.strictObject({
        status: z.int().min(0),
        statusText: z.string(),
        httpVersion: z.string().min(1),
        cookies: z.array(z.unknown()),
        headers: z.array(pair),
        content: z.strictObject({
          size: z.int().min(0),
          mimeType: z.string(),
          text: z.string().optional(),
          encoding: z.string().optional(),
        }),
        redirectURL: z.string(),
        headersSize: z.int().min(-1),
        bodySize: z.int().min(-1),
      }),
      cache: z.strictObject({}),
      timings: z.strictObject({ send: ms, wait: ms, receive: ms }),
      comment: z.string().optional(),
    })),
  }),
});

const STARTED = new Date(Date.UTC(2026, 0, 2, 3, 4, 5));

type Given = Entry extends infer E ? E extends Entry ? Omit<E, "exchange"> : never : never;

function entriesOf(...exchanges: Given[][]): HarEntry[] {
  const fixture: Fixture = {
    meta: {
      format: 1,
      name: "x",
      title: "A title",
      revision: "2025-11-25",
      transport: "streamable-http",
      server: { name: "s", version: "1" },
      client: { name: "c", version: "1" },
      recorder: "switchyard 0.1.0",
      features: [],
    },
    entries: exchanges.flatMap((entries, index) =>
      entries.map((entry) => ({ ...entry, exchange: index + 1 }) as Entry)
    ),
  };
  const har = toHar(fixture, STARTED);
  HAR_1_2.parse(har);
  assertEquals(har.log.creator, { name: "switchyard", version: "0.1.0" });
  return [...har.log.entries];
}

const REQUEST: Given = {
  at: 10,
  from: "client",
  type: "request",
  method: "POST",
  target: "/mcp?sessionId={{session:1}}&a=b%20c",
  fields: [["content-type", "application/json"], ["content-length", "{{length}}"]],
};

Deno.test("toHar() writes what HAR 1.2 asks for, times and sizes included", () => {
  const [entry] = entriesOf([
    REQUEST,
    { at: 11, from: "client", type: "data", text: '{"a":' },
    { at: 13, from: "client", type: "data", text: '"é"}' },
    { at: 13, from: "client", type: "end" },
    { at: 20, from: "server", type: "response", status: 200, fields: [["content-type", "x/y"]] },
    { at: 20, from: "server", type: "data", text: "answer" },
    { at: 31, from: "server", type: "end" },
  ]);
  assertEquals(entry!.startedDateTime, "2026-01-02T03:04:05.010Z");
  assertEquals([entry!.time, entry!.timings], [21, { send: 3, wait: 7, receive: 11 }]);
  assertEquals(entry!.request.queryString, [
    { name: "sessionId", value: "{{session:1}}" },
    { name: "a", value: "b c" },
  ]);
  assertEquals(entry!.request.postData, {
    mimeType: "application/json",
    params: [],
    text: '{"a":"é"}',
  });
  assertEquals(entry!.request.bodySize, 10);
  assertEquals(entry!.response.content, { size: 6, mimeType: "x/y", text: "answer" });
});

Deno.test("toHar() writes events as text, split characters whole, and other bytes as base64", () => {
  const answer = (...pieces: Given[]): Given[] => [
    REQUEST,
    { at: 20, from: "server", type: "response", status: 200, fields: [] },
    ...pieces,
  ];
  const [events, bytes] = entriesOf(
    answer(
      { at: 20, from: "server", type: "bytes", base64: "ZGF0YTog4g==" },
      { at: 20, from: "server", type: "bytes", base64: "gqwKCg==" },
    ),
    answer({ at: 20, from: "server", type: "bytes", base64: "/wA=" }),
  );
  assertEquals(events!.response.content.text, "data: €\n\n");
  assertEquals(bytes!.response.content, {
    size: 2,
    mimeType: "",
    text: "/wA=",
    encoding: "base64",
  });
});

Deno.test("toHar() tells of what has no answer, or was broken off", () => {
  const [open, aborted, early] = entriesOf(
    [REQUEST],
    [REQUEST, { at: 30, from: "client", type: "abort" }],
    [
      REQUEST,
      { at: 11, from: "server", type: "response", status: 413, fields: [["location", "/x"]] },
      { at: 15, from: "client", type: "end" },
    ],
  );
  assertEquals([open!.response.status, open!.time], [0, 0]);
  assertEquals([aborted!.comment, aborted!.response.bodySize], ["broken off by the client", -1]);
  assertEquals(early!.response.redirectURL, "/x");
  assert(early!.timings.wait >= 0);
});
