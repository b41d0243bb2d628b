/** How often the mock upstream was asked for what, by path: pure. Each target has a path of its own. */

/** Where the mock tells them. */
export const COUNTS_PATH = "/counts";

/** Paths that are told apart, and kinds of requests under each; all others are not counted. */
export const MAX_COUNTED = 64;

/** Requests of one path by their JSON-RPC method, or by their HTTP method where that is not POST. */
export type Counts = Readonly<Record<string, number>>;

/** What has been asked for so far. */
export class RequestCounts {
  readonly #paths = new Map<string, Map<string, number>>();

  /** Counts one request. */
  add(path: string, method: string): void {
    let counted = this.#paths.get(path);
    if (counted === undefined) {
      if (this.#paths.size >= MAX_COUNTED) return;
      this.#paths.set(path, counted = new Map());
    }
    const before = counted.get(method);
    if (before === undefined && counted.size >= MAX_COUNTED) return;
    counted.set(method, (before ?? 0) + 1);
  }

  /** All of them, by path. */
  all(): Readonly<Record<string, Counts>> {
    const entries = [...this.#paths].map(([path, counted]) => [path, Object.fromEntries(counted)]);
    return Object.fromEntries(entries) as Record<string, Counts>;
  }
}
