/**
 * Proxies that tell one side what is the other's.
 *
 * @module
 */

import { ofGroup } from "../broken_proxy.ts";
import { carrying, said, SESSION } from "../choices.ts";
import type { Damage, Sides } from "../damage.ts";
import { bytesOf, fieldOf, textOf, withField } from "../message.ts";
import { ServerIds } from "../server_ids.ts";

/** Sends a field of the client on to the server. */
function forwarding(name: string, as = name): Sides {
  return carrying(({ fields }) =>
    fields.filter(([key]) => key === name).map(([, value]) => [as, value])
  );
}

/** The codes of errors that the sound proxy makes itself. */
const OWN_ERROR = /"code": ?-31\d{3}/;

/** Says something more in the errors that the sound proxy makes itself. */
function talkative(what: () => string | undefined): Damage {
  return {
    answer: ({ status }) =>
      status < 400 ? undefined : {
        whole(body) {
          const text = textOf(body);
          if (!OWN_ERROR.test(text)) return body;
          return bytesOf(text.replace(/("message": ?")/, `$1(${what() ?? ""}) `));
        },
      },
  };
}

/** The broken proxies that tell one side what is the other's. */
export const PRIVACY = ofGroup("privacy", [
  {
    name: "leaks-session-ids-in-a-header",
    describe: "tells the client the server's session id in a header of its own",
    breaks: ["privacy.server-session-id-stays-upstream"],
    make() {
      const ids = new ServerIds();
      return {
        back: ids.back,
        front: {
          answer: ({ fields }) =>
            ids.last === undefined
              ? undefined
              : { fields: withField(fields, "x-upstream-session", ids.last) },
        },
      };
    },
  },
  {
    name: "leaks-session-ids-in-errors",
    describe: "tells the client the server's session id in the text of errors",
    breaks: ["privacy.server-session-id-stays-upstream"],
    make() {
      const ids = new ServerIds();
      return {
        back: ids.back,
        front: talkative(() => ids.last),
      };
    },
  },
  {
    name: "forwards-authorization",
    describe: "sends the client's Authorization on to the server",
    breaks: ["privacy.authorization-not-passed-through"],
    make: () => forwarding("authorization"),
  },
  {
    name: "forwards-proxy-authorization",
    describe: "sends the client's Proxy-Authorization on to the server",
    breaks: ["privacy.proxy-credentials-not-passed-through"],
    make: () => forwarding("proxy-authorization"),
  },
  {
    name: "tells-the-server-the-clients-session-id",
    describe: "tells the server the client's session id in a field of its own",
    breaks: ["privacy.client-session-id-stays-downstream"],
    make: () => forwarding(SESSION, "x-client-session"),
  },
  {
    name: "forwards-cookies",
    describe: "sends the client's cookies on to the server",
    breaks: ["privacy.cookies-not-passed-through"],
    make: () => forwarding("cookie"),
  },
  {
    name: "names-the-server-in-errors",
    describe: "tells the client in its errors where the server is",
    breaks: [
      "privacy.closed-connection-names-no-address",
      "privacy.garbage-names-no-address",
    ],
    make() {
      let host: string | undefined;
      return {
        back: {
          request({ fields }) {
            host = fieldOf(fields, "host");
            return undefined;
          },
        },
        front: talkative(() => host),
      };
    },
  },
  {
    name: "passes-error-pages",
    describe: "gives the client the pages with which the server fails",
    breaks: ["privacy.stack-traces-in-html", "privacy.stack-traces-in-json"],
    make() {
      let page: Uint8Array | undefined;
      return {
        back: {
          request: () => void (page = undefined),
          answer: ({ status, fields }) =>
            status === 500 &&
              /^(text\/html|application\/json)$/.test(fieldOf(fields, "content-type") ?? "")
              ? { whole: (body) => page = body }
              : undefined,
        },
        front: {
          answer: ({ status }) =>
            status >= 500 && page !== undefined ? { whole: (body) => page ?? body } : undefined,
        },
      };
    },
  },
  {
    name: "tells-where-redirects-point",
    describe: "tells the client where the server redirects it",
    breaks: ["privacy.redirect-names-no-address"],
    make() {
      let location: string | undefined;
      return {
        back: {
          answer({ fields }) {
            location = fieldOf(fields, "location");
            return undefined;
          },
        },
        front: {
          answer: ({ status, fields }) =>
            status >= 300 && location !== undefined
              ? { fields: withField(fields, "location", location) }
              : undefined,
        },
      };
    },
  },
  {
    name: "repeats-tokens-in-errors",
    describe: "repeats the client's token in its errors",
    breaks: ["privacy.errors-repeat-no-secrets"],
    make() {
      let token: string | undefined;
      return {
        front: {
          request: (request) => void (token = said(request, "authorization")),
          ...talkative(() => token),
        },
      };
    },
  },
]);
