import { assertEquals } from "@std/assert";
import type { PeerMessage } from "../relay/mod.ts";
import { directoryTest, hear, settled } from "../testing/directory.ts";
import { MAX_MESSAGE_CHARACTERS } from "./peer_message.ts";

directoryTest(
  "messages arrive at who they are for, in the order each sender sends them",
  async ({ join }) => {
    const [one, two, target, aside] = [await join(), await join(), await join(), await join()];
    const to = target.directory.instance;
    aside.directory.peers.listen(() => {
      throw new Error("This was for another instance.");
    });
    const hearing = hear(target, 2_000);
    for (let count = 0; count < 1_000; count++) {
      one.directory.peers.send(to, "a", { follower: 1, say: "more", upTo: count });
      two.directory.peers.send(to, "b", { follower: 1, say: "taken", seq: count });
    }
    const heard = await hearing;
    for (const [{ directory }, stream] of [[one, "a"], [two, "b"]] as const) {
      const from = directory.instance;
      const own = heard.filter((message) => message.from === from);
      const wanted = own.map((_, at): PeerMessage =>
        stream === "a"
          ? { stream, from, follower: 1, say: "more", upTo: at }
          : { stream, from, follower: 1, say: "taken", seq: at }
      );
      assertEquals(own.length, 1_000);
      assertEquals(own, wanted);
    }
    assertEquals([one, two, target, aside].flatMap(({ troubles }) => troubles), []);
  },
);

directoryTest(
  "a message comes behind what was written before it",
  async ({ join, look, redis }) => {
    const [one, other] = [await join(), await join()];
    const key = `${redis.prefix}:log`;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    other.directory.peers.listen(() => resolve(look.command("GET", key)));
    const written = one.tap.connection.command("SET", key, "event");
    one.directory.peers.send(other.directory.instance, "a", { follower: 1, say: "more", upTo: 1 });
    assertEquals(await promise, "event");
    await written;
  },
);

directoryTest("messages that are not well-formed are dropped", async ({ join, look, redis }) => {
  const [one, other] = [await join(), await join()];
  const hearing = hear(other, 1);
  const channel = `${redis.prefix}:to:${other.directory.instance}`;
  for (const text of ["", "{", "null", '{"say":"more"}', "x".repeat(100_000)]) {
    assertEquals(await look.command("PUBLISH", channel, text), 1);
  }
  one.directory.peers.send(other.directory.instance, "a", { follower: 1, say: "refused" });
  const from = one.directory.instance;
  assertEquals(await hearing, [{ stream: "a", from, follower: 1, say: "refused" }]);
  assertEquals(other.troubles, []);
});

directoryTest(
  "a message that is too long is not sent, and a listener that throws harms none",
  async (bench) => {
    const [one, other] = [await bench.join(), await bench.join()];
    const to = other.directory.instance;
    const broken = "x".repeat(MAX_MESSAGE_CHARACTERS);
    one.directory.peers.send(to, "a", { follower: 1, say: "close", upTo: 1, broken });
    assertEquals(one.troubles.length, 1);
    const { promise, resolve } = Promise.withResolvers<void>();
    let heard = 0;
    other.directory.peers.listen(() => {
      if (++heard === 3) resolve();
      throw new Error("broken");
    });
    for (let count = 0; count < 3; count++) {
      one.directory.peers.send(to, "a", { follower: 1, say: "refused" });
    }
    await promise;
    assertEquals(other.troubles.length, 1);
  },
);

directoryTest(
  "nobody hears what is said before they listen, or behind their end",
  async (bench) => {
    const [one, other] = [await bench.join(), await bench.join()];
    const to = other.directory.instance;
    one.directory.peers.send("nobody", "a", { follower: 1, say: "refused" });
    await settled(one);
    const hearing = hear(other, 1);
    one.directory.peers.send(to, "b", { follower: 1, say: "refused" });
    assertEquals((await hearing).map(({ stream }) => stream), ["b"]);
    other.directory.peers.listen(() => {
      throw new Error("It has ended.");
    });
    other.tap.unsubscribes = false;
    await other.directory.shutdown();
    one.directory.peers.send(to, "c", { follower: 1, say: "refused" });
    await settled(one);
    // Sent behind the message, on the connection on which that comes.
    await (await other.tap.connection.subscribe(`${bench.redis.prefix}:x`, () => {}))();
    assertEquals([one.troubles, other.troubles], [[], []]);
  },
);
