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

const LIST_CHANGES = [
  "notifications/tools/list_changed",
  "notifications/prompts/list_changed",
  "notifications/resources/list_changed",
] as const;

/** A notification outside of any call; it goes to the session's GET stream. */
export interface SessionNotification {
  readonly method: "notifications/resources/updated" | typeof LIST_CHANGES[number];
  readonly params?: { readonly uri: string };
}

/** What a session has of its server. */
export interface SessionWays {
  /** Sends a notification outside of any call. */
  readonly notify: (notification: SessionNotification) => Promise<void>;
  /** Sends it to every session of the server. */
  readonly notifyAll?: (notification: SessionNotification) => Promise<void>;
  /** What the client said it can do. */
  readonly clientCapabilities?: () => ClientCapabilities;
  /** Told that a call of `test_wait` was cancelled. */
  readonly cancelled?: () => void;
}

/** What one session remembers: its log level, the resources it watches, and what it asked for. */
export class SessionState {
  readonly #watched = new Set<string>();
  readonly #ways: SessionWays;
  #level: LoggingLevel = "debug";
  #sentAway = false;

  constructor(ways: SessionWays) {
    this.#ways = ways;
  }

  /** What the client said it can do. */
  clientCapabilities(): ClientCapabilities {
    return this.#ways.clientCapabilities?.() ?? {};
  }

  /** Tells that a call of `test_wait` was cancelled. */
  cancelled(): void {
    this.#ways.cancelled?.();
  }

  /** Whether the user was sent to the page that a call needs, which the first question brings about. */
  wasSentAway(): boolean {
    const before = this.#sentAway;
    this.#sentAway = true;
    return before;
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

  /** Tells the client that every list changed. */
  async listsChanged(): Promise<void> {
    for (const method of LIST_CHANGES) await this.#ways.notify({ method });
  }

  /** Tells every client of the server that one list changed. */
  async listChanged(list: "tools" | "prompts"): Promise<void> {
    const { notify, notifyAll = notify } = this.#ways;
    await notifyAll({ method: `notifications/${list}/list_changed` });
  }
}
