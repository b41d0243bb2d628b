/**
 * A loaded config, as the rest of the program sees it. What each setting is for, its default and its
 * limits stand in `schema.ts`, which the compiler holds to these types. Those of the servers are in
 * `upstream_types.ts`.
 *
 * @module
 */

import type { ConfigInterceptor } from "../intercept/mod.ts";
import type { LogLevel } from "../telemetry/mod.ts";
import type { UpstreamConfig } from "./upstream_types.ts";

/** A complete config: defaults filled in, everything checked. Never changed after it is loaded. */
export interface Config {
  /** Address for clients, `host:port`. */
  readonly listen: string;
  /** Address for health and status, or `off`. */
  readonly admin: string;
  /** What clients connect to: the proxy's own HTTP server or the runtime's. */
  readonly httpServer: "switchyard" | "deno";
  /** Least severe log lines to write. */
  readonly logLevel: LogLevel;
  /** How log lines are written. */
  readonly logFormat: "auto" | "json" | "pretty";
  /** Whether addresses that are not loopback are allowed. */
  readonly allowPublicBind: boolean;
  /** What clients put ahead of the paths of routes, without / at its end; left out, as each use of it says. */
  readonly publicUrl?: string | undefined;
  /** Host names beside the loopback ones. */
  readonly allowedHosts: readonly string[];
  /** Origins beside loopback ones. */
  readonly allowedOrigins: readonly string[];
  /** Longest time that requests in flight may take to finish when the proxy stops. */
  readonly drainTimeoutMs: number;
  /** Whether the config file is watched, and read again when it has changed. */
  readonly watchConfig: boolean;
  /** Folder for what has to survive a restart. */
  readonly dataDir?: string | undefined;
  /** Who may call. */
  readonly auth: AuthConfig;
  /** How sessions are named and kept. */
  readonly sessions: SessionsConfig;
  /** Redis or Valkey, for the stores that use it. */
  readonly redis?: RedisConfig | undefined;
  /** What clients may use. */
  readonly limits: LimitsConfig;
  /** Which events are kept for clients that come back. */
  readonly eventLog: EventLogConfig;
  /** Where the traffic is recorded; nowhere where it is left out. */
  readonly record?: RecordConfig | undefined;
  /** Interceptors of all routes; on the way to the server they come before those of a route. */
  readonly interceptors: readonly ConfigInterceptor[];
  /** The endpoints, at least one where the proxy is to serve. */
  readonly routes: readonly RouteConfig[];
}

/** Who may call. */
export interface AuthConfig {
  /** Header field that holds the key alone; `Authorization: Bearer` where it is left out. */
  readonly header?: string | undefined;
  /** Keys that callers may have, by their hashes. */
  readonly keys: readonly { readonly name: string; readonly sha256: string }[];
  /** Access tokens that callers may have; nobody's where it is left out. */
  readonly oauth?: OauthConfig | undefined;
}

/** Access tokens of an authorization server. */
export interface OauthConfig {
  /** The authorization server, exactly as it writes itself. */
  readonly issuer: string;
  /** What tokens have to be issued for; the URL of the route where it is left out. */
  readonly audience?: string | readonly string[] | undefined;
  /** Where its keys are; found out from its metadata where it is left out. */
  readonly jwksUri?: string | undefined;
  /** With what tokens may be signed. */
  readonly algorithms: readonly string[];
  /** Scopes that every request needs. */
  readonly scopes: readonly string[];
  /** How far its clock may be from this one. */
  readonly clockToleranceSeconds: number;
  /** The claim that names a caller in log lines. */
  readonly nameClaim?: string | undefined;
  /** Whether it may be at a private address, or on this machine. */
  readonly allowPrivateAddresses: boolean;
}

/** How sessions are named and kept. */
export interface SessionsConfig {
  /** Where they are kept. */
  readonly store: "memory" | "sqlite" | "redis";
  /** The file of the store `sqlite`. */
  readonly path?: string | undefined;
  /** Secrets that seal session ids: the first seals, all open. */
  readonly keys: readonly string[];
}

/** Redis or Valkey. */
export interface RedisConfig {
  /** Where it is. */
  readonly url: string;
  /** What all keys and channels begin with. */
  readonly prefix: string;
  /** Longest wait for it. */
  readonly timeoutMs: number;
}

/** Limits on what clients may use. */
export interface LimitsConfig {
  /** Largest request body. */
  readonly maxRequestBytes: number;
  /** Deepest nesting of JSON. */
  readonly maxJsonDepth: number;
  /** Most messages in a batch. */
  readonly maxBatchMessages: number;
  /** Longest time to receive a request body. */
  readonly requestBodyTimeoutMs: number;
  /** Longest time to receive the head of a request. */
  readonly requestHeadTimeoutMs: number;
  /** How long a connection of a client is kept without a request. */
  readonly connectionIdleTimeoutMs: number;
  /** How long a client may take nothing of its answer. */
  readonly clientWriteTimeoutMs: number;
  /** Connections of clients at one time. */
  readonly maxClientConnections: number;
  /** Sessions at one time. */
  readonly maxSessions: number;
  /** Longest time a session may be unused. */
  readonly sessionIdleTimeoutMs: number;
  /** Sessions of one principal at one time. */
  readonly maxSessionsPerPrincipal: number;
  /** Longest time from the start of a session to its end. */
  readonly sessionLifetimeMs: number;
  /** How long the longest idle session must have been idle to give way. */
  readonly sessionEvictIdleMs: number;
  /** Largest event of an SSE stream that is looked into. */
  readonly maxEventBytes: number;
  /** How long an event stream may be silent before it is sent a comment; 0 for ever. */
  readonly keepAliveMs: number;
  /** How long a stream whose client has gone is kept going. */
  readonly resumeWindowMs: number;
}

/** Keeping the events of streams for clients that come back. */
export interface EventLogConfig {
  /** Where they are kept. */
  readonly store: "memory" | "sqlite" | "redis" | "off";
  /** The file of the store `sqlite`. */
  readonly path?: string | undefined;
  /** Events of all streams. */
  readonly maxEvents: number;
  /** Bytes of all streams, with what each event costs beside its own. */
  readonly maxBytes: number;
  /** Events of one stream. */
  readonly maxStreamEvents: number;
  /** Bytes of one stream, with what each event costs beside its own. */
  readonly maxStreamBytes: number;
  /** Streams. */
  readonly maxStreams: number;
  /** How long an event is held. */
  readonly maxAgeMs: number;
}

/** Recording what clients send and get. */
export interface RecordConfig {
  /** The folder in which each run makes one of its own. */
  readonly dir: string;
  /** Bytes to hold; then capture stops and the traffic goes on. */
  readonly maxBytes: number;
}

/** One endpoint and the server behind it. */
export interface RouteConfig {
  /** Name in logs; the path where none is given. */
  readonly name: string;
  /** Path that clients use. */
  readonly path: string;
  /** The server behind it. */
  readonly upstream: UpstreamConfig;
  /** Interceptors of this route, in the order in which messages of the client pass them. */
  readonly interceptors: readonly ConfigInterceptor[];
}
