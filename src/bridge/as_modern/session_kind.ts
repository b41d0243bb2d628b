/**
 * What sessions at the server are made for. Pure.
 *
 * @module
 */

import { canTake } from "../../rpc/mod.ts";
import type { UpstreamCall } from "../../upstream/mod.ts";
import { credentialsIn } from "../credentials.ts";
import { type ClientRequest, digest } from "./client_request.ts";
import type { Settings } from "./options.ts";
import { CAN_ASK } from "./questions.ts";

/** What a session is made for; those of one kind can stand in for each other. */
export interface Kind {
  /** The same for requests of one kind alone. */
  readonly key: string;
  /** Id of the principal. */
  readonly principal: string;
  /** The call of a request of this kind. */
  readonly call: UpstreamCall;
  /** The request. */
  readonly request: ClientRequest;
}

/** What says of which kind a session for this request is: equal texts, equal kinds. */
export function kindOf(
  { principal, query, headers }: UpstreamCall,
  request: ClientRequest,
  { withheld }: Pick<Settings, "withheld">,
): string {
  const said = [principal, query, request.declared.key, credentialsIn(headers, withheld)];
  return digest(JSON.stringify(said));
}

/** Whether a client has declared anything that a server may ask for. */
export function mayAsk({ declared: { capabilities } }: ClientRequest): boolean {
  return ["roots/list", "sampling/createMessage", "elicitation/create"]
    .some((method) => canTake(capabilities, method, {}));
}

/** Whether the server may ask something for this very request. */
export function isAskable(request: ClientRequest): boolean {
  return CAN_ASK.has(request.method) && mayAsk(request);
}
