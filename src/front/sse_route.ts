/**
 * What all clients of HTTP+SSE of one route have in common, and which of it holds for one of them where a reload
 * has replaced it.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { LimitsConfig } from "../config/mod.ts";
import type { JsonLimits } from "../json/mod.ts";
import type { BackOff } from "../relay/mod.ts";
import type { SessionTable } from "../session/mod.ts";
import type { Upstream } from "../upstream/mod.ts";
import type { AbandonedSessions } from "./abandoned.ts";
import type { FailureSinks } from "./failures.ts";
import type { InterceptorsOptions } from "./interceptors.ts";
import type { Recovery } from "./recovery.ts";
import type { SessionStreamBook } from "./stream_book.ts";
import type { FrontUse } from "./use.ts";

/** What all clients of one route have in common. */
export interface SseRouteOptions extends FailureSinks {
  /** The route's name, for the log. */
  readonly route: string;
  /** The server behind the route. */
  readonly upstream: Upstream;
  /** The sessions of all routes. */
  readonly sessions: SessionTable;
  /** Makes sessions anew that the upstream has lost. */
  readonly recovery: Recovery;
  /** What is known of the streams of all sessions. */
  readonly book: SessionStreamBook;
  /** Tells the upstream of sessions that are over. */
  readonly abandoned: AbandonedSessions;
  /** What looks at messages; left out where nothing does. */
  readonly interceptors?: InterceptorsOptions | undefined;
  /** How streams of the upstream that broke off are taken up again. */
  readonly backOff: BackOff;
  /** Time; one whose timers are shared. */
  readonly clock: Clock;
  /** What clients may use. */
  readonly limits: LimitsConfig & JsonLimits;
  /** Whether clients' credentials go upstream, which may want others. */
  readonly forwardsCredentials?: boolean | undefined;
  /** Keeps open what clients work with; left out where that is never replaced. */
  readonly use?: FrontUse | undefined;
}

/** The route of one client. */
export class SseRoute {
  #current: SseRouteOptions;
  /** The route with the upstream that is spoken to. */
  #home: SseRouteOptions;
  /** Lets go of that upstream. */
  #leaveHome: (() => void) | undefined;

  /** A route whose upstream nobody keeps open yet. */
  constructor(route: SseRouteOptions) {
    this.#current = this.#home = route;
  }

  /** What holds now. */
  get current(): SseRouteOptions {
    return this.#current;
  }

  /** The upstream stays open from now on. */
  hold(): void {
    this.#leaveHome = this.#home.use?.hold();
  }

  /** Until now. */
  letGo(): void {
    this.#leaveHome?.();
  }

  /**
   * The route is another one from now on, but for its upstream: the one that knows the session stays as long as
   * it is there.
   */
  adopt(route: SseRouteOptions): void {
    if (this.#home.use?.isOver) {
      this.letGo();
      this.#home = route;
      this.hold();
    }
    const { upstream, recovery } = this.#home;
    if (upstream === route.upstream) {
      this.#current = route;
      return;
    }
    const interceptors = route.interceptors && { ...route.interceptors, upstream };
    this.#current = { ...route, upstream, recovery, interceptors };
  }
}
