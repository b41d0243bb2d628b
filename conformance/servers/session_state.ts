import type { ClientCapabilities, LoggingLevel } from "./sdk_v1.ts";

const LEVELS: readonly LoggingLevel[] = [
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
];

const LISTS = ["tools", "prompts", "resources"] as const;

/** A notification outside of any call; it goes to the session's GET stream. */
export interface SessionNotification {
  readonly method:
    | "notifications/resources/updated"
    | `notifications/${typeof LISTS[number]}/list_changed`;
  readonly params?: { readonly uri: string };
}

/** What a session has of its server. */
export interface SessionWays {
  /** Sends a notification outside of any call. */
  readonly notify: (notification: SessionNotification) => Promise<void>;
  /** What the client said it can do. */
  readonly clientCapabilities?: () => ClientCapabilities;
  /** Told that a call of `test_wait` was cancelled. */
  readonly cancelled?: () => void;
}

/** What the sessions of one server have in common: what changes, changes for all of them. */
export class SessionPeers {
  readonly #sessions = new Set<SessionState>();
  #sentAway = false;

  /** Adds a session; what is returned takes it away. */
  add(session: SessionState): () => void {
    this.#sessions.add(session);
    return () => void this.#sessions.delete(session);
  }

  /** Tells every session; one that is just ending misses it. */
  async each(tell: (session: SessionState) => Promise<void>): Promise<void> {
    await Promise.allSettled([...this.#sessions].map(tell));
  }

  /** Whether the user was sent to the page that a call needs, which the first question brings about. */
  wasSentAway(): boolean {
    const before = this.#sentAway;
    this.#sentAway = true;
    return before;
  }
}

/** What one session remembers: its log level and the resources it watches. */
export class SessionState {
  readonly #watched = new Set<string>();
  readonly #ways: SessionWays;
  /** The sessions of the same server. */
  readonly peers: SessionPeers;
  #level: LoggingLevel = "debug";

  /** @param peers the sessions of the same server, this one among them once it is added */
  constructor(ways: SessionWays, peers: SessionPeers) {
    this.#ways = ways;
    this.peers = peers;
  }

  /** What the client said it can do. */
  clientCapabilities(): ClientCapabilities {
    return this.#ways.clientCapabilities?.() ?? {};
  }

  /** Tells that a call of `test_wait` was cancelled. */
  cancelled(): void {
    this.#ways.cancelled?.();
  }

  /** Sets the lowest level the client wants to see. */
  setLevel(level: LoggingLevel): void {
    this.#level = level;
  }

  /** Whether the client wants to see this level. */
  logs(level: LoggingLevel): boolean {
    return LEVELS.indexOf(level) >= LEVELS.indexOf(this.#level);
  }

  /** Starts to watch a resource. */
  watch(uri: string): void {
    this.#watched.add(uri);
  }

  /** Stops watching a resource. */
  unwatch(uri: string): void {
    this.#watched.delete(uri);
  }

  /** Tells the client about a change, if it watches this resource. */
  async resourceChanged(uri: string): Promise<void> {
    if (!this.#watched.has(uri)) return;
    await this.#ways.notify({ method: "notifications/resources/updated", params: { uri } });
  }

  /** Tells the client that lists changed, all of them unless some are named. */
  async listsChanged(...lists: ("tools" | "prompts" | "resources")[]): Promise<void> {
    for (const list of lists.length > 0 ? lists : LISTS) {
      await this.#ways.notify({ method: `notifications/${list}/list_changed` });
    }
  }
}
