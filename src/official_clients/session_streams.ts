/**
 * Session-era cases in which the server speaks first: on the stream of a call, or on the GET stream.
 *
 * Source: 2025-11-25 basic/transports "Sending Messages to the Server", "Listening for Messages
 * from the Server" and "Resumability and Redelivery"; client/sampling, client/elicitation,
 * client/roots, server/resources "Subscriptions", server/utilities/logging.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type SessionClient, textOf } from "./session_client.ts";
import type { SessionCase, Setup } from "./session_case.ts";
import { FIXTURE, REFERENCE } from "./session_targets.ts";

const LOG = "notifications/message";
const UPDATED = "notifications/resources/updated";

function logs({ received }: SessionClient) {
  return received.items.filter(({ method }) => method === LOG);
}

async function logAtDebug({ client, target }: Setup): Promise<void> {
  await client.watch.listening();
  await client.methods.setLoggingLevel("debug");
  await client.call(target.log);
  const { params } = await client.received.first("a log line", ({ method }) => method === LOG);
  assert(typeof params?.["data"] === "string");
  assert(typeof params?.["level"] === "string");
}

async function logByLevel({ client, target }: Setup): Promise<void> {
  await client.methods.setLoggingLevel("error");
  await client.call(target.log);
  assertEquals(logs(client), []);
  await client.methods.setLoggingLevel("info");
  await client.call(target.log);
  assertEquals(
    logs(client).map(({ params }) => params?.["data"]),
    ["first line", "second line", "third line"],
  );
}

async function sample({ client, target }: Setup): Promise<void> {
  const result = await client.call(target.sample);
  assertStringIncludes(textOf(result), target.answers.sampled);
  assertEquals(client.asked.items.filter((method) => method !== "roots/list"), [
    "sampling/createMessage",
  ]);
}

async function elicit({ client, target }: Setup): Promise<void> {
  const result = await client.call(target.elicit);
  for (const value of Object.values(target.answers.elicited)) {
    assertStringIncludes(textOf(result), value);
  }
  assert(client.asked.items.includes("elicitation/create"));
}

/** Both clients are asked at the same time; the server numbers its requests alike for both. */
async function sampleForTwo({ client, another, target }: Setup): Promise<void> {
  const other = await another();
  const results = await Promise.all(
    [client, other, client, other].map((each) => each.call(target.sample)),
  );
  for (const result of results) assertStringIncludes(textOf(result), target.answers.sampled);
  for (const { asked } of [client, other]) {
    assertEquals(asked.items.filter((method) => method === "sampling/createMessage").length, 2);
  }
}

async function listRoots({ client, target }: Setup): Promise<void> {
  await client.watch.listening();
  const result = await client.call({ name: "get-roots-list", arguments: {} });
  for (const { uri } of target.answers.roots) assertStringIncludes(textOf(result), uri);
  const before = client.asked.items.filter((method) => method === "roots/list").length;
  await client.methods.sendRootsListChanged();
  await client.asked.take(
    before + 1,
    "the server's question after the roots changed",
    (method) => method === "roots/list",
  );
}

async function subscribe({ client, another, target }: Setup): Promise<void> {
  const bystander = await another();
  await Promise.all([client.watch.listening(), bystander.watch.listening()]);
  await client.methods.subscribeResource({ uri: target.watched });
  await client.call(target.touch);
  const { params } = await client.received.first("the update", ({ method }) => method === UPDATED);
  assertEquals(params, { uri: target.watched });
  await bystander.methods.ping();
  assert(!bystander.received.items.some(({ method }) => method === UPDATED));
}

async function unsubscribe({ client, target }: Setup): Promise<void> {
  await client.watch.listening();
  await client.methods.subscribeResource({ uri: target.watched });
  await client.methods.unsubscribeResource({ uri: target.watched });
  await client.call(target.touch);
  await client.call(target.changeLists);
  await client.received.first(
    "the notification after the update",
    ({ method }) => method === target.listChanges[0],
  );
  assert(!client.received.items.some(({ method }) => method === UPDATED));
}

async function changeLists({ client, target }: Setup): Promise<void> {
  await client.watch.listening();
  await client.call(target.changeLists);
  for (const change of target.listChanges) {
    await client.received.first(change, ({ method }) => method === change);
  }
}

async function reconnect({ client, relay }: Setup): Promise<void> {
  const tokens: string[] = [];
  const result = await client.call({ name: "test_reconnection", arguments: {} }, {
    onresumptiontoken: (token) => tokens.push(token),
  });
  assertStringIncludes(textOf(result), "came back");
  const resumed = relay.arrived.items.filter(({ method, headers }) =>
    method === "GET" && headers.has("last-event-id")
  );
  // The client came back with an event id of the proxy's, which the server never sees (R77).
  assertEquals(resumed.length, 1);
  assert(!tokens.includes(resumed[0]!.headers.get("last-event-id")!));
}

/** Cases in which the server speaks first. */
export const STREAMS: readonly SessionCase[] = [
  { name: "log lines arrive after logging/setLevel", run: logAtDebug },
  {
    name: "log lines of a call arrive on its stream, and only those of the level set",
    only: FIXTURE,
    run: logByLevel,
  },
  { name: "the server samples the client's model during a call", run: sample },
  { name: "the server elicits from the user during a call", run: elicit },
  { name: "two clients are asked at once and each answers for itself", run: sampleForTwo },
  {
    name: "the server asks for the roots on the GET stream, and again when they changed",
    only: REFERENCE,
    run: listRoots,
  },
  { name: "a resource's update arrives on the GET stream of its subscriber", run: subscribe },
  {
    name: "no update arrives after resources/unsubscribe",
    only: FIXTURE,
    run: unsubscribe,
  },
  { name: "list changes arrive on the GET stream", run: changeLists },
  {
    name: "a call whose stream the server ends is resumed with Last-Event-ID",
    only: FIXTURE,
    resumes: true,
    run: reconnect,
  },
];
