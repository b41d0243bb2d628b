/**
 * Registers the table of session-era cases for one client.
 *
 * @module
 */

import { startSessionServer } from "../../conformance/servers/session.ts";
import { startReferenceServer } from "../cli/reference.ts";
import { CALLS } from "./session_calls.ts";
import { runCase, type SessionCase } from "./session_case.ts";
import type { Connect } from "./session_client.ts";
import { LIFECYCLE } from "./session_lifecycle.ts";
import { STREAMS } from "./session_streams.ts";
import { FIXTURE, REFERENCE, type SessionTarget } from "./session_targets.ts";

const CASES: readonly SessionCase[] = [...CALLS, ...STREAMS, ...LIFECYCLE];

function casesFor(target: SessionTarget, isShared: boolean): SessionCase[] {
  return CASES.filter(({ only, dedicated }) =>
    (only === undefined || only === target) && !(isShared && dedicated)
  );
}

/**
 * One test per case with the session server of this repository, and one test with a step per case
 * with the reference server, which is started once for all of them.
 */
export function testSessionEra(
  client: string,
  connect: Connect,
  sessions: "dedicated" | "shared" = "dedicated",
): void {
  const isShared = sessions === "shared";
  for (const each of casesFor(FIXTURE, isShared)) {
    Deno.test(`${client}, session server: ${each.name}`, async () => {
      const server = startSessionServer();
      try {
        await runCase(each, FIXTURE, server.url, connect, sessions);
      } finally {
        await server.close();
      }
    });
  }

  Deno.test(`${client}, reference server`, async (t) => {
    const server = await startReferenceServer();
    try {
      for (const each of casesFor(REFERENCE, isShared)) {
        await t.step(each.name, () => runCase(each, REFERENCE, server.url, connect, sessions));
      }
    } finally {
      await server.stop();
    }
  });
}
