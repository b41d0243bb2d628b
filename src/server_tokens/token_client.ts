/**
 * An HTTP client that shows the proxy's own access token with each request, so that nothing above it knows of tokens.
 *
 * @module
 */

import type { HttpAnswer, HttpClient, HttpRequest } from "../upstream/mod.ts";
import { type Refusal, refusalIn } from "./refusal.ts";
import type { Token } from "./renewals.ts";
import type { ServerToken, Wanting } from "./server_token.ts";
import { mayHaveRun, refused, unavailable } from "./trouble.ts";
import { verdictOn } from "./verdict.ts";

/** What may be set. */
export interface TokenClientOptions extends Wanting {
  /**
   * Whether it is the proxy itself that asks how the server is: a refusal is an answer then, for which no other token is
   * fetched, and what is given up while there is no token says nothing of the server.
   */
  readonly isProbe?: boolean;
}

/**
 * A client on `client`, which it owns and closes. A request that the server refuses for its token, so that it cannot have
 * run, is sent again with another one, once for each of the two reasons that there are. What may have run is not.
 *
 * `send` rejects with `server_token_unavailable` where there is no token for now, with `server_access_refused` where
 * none helps or the refused request may have run, and as that of `client` does.
 */
export function tokenClient(
  client: HttpClient,
  source: ServerToken,
  { isProbe = false, ...by }: TokenClientOptions = {},
): HttpClient {
  async function send(request: HttpRequest): Promise<HttpAnswer> {
    let token = source.atHand(by) ?? await first(request);
    const met = new Set<Refusal["kind"]>();
    for (;;) {
      const answer = await client.send(withToken(request, token));
      const refusal = refusalIn(answer.status, answer.fields);
      if (refusal === undefined) return answer;
      if (isProbe) {
        source.tellRefused(token, refusal, by);
        return answer;
      }
      const verdict = await verdictOn(request, answer, refusal);
      // Nobody reads it while another token is fetched.
      answer.body.discard();
      if (verdict !== "unrun") {
        source.doubt(token, refusal, verdict, by);
        throw mayHaveRun();
      }
      const other = met.has(refusal.kind)
        ? source.tellRefused(token, refusal, by)
        : await source.instead(token, refusal, request.signal, by);
      if (other === undefined) throw refused();
      met.add(refusal.kind);
      token = other;
    }
  }

  async function first({ signal }: HttpRequest): Promise<Token> {
    try {
      return await source.current(signal, by);
    } catch (error) {
      throw isProbe && signal.aborted ? unavailable(0) : error;
    }
  }

  return { send, close: () => client.close() };
}

/** The request with the token; what is told early of its answer is no refusal, which may not be the last word. */
function withToken(request: HttpRequest, { value, line }: Token): HttpRequest {
  const { fields, lines, onWhole } = request;
  return {
    ...request,
    fields: [...fields, "authorization", `Bearer ${value}`],
    lines: lines === undefined ? undefined : lines + line,
    onWhole: onWhole && ((answer) => {
      if (refusalIn(answer.status, answer.fields) === undefined) onWhole(answer);
    }),
  };
}
