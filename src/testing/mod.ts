/**
 * What tests share: a proxy in this process, a scripted upstream on a raw socket, a raw client, a
 * clock that stands still until told.
 *
 * Imported by tests alone.
 *
 * @module
 */

export * as admin from "./admin.ts";
export * as balanceHealth from "./balance_health.ts";
export * as chaos from "./chaos.ts";
export * as cluster from "./cluster.ts";
export * as askers from "./askers.ts";
export * as faulty from "./faulty_server.ts";
export { type TestIssuer, testIssuer, TestKeys } from "./issuer.ts";
export * as oauthCallers from "./oauth_callers.ts";
export * as herd from "./herd.ts";
export * as eventClient from "./event_client.ts";
export { type EventServer, eventServer, type ServerStream } from "./event_server.ts";
export { ManualClock } from "./manual_clock.ts";
export { exchange, jsonPost, postText, RawClient, type RawResponse } from "./raw_client.ts";
export { type ResetServer, resetServer } from "./reset_server.ts";
export { seededRandom as seeded } from "../http1/fuzz_cases.ts";
export { TEST_LIMITS, type TestServer, testServer } from "./server.ts";
export { type TestProxy, testProxy, type TestProxyOptions, withProxy } from "./proxy.ts";
export { jsonAnswer, type ReceivedRequest, scriptedUpstream } from "./scripted_upstream.ts";
export type { ScriptedConnection, ScriptedUpstream } from "./scripted_upstream.ts";
export { type OpenAnswer, openAnswer, wholeAnswer } from "./upstream_answer.ts";
export * as relay from "./relay.ts";
export { sessionTable } from "./session_table.ts";
export { sseCaller, sseGet } from "./sse_caller.ts";
export * as sse from "./sse_setup.ts";
export { assertGone, rpcError, SessionCaller } from "./session_caller.ts";
export {
  sessionRequest,
  type SessionUpstream,
  sessionUpstream,
  UNKNOWN,
} from "./session_upstream.ts";
export * as speaking from "./speaking_upstream.ts";
export * as streams from "./streams.ts";
export * as balance from "./balance.ts";
export * as balanced from "./balanced.ts";
export * as messages from "./messages.ts";
export * as modern from "./as_modern.ts";
export { GATE_METADATA, type TokenGate, tokenGate } from "./token_gate.ts";
export * as ownTokens from "./own_tokens.ts";
export * as serverToken from "./server_token.ts";
export { builtinUnderTest } from "./builtin.ts";
export { entry, errorOf, interceptContext, keptLog, messageOf } from "./intercept.ts";
export { now, pipelineUnderTest } from "./intercept.ts";
export * as channel from "./channel.ts";
export * as modernChannel from "./modern_channel.ts";
export * as peers from "./peer_servers.ts";
export * as peerClients from "./peer_clients.ts";
export * as reloading from "./reload.ts";
export * as processes from "./processes.ts";
export * as stdioClient from "./stdio_client.ts";
export * as share from "./share.ts";
export { alteredConnection, hasRedis, redisTest, type TestRedis, withRedis } from "./redis.ts";
export { PROJECT, startProgram } from "./program.ts";
export { type ProgramInstance, withProgramInstances } from "./program_instances.ts";
export * as probing from "./probing.ts";
