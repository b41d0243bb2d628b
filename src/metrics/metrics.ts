/**
 * Counts requests as they are answered, and reads everything else when it is asked for.
 *
 * @module
 */

import { httpLabel, OTHER, rpcLabel } from "./labels.ts";
import type { AnsweredRequest, FailedRequest, RequestMeter } from "../telemetry/mod.ts";
import { Series } from "./series.ts";
import { CONTENT_TYPE, exposition, type Family, type Sample } from "./text.ts";
import { type ProcessTold, toldFamilies } from "./told.ts";

/** A page for whoever gathers figures. */
export interface MetricsPage {
  /** Media type of the text, with its version. */
  readonly contentType: string;
  /** All figures, now. */
  readonly text: string;
}

/** Combinations of labels that are counted apart, of each of the three figures; what comes beyond is one. */
export const MAX_SERIES = 5_000;

/** Upper ends of the classes of times, in seconds: from a list that is at hand to a tool that takes its minute. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Times by class, each without those of the classes below it. */
class Times {
  readonly #counts = new Float64Array(SECONDS.length + 1);
  #sum = 0;

  add(seconds: number): void {
    let at = 0;
    while (at < SECONDS.length && seconds > SECONDS[at]!) at++;
    this.#counts[at]!++;
    this.#sum += seconds;
  }

  samples(labels: Sample["labels"]): Sample[] {
    let count = 0;
    const buckets = [...SECONDS, Infinity].map((end, at) => {
      count += this.#counts[at]!;
      const le = end === Infinity ? "+Inf" : end;
      return { suffix: "_bucket", labels: { ...labels, le }, value: count };
    });
    return [
      ...buckets,
      { suffix: "_sum", labels, value: this.#sum },
      { suffix: "_count", labels, value: count },
    ];
  }
}

/** A number that grows. */
interface Count {
  value: number;
}

function counts(most: number, beyond: Sample["labels"]): Series<Count> {
  return new Series<Count>(most, () => ({ value: 0 }), beyond);
}

/** The figures of one process. */
export class Metrics implements RequestMeter {
  readonly #requests: Series<Count>;
  readonly #errors: Series<Count>;
  readonly #times: Series<Times>;

  /** Nothing is counted yet; `most` is for tests. */
  constructor(most = MAX_SERIES) {
    const route = OTHER;
    const request = { route, http: OTHER, era: OTHER, rpc: OTHER, status: OTHER };
    this.#requests = counts(most, request);
    this.#errors = counts(most, { route, kind: OTHER, source: OTHER });
    this.#times = new Series(most, () => new Times(), { route, rpc: OTHER });
  }

  /** Counts it. */
  answered(request: AnsweredRequest): void {
    const { route = "", http, era = "", rpc, status, seconds } = request;
    const method = rpcLabel(rpc);
    const verb = httpLabel(http);
    const key = `${route} ${verb} ${era} ${method} ${status}`;
    this.#requests.of(key, () => ({ route, http: verb, era, rpc: method, status })).value++;
    // What has no message are streams and faults at the door: their times say nothing of any server.
    if (method === "") return;
    this.#times.of(`${route} ${method}`, () => ({ route, rpc: method })).add(seconds);
  }

  /** Counts it. */
  failed({ route = "", kind, source }: FailedRequest): void {
    this.#errors.of(`${route} ${kind} ${source}`, () => ({ route, kind, source })).value++;
  }

  /** All figures: what was counted, and what is told of this moment. */
  page(told: ProcessTold): MetricsPage {
    const text = exposition([...this.#counted(), ...toldFamilies(told)]);
    return { contentType: CONTENT_TYPE, text };
  }

  #counted(): Family[] {
    const valuesOf = (series: Series<Count>) =>
      series.samples(({ value }, labels) => [{ labels, value }]);
    return [
      {
        name: "switchyard_requests_total",
        kind: "counter",
        help: "Requests of clients whose answer has begun.",
        samples: valuesOf(this.#requests),
      },
      {
        name: "switchyard_request_first_byte_seconds",
        kind: "histogram",
        help: "Time from the head of a request to the head of its answer.",
        samples: this.#times.samples((times, labels) => times.samples(labels)),
      },
      {
        name: "switchyard_errors_total",
        kind: "counter",
        help: "Requests that failed at the proxy, ahead of the head of their answer or behind it.",
        samples: valuesOf(this.#errors),
      },
    ];
  }
}
