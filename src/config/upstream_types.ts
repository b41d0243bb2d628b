/**
 * The servers of a loaded config: where they are, how they are reached, and what is done where they fail.
 *
 * @module
 */

/** A server that is a program on stdio. */
export interface StdioConfig {
  /** The program. */
  readonly command: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Its environment beside what every program gets. */
  readonly env: Readonly<Record<string, string>>;
  /** Its working directory; the proxy's own where it is left out. */
  readonly cwd?: string | undefined;
  /** Processes at one time. */
  readonly maxProcesses: number;
  /** Longest wait for the first answer of a program that was just started. */
  readonly startTimeoutMs: number;
  /** How long it may take to end at each step. */
  readonly closeMs: number;
}

/** One of several servers that are the same to clients. */
export interface TargetConfig {
  /** Its name in logs and session ids. */
  readonly name: string;
  /** MCP endpoint. */
  readonly url: string;
  /** Its share of the calls, beside the others' weights. */
  readonly weight: number;
}

/** Which target gets a call that belongs to none. */
export type BalancePolicy =
  | "round-robin"
  | "least-connections"
  | "random-two"
  | "hash-session"
  | "hash-principal";

/** How calls are shared among targets. */
export interface BalanceConfig {
  /** Which target gets a call that belongs to none. */
  readonly policy: BalancePolicy;
  /** How many further targets a call may be sent to. */
  readonly retries: number;
  /** Retries in percent of the calls of the last ten seconds. */
  readonly retryBudgetPercent: number;
  /** Retries a second that are always allowed. */
  readonly retryMinPerSecond: number;
}

/** How failing targets are noticed, left alone and taken back. */
export interface HealthConfig {
  /** What each target is asked: `auto`, `off`, `ping`, `discover`, or a path. */
  readonly probe: string;
  /** Time between two probes. */
  readonly intervalMs: number;
  /** Longest wait for a probe's answer. */
  readonly timeoutMs: number;
  /** Failed probes in a row that take a target down. */
  readonly unhealthyAfter: number;
  /** Good probes in a row that bring it back. */
  readonly healthyAfter: number;
  /** Failed calls in a row that eject a target; 0 for never. */
  readonly maxFailures: number;
  /** How many times the others' median time to answer is too slow; 0 for never. */
  readonly slowFactor: number;
  /** A median time to answer below this is never too slow. */
  readonly slowMinMs: number;
  /** The first ejection. */
  readonly ejectMs: number;
  /** The longest ejection. */
  readonly maxEjectMs: number;
  /** The time in which a target that comes back grows to its full share. */
  readonly slowStartMs: number;
  /** Calls in a row that ran into a deadline, after which nothing is sent for a while; 0 for never. */
  readonly breakerTimeouts: number;
  /** How long nothing is sent then. */
  readonly breakerMs: number;
}

/** Credentials of the proxy's own for a server that wants access tokens. */
export interface UpstreamOauthConfig {
  /** The authorization server at which the client is registered, exactly as it writes itself. */
  readonly issuer: string;
  /** The id of the client. */
  readonly clientId: string;
  /** How the client shows who it is. */
  readonly authentication: "client_secret_basic" | "client_secret_post" | "private_key_jwt";
  /** Its secret; left out with `private_key_jwt`. */
  readonly clientSecret?: string | undefined;
  /** Its private key, as PEM or JWK. */
  readonly privateKey?: string | undefined;
  /** A file with that key in its place. */
  readonly privateKeyFile?: string | undefined;
  /** The name of the key at the authorization server. */
  readonly keyId?: string | undefined;
  /** Scopes to ask for; left out, what the server wants. */
  readonly scopes?: readonly string[] | undefined;
  /** What tokens are asked for; left out, what the server's metadata say. */
  readonly resource?: string | undefined;
  /** Whether the authorization server may be at a private address, or on this machine. */
  readonly allowPrivateAddresses: boolean;
}

/** The server behind a route. */
export interface UpstreamConfig {
  /** MCP endpoint; left out where `targets` or `stdio` is given. */
  readonly url?: string | undefined;
  /** Several servers in place of one `url`. */
  readonly targets?: readonly TargetConfig[] | undefined;
  /** The program that the server is; left out where it is reached over HTTP. */
  readonly stdio?: StdioConfig | undefined;
  /** How calls are shared among the targets. */
  readonly balance: BalanceConfig;
  /** How failing targets are noticed. */
  readonly health: HealthConfig;
  /** What the server at `url` speaks. */
  readonly transport: "streamable-http" | "http+sse";
  /** Which revisions it speaks; `auto` finds out. */
  readonly era: "auto" | "session" | "modern" | "both";
  /** Header fields that replace the client's. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the client's credentials go upstream. */
  readonly credentials: "drop" | "forward";
  /** Whether the authorization server that it names may be asked at a private address, or on this machine. */
  readonly allowPrivateIssuer: boolean;
  /** Credentials of the proxy's own, where the server wants access tokens. */
  readonly oauth?: UpstreamOauthConfig | undefined;
  /** Longest time to connect. */
  readonly connectTimeoutMs: number;
  /** Longest wait for the head of an answer. */
  readonly headersTimeoutMs: number;
  /** Longest silence inside a JSON answer. */
  readonly bodyIdleTimeoutMs: number;
  /** Longest silence inside a stream. */
  readonly streamIdleTimeoutMs: number;
  /** Longest time from a call to the end of its JSON answer. */
  readonly totalTimeoutMs: number;
  /** Connections for calls at one time. */
  readonly maxConnections: number;
  /** Connections with an event stream at one time, beside those for calls. */
  readonly maxStreams: number;
  /** Requests that may wait for a connection. */
  readonly maxQueued: number;
  /** Longest wait for a connection. */
  readonly queueTimeoutMs: number;
  /** How long an unused connection is kept. */
  readonly keepAliveMs: number;
  /** Opening an event stream again that broke off. */
  readonly reconnect: {
    /** How often in a row. */
    readonly attempts: number;
    /** Longest first wait. */
    readonly initialDelayMs: number;
    /** Longest wait. */
    readonly maxDelayMs: number;
  };
  /** Whether sessions of clients have upstream sessions of their own, or share one. */
  readonly sessions: "dedicated" | "shared";
  /** Whether the server is spoken to in HTTP/2. */
  readonly http2: boolean;
  /** Certificates. */
  readonly tls: {
    /** PEM file with authorities to trust beside the usual ones. */
    readonly caFile?: string | undefined;
    /** PEM file with the client's certificate chain. */
    readonly certFile?: string | undefined;
    /** PEM file with the key of the client's certificate. */
    readonly keyFile?: string | undefined;
  };
}
