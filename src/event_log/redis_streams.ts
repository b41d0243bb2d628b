/**
 * The streams of an event log as they are in Redis or Valkey (6.2 and newer), and the scripts that work on
 * them. Each script is one step for everybody who uses the same Redis: a run of events is kept as a whole
 * or not at all.
 *
 * A stream has two keys. `PREFIX:events:STREAM` is a Redis stream with one entry an event: its id is
 * `SEQ-1`, and its only field is named by the wall-clock time of the append, in milliseconds, and has the
 * bytes. `PREFIX:newest:STREAM` has the highest number there was, held or not: without it a stream is
 * unknown, and numbers behind it that are not held are a gap. Both expire together.
 *
 * @module
 */

import type { RedisConnection, RedisReply } from "../redis/mod.ts";
import { EventLogError } from "./error.ts";
import type { LoggedEvent } from "./log.ts";
import { bytesOf, type GivenRun, headOf } from "./runs.ts";

/** What stands in place of the newest number of a stream that Redis does not know. */
export const NO_STREAM = -1;

/** Streams that one call trims at most: it is done in some milliseconds. */
const MAX_TRIMS = 500;

/** What an append writes. */
export interface RedisAppend {
  /** What Redis has to have as the newest number for anything to be done. */
  readonly expected: number;
  /** The newest number from now on. */
  readonly newest: number;
  readonly runs: readonly GivenRun[];
  /** Events ahead of this number go. */
  readonly from: number;
  /** The wall-clock time of the events, in milliseconds. */
  readonly atMs: number;
  /** After how long Redis drops the stream when nothing more comes. */
  readonly expiryMs: number;
}

/** What goes of a stream, provided that nobody else has written to it. */
export interface RedisTrim {
  readonly stream: string;
  /** What Redis has to have as the newest number for anything to be done. */
  readonly expected: number;
  /** Events ahead of this number go; all of the stream where it is left out. */
  readonly from?: number | undefined;
}

/** What Redis has behind an event. */
export interface RedisEvents {
  readonly newest: number;
  readonly events: LoggedEvent[];
  readonly more: boolean;
}

/** The sizes of a stream's events, in their order. */
export interface RedisSizes {
  /** `NO_STREAM` where there is none. */
  readonly newest: number;
  readonly sizes: readonly (readonly [seq: number, bytes: number])[];
}

/**
 * Keeps runs. Answers with the newest number where it is not the expected one, and has done nothing then.
 * What is left of a stream whose newest number has gone is nobody's.
 */
const APPEND = `
local newest = redis.call('GET', KEYS[2]) or '-1'
if newest ~= ARGV[1] then return newest end
if newest == '-1' then redis.call('DEL', KEYS[1]) end
local numbers, bytes = string.gmatch(ARGV[6], '%d+'), ARGV[7]
local begin = 1
for first in numbers do
  local seq = tonumber(first)
  for _ = 1, tonumber(numbers()) do
    local size = tonumber(numbers())
    local event = string.sub(bytes, begin, begin + size - 1)
    redis.call('XADD', KEYS[1], string.format('%.0f-1', seq), ARGV[5], event)
    begin, seq = begin + size, seq + 1
  end
end
if ARGV[3] ~= '0' then redis.call('XTRIM', KEYS[1], 'MINID', ARGV[3]) end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return false
`;

/** Gives the newest number, whether there is more, and numbers and bytes by turns. */
const AFTER = `
local newest = redis.call('GET', KEYS[2])
if not newest then return false end
local from, young, room = tonumber(ARGV[1]) + 1, tonumber(ARGV[2]), tonumber(ARGV[3])
local reply = {newest, 0}
while true do
  local page = redis.call('XRANGE', KEYS[1], string.format('%.0f', from), '+', 'COUNT', 100)
  for _, entry in ipairs(page) do
    local seq, at, bytes = tonumber(string.match(entry[1], '^%d+')), entry[2][1], entry[2][2]
    if tonumber(at) > young then
      room = room - #bytes
      if room < 0 and #reply > 2 then
        reply[2] = 1
        return reply
      end
      reply[#reply + 1] = seq
      reply[#reply + 1] = bytes
    end
    from = seq + 1
  end
  if #page < 100 then return reply end
end
`;

/** Gives the newest number, and the numbers and sizes of some events that are not too old. */
const SIZES = `
local newest = redis.call('GET', KEYS[2]) or '-1'
local from, young = ARGV[1], tonumber(ARGV[2])
local page, sizes, last = {}, {}, ''
if newest ~= '-1' then page = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1000) end
for _, entry in ipairs(page) do
  local seq = string.match(entry[1], '^%d+')
  if tonumber(entry[2][1]) > young then sizes[#sizes + 1] = seq .. ' ' .. #entry[2][2] end
  last = seq
end
return {newest, #page == 1000 and last or '', table.concat(sizes, ' ')}
`;

/** Has go what is told of streams that still have the expected newest number. */
const TRIM = `
for at = 1, #KEYS, 2 do
  if redis.call('GET', KEYS[at + 1]) == ARGV[at] then
    if ARGV[at + 1] == '' then redis.call('DEL', KEYS[at], KEYS[at + 1])
    else redis.call('XTRIM', KEYS[at], 'MINID', ARGV[at + 1]) end
  end
end
return false
`;

/** Has go what stands behind a number, which becomes the newest. */
const REWIND = `
local newest = redis.call('GET', KEYS[2])
if not newest or tonumber(newest) <= tonumber(ARGV[1]) then return false end
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '(' .. ARGV[1] .. '-1', '+')) do
  redis.call('XDEL', KEYS[1], entry[1])
end
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('XSETID', KEYS[1], ARGV[1] .. '-1') end
redis.call('SET', KEYS[2], ARGV[1], 'KEEPTTL')
return false
`;

/** The streams of one prefix. Every method throws an `EventLogError` when Redis fails. */
export class RedisStreams {
  readonly #redis: RedisConnection;

  /** Those that `redis` has under its prefix. */
  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  /**
   * Keeps events, all or none.
   *
   * @returns undefined when it is done; otherwise what Redis has as the newest number
   */
  async append(stream: string, append: RedisAppend): Promise<number | undefined> {
    const { expected, newest, runs, from, atMs, expiryMs } = append;
    const texts = [expected, newest, from, expiryMs, atMs].map(String);
    const args = [...texts, headOf(runs), bytesOf(runs)];
    const reply = await this.#run(APPEND, this.#keys(stream), args);
    return reply === null ? undefined : numberOf(reply);
  }

  /**
   * Reads the events behind `seq` that came after the wall-clock time `youngMs`: as many as fit in
   * `maxBytes`, and one in any case.
   *
   * @returns undefined for an unknown stream
   */
  async after(
    stream: string,
    seq: number,
    youngMs: number,
    maxBytes: number,
  ): Promise<RedisEvents | undefined> {
    const room = Math.min(maxBytes, Number.MAX_SAFE_INTEGER);
    const reply = await this.#run(AFTER, this.#keys(stream), [seq, youngMs, room].map(String));
    if (reply === null) return undefined;
    const [newest, more, ...rest] = reply as [RedisReply, number, ...(number | Uint8Array)[]];
    const events: LoggedEvent[] = [];
    for (let at = 0; at < rest.length; at += 2) {
      // Copied: what the client library gives is a view of all that it read at once.
      events.push({ seq: rest[at] as number, bytes: new Uint8Array(rest[at + 1] as Uint8Array) });
    }
    return { newest: numberOf(newest), events, more: more === 1 };
  }

  /** How large the events of a stream are that came after the wall-clock time `youngMs`. */
  async sizes(stream: string, youngMs: number): Promise<RedisSizes> {
    const sizes: [number, number][] = [];
    for (let from = 0;;) {
      const args = [from, youngMs].map(String);
      const reply = await this.#run(SIZES, this.#keys(stream), args);
      const [newest, last, page] = (reply as Uint8Array[]).map(textOf) as [string, string, string];
      const numbers = page === "" ? [] : page.split(" ").map(Number);
      for (let at = 0; at < numbers.length; at += 2) sizes.push([numbers[at]!, numbers[at + 1]!]);
      if (last === "") return { newest: Number(newest), sizes };
      from = Number(last) + 1;
    }
  }

  /** Has go what is told. */
  async trim(trims: readonly RedisTrim[]): Promise<void> {
    const calls: Promise<RedisReply>[] = [];
    for (let at = 0; at < trims.length; at += MAX_TRIMS) {
      const some = trims.slice(at, at + MAX_TRIMS);
      const keys = some.flatMap(({ stream }) => this.#keys(stream));
      const args = some.flatMap(({ expected, from }) => [`${expected}`, `${from ?? ""}`]);
      calls.push(this.#run(TRIM, keys, args));
    }
    await Promise.all(calls);
  }

  /** Drops the events behind `seq`, whoever wrote them. */
  async rewind(stream: string, seq: number): Promise<void> {
    await this.#run(REWIND, this.#keys(stream), [`${seq}`]);
  }

  /** Drops a stream, whoever wrote it. */
  async drop(stream: string): Promise<void> {
    try {
      await this.#redis.command("DEL", ...this.#keys(stream));
    } catch (error) {
      throw failed(error);
    }
  }

  #keys(stream: string): readonly [events: string, newest: string] {
    const { prefix } = this.#redis;
    return [`${prefix}:events:${stream}`, `${prefix}:newest:${stream}`];
  }

  /**
   * Runs a script by its text, which is measured to cost as little as by its hash. Redis not knowing the hash,
   * and the script being sent once more, would put commands in another order.
   */
  async #run(
    script: string,
    keys: readonly string[],
    args: readonly (string | Uint8Array)[],
  ): Promise<RedisReply> {
    try {
      return await this.#redis.bytesCommand("EVAL", script, String(keys.length), ...keys, ...args);
    } catch (error) {
      throw failed(error);
    }
  }
}

function failed(error: unknown): EventLogError {
  const reason = error instanceof Error ? error.message : String(error);
  return new EventLogError(`The event log in Redis cannot be used: ${reason}.`, error);
}

function textOf(reply: Uint8Array): string {
  return new TextDecoder().decode(reply);
}

function numberOf(reply: RedisReply): number {
  return Number(reply instanceof Uint8Array ? textOf(reply) : reply);
}
