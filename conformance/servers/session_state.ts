import type { LoggingLevel } from "./sdk_v1.ts";

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

/** What one session remembers: its log level and the resources it watches. */
export class SessionState {
  readonly #watched = new Set<string>();
  readonly #notify: (notification: SessionNotification) => Promise<void>;
  #level: LoggingLevel = "debug";

  /** @param notify Sends a notification outside of any call. */
  constructor(notify: (notification: SessionNotification) => Promise<void>) {
    this.#notify = notify;
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
    await this.#notify({ method: "notifications/resources/updated", params: { uri } });
  }

  /** Tells the client that every list changed. */
  async listsChanged(): Promise<void> {
    for (const method of LIST_CHANGES) await this.#notify({ method });
  }
}
