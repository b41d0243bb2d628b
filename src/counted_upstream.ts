/**
 * An upstream whose answers are counted, so that it can be closed when the last one is over.
 *
 * @module
 */

import type { Upstream, UpstreamAnswer } from "./upstream/mod.ts";

/** An upstream that tells when nothing is under way. */
export interface CountedUpstream extends Upstream {
  /** Resolves when no answer is under way: at once where none is, whatever begins afterwards. */
  whenIdle(): Promise<void>;
}

/** Counts the answers of `upstream` and changes nothing else: its promises are handed on as they are. */
export function countedUpstream(upstream: Upstream): CountedUpstream {
  let underWay = 0;
  let idle: PromiseWithResolvers<void> | undefined;
  const over = () => {
    if (--underWay > 0) return;
    idle?.resolve();
    idle = undefined;
  };
  const count = (answering: Promise<UpstreamAnswer>) => {
    underWay++;
    answering.then(({ body }) => body.whenOver(over), over);
    return answering;
  };
  return {
    exchange: (call, body, onWhole) => count(upstream.exchange(call, body, onWhole)),
    notify: (call, body) => count(upstream.notify(call, body)),
    listen: (call) => count(upstream.listen(call)),
    terminate: (call) => count(upstream.terminate(call)),
    close: () => upstream.close(),
    whenIdle() {
      if (underWay === 0) return Promise.resolve();
      idle ??= Promise.withResolvers();
      return idle.promise;
    },
  };
}
