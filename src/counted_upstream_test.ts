import { assertEquals, assertRejects } from "@std/assert";
import { countedUpstream } from "./counted_upstream.ts";
import * as balance from "./testing/balance.ts";
import * as relay from "./testing/relay.ts";
import * as share from "./testing/share.ts";

Deno.test("whenIdle() waits for all answers, whatever was asked and however they end", async () => {
  const server = new share.FakeServer();
  const counted = countedUpstream(server);
  await counted.whenIdle();
  const bodies: relay.FilledBody[] = [];
  server.script = ({ kind }) => {
    if (kind === "terminate") return Promise.reject(new Error("no"));
    const { answer, filled } = server.events();
    bodies.push(filled);
    return Promise.resolve(answer);
  };
  const call = balance.balancedCall();
  const body = new TextEncoder().encode("{}");
  const asked = [counted.exchange(call, body), counted.notify(call, body), counted.listen(call)];
  await Promise.all(asked);
  await assertRejects(() => counted.terminate(call));
  let idle = 0;
  for (let waiter = 0; waiter < 2; waiter++) void counted.whenIdle().then(() => idle++);
  const ends = [
    () => bodies[0]!.body.finish(),
    () => bodies[1]!.body.discard(),
    () => bodies[2]!.body.fail(balance.closed(true)),
  ];
  for (const [at, end] of ends.entries()) {
    assertEquals(idle, 0, `${at} of 3 are over`);
    end();
    await relay.settled();
  }
  assertEquals(idle, 2);
  await counted.close();
  assertEquals(server.closed, true);
});
