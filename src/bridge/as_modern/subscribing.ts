/**
 * The streams of `subscriptions/listen` of all clients.
 *
 * @module
 */

import { ProxyError } from "../../errors.ts";
import type { UpstreamAnswer, UpstreamCall } from "../../upstream/mod.ts";
import type { ClientRequest } from "./client_request.ts";
import type { Lease } from "./lease.ts";
import type { Settings } from "./options.ts";
import type { Sessions } from "./sessions.ts";
import { filterOf, listsHonoured, Subscription } from "./subscription.ts";

/** All of them. */
export class Subscribing {
  readonly #settings: Settings;
  readonly #sessions: Sessions;
  /** With whose they are; those that are not open yet too. */
  readonly #principals = new Map<object, string>();
  readonly #open = new Set<Subscription>();

  /** None yet. */
  constructor(settings: Settings, sessions: Sessions) {
    this.#settings = settings;
    this.#sessions = sessions;
  }

  /** How many there are. */
  get size(): number {
    return this.#principals.size;
  }

  /**
   * Answers `subscriptions/listen`.
   *
   * @throws {ProxyError} `invalid_params`, `principal_exhausted`, `upstream_saturated`, `client_closed`; what
   * `Sessions.take` throws
   */
  async listen(call: UpstreamCall, request: ClientRequest): Promise<UpstreamAnswer> {
    const { bounds } = this.#settings;
    const filter = filterOf(request, bounds.maxSubscriptions);
    this.#ensureRoom(call.principal);
    const place = {};
    this.#principals.set(place, call.principal);
    const leave = () => void this.#principals.delete(place);
    try {
      // Nobody else's subscriptions may tell an anonymous caller anything.
      const lease = await this.#sessions.take(call, request, true);
      const subscription: Subscription = new Subscription(request, lease.session, bounds, () => {
        leave();
        this.#open.delete(subscription);
        lease.session.unlisten(subscription);
        lease.release();
      });
      this.#open.add(subscription);
      return await this.#begin(call, request, lease, subscription, filter);
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Ends all of them as they should end. */
  close(): void {
    for (const subscription of [...this.#open]) subscription.end();
  }

  async #begin(
    { signal }: UpstreamCall,
    { idText }: ClientRequest,
    { session }: Lease,
    subscription: Subscription,
    filter: ReturnType<typeof filterOf>,
  ): Promise<UpstreamAnswer> {
    let isOver = false;
    subscription.whenOver(() => isOver = true);
    const leave = () => subscription.discard();
    signal.addEventListener("abort", leave, { once: true });
    subscription.whenOver(() => signal.removeEventListener("abort", leave));
    if (signal.aborted) leave();
    session.listen(subscription);
    const wantsAny = filter.lists.length + filter.uris.length > 0;
    // Without that stream the server has no way to tell of a change.
    const isOpen = wantsAny && await session.standing.openSoon();
    const canSubscribe = isOpen && session.has("resources", "subscribe");
    const uris = canSubscribe ? await session.subscriptions.add(filter.uris, subscription) : [];
    // What was subscribed to after it was given back.
    if (isOver) session.unlisten(subscription);
    if (signal.aborted) throw new ProxyError("client_closed", "The client has gone.", { idText });
    subscription.acknowledge(isOpen ? listsHonoured(filter, session) : [], uris);
    return subscription.answer;
  }

  /** @throws {ProxyError} where there are as many as there may be */
  #ensureRoom(principal: string): void {
    const { anonymous, bounds } = this.#settings;
    const headers = { "retry-after": "10" };
    const own = this.#principals.values().filter((one) => one === principal).toArray().length;
    if (principal !== anonymous && own >= bounds.maxPrincipalListeners) {
      const sentence = "You listen on as many streams as you may; close one of them first.";
      throw new ProxyError("principal_exhausted", sentence, { headers });
    }
    if (this.size >= bounds.maxListeners) {
      const sentence = "As many clients listen as the proxy may serve; try again later.";
      throw new ProxyError("upstream_saturated", sentence, { headers });
    }
  }
}
