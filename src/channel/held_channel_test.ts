import { assertEquals, assertThrows } from "@std/assert";
import { ProxyError } from "../errors.ts";
import type { Channel } from "./channel.ts";
import { HeldChannel } from "./held_channel.ts";

/** A channel that notes what is done with it. */
function noted(send: () => Promise<void> = () => Promise.resolve()) {
  const done: string[] = [];
  const channel: Channel = {
    send: (text) => {
      done.push(text);
      return send();
    },
    pause: () => void done.push("(pause)"),
    resume: () => void done.push("(resume)"),
    close: () => {
      done.push("(close)");
      return Promise.resolve();
    },
  };
  return { done, channel };
}

const GONE = new ProxyError("upstream_closed", "It has gone.");

Deno.test("HeldChannel: a pause from before the channel was there holds for it", () => {
  const held = new HeldChannel();
  const { done, channel } = noted();
  held.pause();
  held.use(channel);
  held.resume();
  assertEquals([done, held.isOpen], [["(pause)", "(resume)"], true]);
  const other = noted();
  const open = new HeldChannel();
  open.pause();
  open.resume();
  open.use(other.channel);
  assertEquals(other.done, []);
});

Deno.test("HeldChannel: nothing is sent any more once it is over, and the first reason stays", async () => {
  const held = new HeldChannel();
  const { done, channel } = noted();
  held.use(channel);
  assertEquals([held.end(GONE), held.isOver], [true, true]);
  assertEquals(held.end(new ProxyError("upstream_timeout", "Too late.")), false);
  assertThrows(() => held.send("a"), ProxyError, "It has gone.");
  held.tell("b", () => {});
  held.pause();
  held.resume();
  await held.close();
  assertEquals(done, ["(close)"]);
});

Deno.test("HeldChannel: what is told is lost where there is no channel yet, or it takes nothing", async () => {
  let lost = 0;
  const held = new HeldChannel();
  held.tell("a", () => lost++);
  assertEquals([held.close(), lost], [undefined, 0]);
  const { done, channel } = noted(() => Promise.reject(GONE));
  held.use(channel);
  held.tell("b", () => lost++);
  await Promise.resolve();
  assertEquals([done, lost], [["b"], 1]);
});
