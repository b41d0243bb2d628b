/**
 * The client of one session: what it has said of itself, what it wants to be told, and as whom it is spoken for.
 *
 * @module
 */

import { NewestCredentials } from "../../http/mod.ts";
import type { UpstreamCall } from "../../upstream/mod.ts";
import { clientFields, modernFields, type Speaker } from "./requests.ts";
import { LISTEN, type Subscriber } from "./subscription.ts";

/** What is known of a client from its `initialize`. */
export interface ClientFacts {
  /** Who it is. */
  readonly principal: string;
  /** What was negotiated. */
  readonly revision: string;
  /** The text of its name and version. */
  readonly clientInfo: string | undefined;
  /** The text of its capabilities. */
  readonly capabilities: string;
}

/** A client. */
export class SessionClient {
  readonly #facts: ClientFacts;
  /** Those of the last request that the server took: a subscription that is made again has them. */
  readonly #credentials = new NewestCredentials<SessionClient>();
  readonly #subscriptions = new Set<string>();
  #listener: Pick<UpstreamCall, "headers" | "query">;
  #logLevel: string | undefined;

  /** One that has begun a session with this call. */
  constructor(facts: ClientFacts, { headers, query }: UpstreamCall) {
    this.#facts = facts;
    this.#listener = { headers: clientFields(headers), query };
  }

  /** Who it is. */
  get principal(): string {
    return this.#facts.principal;
  }

  /** What was negotiated with it. */
  get revision(): string {
    return this.#facts.revision;
  }

  /** As what it is spoken for. */
  get speaker(): Speaker {
    const { clientInfo, capabilities } = this.#facts;
    return { clientInfo, capabilities, logLevel: this.#logLevel };
  }

  /** As whom it subscribes. */
  get subscriber(): Subscriber {
    const { headers, query } = this.#listener;
    const fields = modernFields(this.#credentials.renew(this, headers), LISTEN, {});
    return { call: { principal: this.principal, query }, fields, speaker: this.speaker };
  }

  /** The resources that it has subscribed to. */
  get subscriptions(): ReadonlySet<string> {
    return this.#subscriptions;
  }

  /** It wants log messages of this level. */
  setLogLevel(level: string): void {
    this.#logLevel = level;
  }

  /** It wants to be told of a resource. */
  subscribe(uri: string): void {
    this.#subscriptions.add(uri);
  }

  /** It does not any more; false where it did not. */
  unsubscribe(uri: string): boolean {
    return this.#subscriptions.delete(uri);
  }

  /** From now on it subscribes with the fields of this call. */
  listenAs({ headers, query }: UpstreamCall): void {
    this.#listener = { headers: clientFields(headers), query };
    this.#credentials.note(this, headers);
  }

  /** The server has taken a request of this call. */
  taken({ headers }: UpstreamCall): void {
    this.#credentials.note(this, headers);
  }
}
