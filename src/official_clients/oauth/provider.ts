/**
 * What a client of either official SDK keeps of its authorization, in memory.
 *
 * @module
 */

import type { OAuthClientProvider } from "@modelcontextprotocol/client";
import { authorise } from "./person.ts";

type Stored<Key extends keyof OAuthClientProvider> = OAuthClientProvider[Key] extends
  ((value: infer Value, ...rest: never[]) => unknown) | undefined ? Value : never;

/** A client that registers itself, and whose person agrees to all that it asks. */
export class MemoryProvider implements OAuthClientProvider {
  readonly redirectUrl = "http://127.0.0.1:1/callback";
  readonly clientMetadata = {
    client_name: "switchyard test",
    redirect_uris: [this.redirectUrl],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    application_type: "native",
  };
  /** What came back of each authorization. */
  readonly returned: URLSearchParams[] = [];
  /** Where its person was sent. */
  readonly sent: URL[] = [];
  #information: Stored<"saveClientInformation"> | undefined;
  /** The tokens that it was given, the newest last. */
  readonly issued: Stored<"saveTokens">[] = [];
  #discovery: Stored<"saveDiscoveryState"> | undefined;
  #verifier = "";

  /** See `OAuthClientProvider`. */
  clientInformation() {
    return this.#information;
  }

  /** See `OAuthClientProvider`. */
  saveClientInformation(information: Stored<"saveClientInformation">) {
    this.#information = information;
  }

  /** See `OAuthClientProvider`. */
  tokens() {
    return this.issued.at(-1);
  }

  /** See `OAuthClientProvider`. */
  saveTokens(tokens: Stored<"saveTokens">) {
    this.issued.push(tokens);
  }

  /** See `OAuthClientProvider`. */
  async redirectToAuthorization(address: URL) {
    this.sent.push(address);
    this.returned.push(await authorise(address, this.redirectUrl));
  }

  /** See `OAuthClientProvider`. */
  saveDiscoveryState(state: Stored<"saveDiscoveryState">) {
    this.#discovery = state;
  }

  /** See `OAuthClientProvider`. */
  discoveryState() {
    return this.#discovery;
  }

  /** See `OAuthClientProvider`. */
  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier;
  }

  /** See `OAuthClientProvider`. */
  codeVerifier() {
    return this.#verifier;
  }
}
