/**
 * Streams whose events come one by one, and a client that sees them come.
 *
 * @module
 */

import type { MockScript } from "../mock/mod.ts";
import { type Call, type Context, expect, expectEqual } from "../suite/mod.ts";
import { EventReader, WireClient, type WireResponse } from "../wire/mod.ts";
import { echoResult, messageIn, progress } from "./upstreams.ts";

/** The stream that answers a call, with its events as they come. */
interface OpenStream {
  readonly client: WireClient;
  readonly response: WireResponse;
  /**
   * Waits for the notification with this number, and fails where it does not come in time. Others are
   * passed over: whether events are repeated is for `events`.
   */
  until(number: number): Promise<void>;
}

/** Begins a call that is answered with a stream. */
export async function open(context: Context, call: Call): Promise<OpenStream> {
  const { client, response } = await context.begin(call);
  expectEqual(response.status, 200, "the status of the stream");
  const events = new EventReader(response.body);
  const until = async (number: number) => {
    let seen: unknown;
    while (seen !== number) {
      const event = await context.within(events.nextEvent(), `event ${number}, which was sent`);
      expect(event !== null, `the stream ended before event ${number}, which was sent`);
      seen = messageIn(event.data)?.params?.["progress"];
    }
  };
  return { client, response, until };
}

/** Sends an event, then the next one when its gate is opened. */
export function gated(gates: readonly PromiseWithResolvers<void>[]): MockScript {
  return async (request, reply) => {
    await reply.stream();
    for (const [at, gate] of gates.entries()) {
      await reply.event({ data: progress(at + 1) });
      await gate.promise;
    }
    if (request.method === "POST") await reply.event({ data: echoResult(request) });
    await reply.end();
  };
}

/** As many gates, all closed. */
export const gates = (length: number) =>
  Array.from({ length }, () => Promise.withResolvers<void>());

/** Begins a stream and leaves it open and silent. */
export const silent: MockScript = (_, reply) => reply.stream();

/** Waits for each of 20 events before the next one may be sent. */
export async function oneByOne(
  context: Context,
  stream: OpenStream,
  steps: PromiseWithResolvers<void>[],
) {
  for (const [at, gate] of steps.entries()) {
    await stream.until(at + 1);
    gate.resolve();
  }
  await context.within(stream.response.body.bytes(), "the end of the stream");
}
