import { assertEquals } from "@std/assert";
import { configSchema } from "./config/schema.ts";
import { CHECK_KEPT_MS, CHECK_TIMEOUT_MS, storeCheck } from "./store_check.ts";
import { keptLog } from "./testing/intercept.ts";
import { ManualClock } from "./testing/manual_clock.ts";

const FAILS = "The store of sessions (redis) fails.";
const LATE = `The store of sessions (redis) does not answer within ${CHECK_TIMEOUT_MS} ms.`;

function setUp(sessions: string, eventLog: string) {
  const clock = new ManualClock();
  const logger = keptLog();
  const asked = { sessions: 0, log: 0 };
  let answer: () => Promise<boolean> | boolean = () => false;
  let logAnswer: () => unknown = () => undefined;
  const config = configSchema.parse({});
  const check = storeCheck({
    stores: {
      sessions: {
        delete() {
          asked.sessions++;
          return answer();
        },
      },
      log: {
        after() {
          asked.log++;
          return logAnswer() as never;
        },
      },
    },
    config: {
      sessions: { ...config.sessions, store: sessions as never },
      eventLog: { ...config.eventLog, store: eventLog as never },
    },
    clock,
    logger,
  });
  return {
    clock,
    asked,
    check,
    lines: logger.lines,
    says: (next: typeof answer) => void (answer = next),
    logSays: (next: typeof logAnswer) => void (logAnswer = next),
  };
}

const fails = () => Promise.reject(new Error("ECONNREFUSED 10.0.0.1:6379"));

Deno.test("stores in memory, and a log in a file, are not asked", async () => {
  const { check, asked, says, clock } = setUp("memory", "sqlite");
  says(fails);
  assertEquals([await check(), asked, clock.timers], [[], { sessions: 0, log: 0 }, 0]);
});

Deno.test("a store is asked once a second, however often probes come, and its recovery is told", async () => {
  const { check, asked, says, clock, lines } = setUp("redis", "memory");
  assertEquals([await check(), await check(), asked.sessions], [[], [], 1]);
  says(fails);
  clock.advance(CHECK_KEPT_MS - 1);
  assertEquals([await check(), asked.sessions], [[], 1]);
  clock.advance(1);
  assertEquals([await check(), await check(), asked.sessions], [[FAILS], [FAILS], 2]);
  clock.advance(CHECK_KEPT_MS);
  assertEquals([await check(), asked.sessions], [[FAILS], 3]);
  assertEquals(lines.length, 1, "the reason is told once, in the log alone");
  says(() => false);
  clock.advance(CHECK_KEPT_MS);
  assertEquals([await check(), asked, clock.timers], [[], { sessions: 4, log: 0 }, 0]);
});

Deno.test("a store that throws at once fails too", async () => {
  const { check, says } = setUp("sqlite", "memory");
  says(() => {
    throw new Error("disk I/O error in /var/lib/secret");
  });
  assertEquals(await check(), ["The store of sessions (sqlite) fails."]);
});

Deno.test("a store that is silent is not waited for longer, nor asked again meanwhile", async () => {
  const { check, asked, says, clock } = setUp("redis", "memory");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  says(() => promise);
  const first = check();
  clock.advance(CHECK_TIMEOUT_MS - 1);
  const second = check();
  clock.advance(1);
  assertEquals([await first, await second], [[LATE], [LATE]]);
  clock.advance(10 * CHECK_KEPT_MS);
  const third = check();
  clock.advance(0);
  assertEquals([await third, asked.sessions, clock.timers], [[LATE], 1, 0]);
  resolve(false);
  await promise;
  assertEquals(await check(), []);
});

Deno.test("each store is judged by itself", async () => {
  const { check, asked, logSays } = setUp("redis", "redis");
  logSays(fails);
  assertEquals([await check(), asked], [["The event log (redis) fails."], { sessions: 1, log: 1 }]);
});
