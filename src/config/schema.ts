/**
 * The config: every setting with its default, its unit in its name, and what it is for.
 *
 * The descriptions are what `switchyard.schema.json` shows in an editor.
 *
 * @module
 */

import { z } from "zod";
import { configSchemas } from "../intercept/mod.ts";
import { LOG_LEVELS } from "../telemetry/mod.ts";
import { parseTarget } from "../upstream/mod.ts";
import { balanceSchema, healthSchema, targetSchema } from "./balance_schema.ts";
import { HEADER_NAME, HEADER_NAME_WANTED, isOfTheProxy, OWN_HEADER_WANTED } from "./header_name.ts";
import { count, milliseconds } from "./numbers.ts";
import { stdioSchema } from "./stdio_schema.ts";
import { publicUrlSchema } from "./oauth_schema.ts";
import { upstreamOauthSchema } from "./upstream_oauth_schema.ts";
import { authSchema, redisSchema, sessionsSchema } from "./sessions_schema.ts";
import type { Config } from "./types.ts";

const ADDRESS = /^(\[[0-9A-Fa-f:.]+\]|[^\s:[\]/@]+):(\d{1,5})$/;

/** An address to listen on, split. */
export interface ListenAddress {
  /** Without brackets. */
  readonly hostname: string;
  /** 0 to 65535. */
  readonly port: number;
}

/** `127.0.0.1:3100` or `[::1]:3100` as host and port; undefined where it is neither. */
export function parseAddress(address: string): ListenAddress | undefined {
  const match = ADDRESS.exec(address);
  if (match === null) return undefined;
  const port = Number(match[2]);
  if (port > 65535) return undefined;
  return { hostname: match[1]!.replace(/^\[|\]$/g, ""), port };
}

const address = z.string().refine((value) => parseAddress(value) !== undefined, {
  error: "host:port, such as 127.0.0.1:3100 or [::1]:3100",
});

const upstreamUrl = z.string().refine((value) => parseTarget(value, NO_TLS) !== undefined, {
  error:
    "an http:// or https:// URL without user name, password or fragment, or unix:/path/of/socket",
}).refine((value) => !/[,\s](https?:\/\/|unix:)/i.test(value), {
  error: "one URL; further servers go into targets, or each into an --upstream of its own",
});

const NO_TLS = { caCerts: [], cert: undefined, key: undefined };

const routePath = z.string().refine(isRoutePath, {
  error: "a path such as /mcp or /github/mcp, without . or .. segments, query or escapes",
});

function isRoutePath(value: string): boolean {
  return /^(\/[A-Za-z0-9._~-]+)+$/.test(value) && new URL(value, "http://x").pathname === value;
}

const allowedHost = z.string().regex(
  /^(\*|[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?)$/,
  {
    error: 'a host name without scheme or path, such as mcp.example.com, or "*"',
  },
);

const allowedOrigin = z.string().refine(isOrigin, {
  error: 'an origin without path, such as https://app.example.com, or "*"',
});

function isOrigin(value: string): boolean {
  return value === "*" || (URL.canParse(value) && new URL(value).origin === value.toLowerCase());
}

const headerName = z.string().regex(HEADER_NAME, { error: HEADER_NAME_WANTED })
  .refine((name) => !isOfTheProxy(name), { error: OWN_HEADER_WANTED });

const headerValue = z.string().regex(/^[\t\x20-\x7e]*$/, {
  error: "printable ASCII without line breaks",
});

const upstreamSchema = z.strictObject({
  url: upstreamUrl.optional().describe(
    "MCP endpoint of the server behind this route (Streamable HTTP): an http:// or https:// URL, or " +
      "unix:/path/of/socket, with :/path of the endpoint behind it unless that is /mcp. Either this, " +
      "targets or stdio.",
  ),
  targets: z.array(targetSchema(upstreamUrl)).min(1, { error: "at least one target" })
    .max(100, { error: "at most 100 targets" }).optional().describe(
      "Several servers in place of one url; a session stays with its target, and is begun anew at another " +
        "one where that is lost.",
    ),
  balance: balanceSchema.prefault({}),
  health: healthSchema.prefault({}),
  stdio: stdioSchema.optional(),
  transport: z.enum(["streamable-http", "http+sse"], { error: "streamable-http or http+sse" })
    .default("streamable-http").describe(
      "What the server at url speaks: Streamable HTTP, or HTTP+SSE of 2024-11-05 (http+sse), where url is " +
        "that of its stream, such as http://127.0.0.1:8931/sse.",
    ),
  era: z.enum(["auto", "session", "modern", "both"], { error: "auto, session, modern or both" })
    .default("auto").describe(
      "Which revisions the server speaks: those with sessions (session, up to 2025-11-25), those without " +
        "(modern, 2026-07-28 and later), or both, each towards clients of the same; auto finds out. Clients " +
        "of the other ones are translated for.",
    ),
  headers: z.record(headerName, headerValue).default({})
    .describe("Header fields added to every request to the upstream; they replace the client's."),
  credentials: z.enum(["drop", "forward"], { error: "drop or forward" }).default("drop")
    .describe(
      "Whether the client's Authorization and Cookie headers go to the upstream. " +
        "Forward only to a server for which the client's token was issued. The API key or token for this " +
        "proxy (auth) never goes there.",
    ),
  allowPrivateIssuer: z.boolean({ error: "true or false" }).default(false).describe(
    "With credentials: forward, whether the authorization server that the server names may be asked for its " +
      "metadata at an address that is not of the public internet, this machine included. Clients of 2025-03-26 " +
      "get them from the proxy; later ones ask by themselves.",
  ),
  oauth: upstreamOauthSchema.optional(),
  connectTimeoutMs: milliseconds(10_000)
    .describe("Longest time to connect, TLS included, in milliseconds."),
  headersTimeoutMs: milliseconds(300_000).describe(
    "Longest wait for the head of an answer, in milliseconds. A server that answers with JSON " +
      "sends it only when the tool has finished.",
  ),
  bodyIdleTimeoutMs: milliseconds(60_000)
    .describe("Longest silence inside a JSON answer, in milliseconds."),
  streamIdleTimeoutMs: milliseconds(3_600_000)
    .describe(
      "Longest silence inside an SSE stream, in milliseconds; also how long a server is polled that has its " +
        "stream polled and says nothing.",
    ),
  totalTimeoutMs: milliseconds(600_000)
    .describe("Longest time from a call to the end of its JSON answer, in milliseconds."),
  maxConnections: count(256, 65_536)
    .describe("Connections for calls at one time; further calls wait."),
  maxStreams: count(16_384, 65_536).describe(
    "Connections with an event stream at one time, beside those for calls; further streams count " +
      "as calls.",
  ),
  maxQueued: count(1_024, 65_536)
    .describe("Calls that may wait for a connection; further ones are answered with 503."),
  queueTimeoutMs: milliseconds(10_000)
    .describe("Longest wait for a connection, in milliseconds; then 503."),
  keepAliveMs: milliseconds(4_000).describe(
    "How long an unused connection is kept, in milliseconds; less where the server says so. Keep it " +
      "below the server's own keep-alive time (5000 for Node).",
  ),
  reconnect: z.strictObject({
    attempts: z.int({ error: "a whole number" }).min(0, { error: "at least 0" })
      .max(100, { error: "at most 100" }).default(8)
      .describe("How often in a row, until an event comes; 0 for never."),
    initialDelayMs: milliseconds(200).describe(
      "The first wait is random up to this many milliseconds, each further one up to twice as long.",
    ),
    maxDelayMs: milliseconds(30_000).describe(
      "The longest random wait, in milliseconds; what the server asks for with retry comes on top, up to " +
        "300000.",
    ),
  }).prefault({}).describe("Opening an event stream of a session again that broke off."),
  sessions: z.enum(["dedicated", "shared"], { error: "dedicated or shared" }).default("dedicated")
    .describe(
      "Whether each session of a client has one of its own upstream (dedicated), or all clients of one " +
        "principal share one upstream session (shared).",
    ),
  http2: z.boolean({ error: "true or false" }).default(false)
    .describe("Speaks HTTP/2 to the server; over http:// without negotiation."),
  tls: z.strictObject({
    caFile: z.string().min(1).optional()
      .describe("PEM file with authorities to trust beside the usual ones."),
    certFile: z.string().min(1).optional().describe(
      "PEM file with the client's certificate chain.",
    ),
    keyFile: z.string().min(1).optional()
      .describe("PEM file with the key of the client's certificate."),
  }).prefault({}).describe("Certificates for https:// upstreams."),
}).describe("The server behind a route.");

const routeSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, {
    error: "1 to 64 letters, digits, - or _",
  }).optional().describe("Name in logs and on the admin page; made from the path if left out."),
  path: routePath.describe("Path of the MCP endpoint that clients use, such as /github/mcp."),
  upstream: upstreamSchema,
  interceptors: configSchemas.interceptors.default([]).describe(
    "Interceptors of this route, in the order in which messages of the client pass them; those of " +
      "the server pass them the other way round.",
  ),
}).describe("One endpoint and the server behind it.")
  .transform((route) => ({ ...route, name: route.name ?? route.path }));

const limitsSchema = z.strictObject({
  maxRequestBytes: count(4_194_304, 1_073_741_824)
    .describe("Largest request body, in bytes."),
  maxJsonDepth: count(128, 10_000)
    .describe("Deepest nesting of arrays and objects in a request body."),
  maxBatchMessages: count(100, 10_000)
    .describe("Most messages in one JSON-RPC batch (revision 2025-03-26)."),
  requestBodyTimeoutMs: milliseconds(30_000)
    .describe("Longest time to receive a request body, in milliseconds."),
  requestHeadTimeoutMs: milliseconds(10_000).describe(
    "Longest time to receive the head of a request, in milliseconds; then 408.",
  ),
  connectionIdleTimeoutMs: milliseconds(75_000).describe(
    "How long a connection of a client is kept without a request, in milliseconds.",
  ),
  clientWriteTimeoutMs: milliseconds(60_000).describe(
    "How long a client may take nothing of its answer before it is dropped, in milliseconds.",
  ),
  maxClientConnections: count(20_000, 1_000_000).describe(
    "Connections of clients at one time; further ones are answered with 503 and closed.",
  ),
  maxSessions: count(10_000, 10_000_000)
    .describe("Sessions at one time, over all routes."),
  sessionIdleTimeoutMs: milliseconds(3_600_000).describe(
    "A session without a request or open stream for this long is forgotten, in milliseconds.",
  ),
  maxSessionsPerPrincipal: count(10_000, 10_000_000)
    .describe("Sessions of one principal at one time; then 429."),
  sessionLifetimeMs: milliseconds(604_800_000)
    .describe("A session that began so long ago is ended, in use or not, in milliseconds."),
  sessionEvictIdleMs: milliseconds(60_000, 0).describe(
    "When maxSessions is reached, the longest idle session gives way if it has been idle this " +
      "long, in milliseconds; otherwise new sessions are refused with 503.",
  ),
  maxEventBytes: count(16_777_216, 1_073_741_824)
    .describe("Largest event of an SSE stream that is looked into, in bytes."),
  keepAliveMs: milliseconds(15_000, 0).describe(
    "An event stream that is silent for so long is sent a comment, so that nothing on the way takes it " +
      "for dead, in milliseconds; 0 sends none.",
  ),
  resumeWindowMs: milliseconds(300_000, 0).describe(
    "How long a stream whose client has gone is kept going so that the client can resume it, in " +
      "milliseconds; 0 ends it at once.",
  ),
}).describe("Limits on what clients may use.");

const eventLogSchema = z.strictObject({
  store: z.enum(["memory", "sqlite", "redis", "off"], { error: "memory, sqlite, redis or off" })
    .default("memory")
    .describe(
      "Where events are kept for clients that come back: in memory, in a file that a restart does not " +
        "lose (sqlite), in Redis, which several instances share, or nowhere (off).",
    ),
  path: z.string().min(1, { error: "a file" }).optional().describe(
    "File of the store sqlite, for this proxy alone; made if there is none. Needs the permission to " +
      "write it.",
  ),
  maxEvents: count(100_000, 100_000_000)
    .describe("Events held of all streams; beyond it the oldest go."),
  maxBytes: count(67_108_864, 1_099_511_627_776).describe(
    "Bytes held of all streams, with 256 for each event; beyond it the oldest events go.",
  ),
  maxStreamEvents: count(2_000, 100_000_000)
    .describe("Events held of one stream; beyond it its oldest go."),
  maxStreamBytes: count(4_194_304, 1_099_511_627_776).describe(
    "Bytes held of one stream, with 256 for each event; beyond it its oldest events go, and a larger " +
      "event is not kept.",
  ),
  maxStreams: count(20_000, 10_000_000).describe(
    "Streams of which events are held; beyond it the one that was silent for longest goes.",
  ),
  maxAgeMs: milliseconds(600_000).describe("How long an event is held, in milliseconds."),
}).describe(
  "Keeps events of streams, so that a client whose connection broke gets what it missed.",
);

const recordSchema = z.strictObject({
  dir: z.string().min(1, { error: "a folder" }).describe(
    "Folder in which each run of the proxy writes a fixture of its own while it runs; needs the " +
      "permission to write there (-P=record).",
  ),
  maxBytes: count(524_288, 524_288).describe(
    "Bytes to record, in bytes of bodies and heads; then the recording ends and the traffic goes on.",
  ),
}).describe("Records what clients send and get, redacted (fixtures/README.md).");

/** Schema of the config file; also the shape into which environment and flags are merged. */
export const configSchema = z.strictObject({
  $schema: z.string().optional().describe("Where an editor finds switchyard.schema.json."),
  listen: address.default("127.0.0.1:3100")
    .describe("Address for clients. Port 0 picks a free one."),
  admin: z.string().refine((value) => value === "off" || parseAddress(value) !== undefined, {
    error: "host:port, such as 127.0.0.1:3101, or off",
  }).default("off").describe("Address for health and status, or off."),
  httpServer: z.enum(["switchyard", "deno"], { error: "switchyard or deno" }).default("switchyard")
    .describe(
      "What clients connect to: the proxy's own HTTP/1.1 server, or the runtime's, which has neither a " +
        "cap on connections nor deadlines for request heads and idle connections, and does not always " +
        "tell that a client has gone.",
    ),
  logLevel: z.enum(LOG_LEVELS, { error: LOG_LEVELS.join(", ") }).default("info")
    .describe("Least severe log lines to write to stderr."),
  logFormat: z.enum(["auto", "json", "pretty"], { error: "auto, json or pretty" }).default("auto")
    .describe("auto is pretty on a terminal and json elsewhere."),
  allowPublicBind: z.boolean({ error: "true or false" }).default(false).describe(
    "Allows listen and admin addresses that are not loopback, where something in front checks who " +
      "calls. With auth.keys or auth.oauth listen needs it not; admin, which checks neither, does.",
  ),
  publicUrl: publicUrlSchema.optional().describe(
    "What clients put ahead of the paths of routes, such as https://mcp.example.com; what they say in Host, with " +
      "http://, where it is left out. OAuth clients are told it, so set it behind a front that ends TLS; tokens for " +
      "the proxy (auth.oauth) are issued for it, and for http:// and listen where it is left out.",
  ),
  allowedHosts: z.array(allowedHost).default([]).describe(
    'Host names, beside the loopback ones, under which clients may call; "*" allows any.',
  ),
  allowedOrigins: z.array(allowedOrigin).default([]).describe(
    "Origins, beside loopback ones, whose web pages may call, such as https://app.example.com; " +
      '"*" allows any.',
  ),
  drainTimeoutMs: milliseconds(10_000, 0).describe(
    "After SIGTERM or SIGINT, the longest time that requests in flight may take to finish, in milliseconds.",
  ),
  watchConfig: z.boolean({ error: "true or false" }).default(true).describe(
    "Whether the config file is watched, and read again when it has changed. Without, only SIGHUP has it " +
      "read again.",
  ),
  dataDir: z.string().min(1, { error: "a folder" }).optional().describe(
    "Folder for what has to survive a restart: the key of session ids, and the file of sessions. Made " +
      "if there is none. Needs the permission to write there.",
  ),
  auth: authSchema.prefault({}),
  sessions: sessionsSchema.prefault({}),
  redis: redisSchema.optional(),
  limits: limitsSchema.prefault({}),
  eventLog: eventLogSchema.prefault({}),
  record: recordSchema.optional(),
  interceptors: configSchemas.interceptors.default([]).describe(
    "Interceptors of all routes; on the way to the server they come before those of a route.",
  ),
  routes: z.array(routeSchema).max(1_000, { error: "at most 1000 routes" }).default([])
    .describe("The endpoints, each with the server behind it."),
}) satisfies z.ZodType<Config>;
