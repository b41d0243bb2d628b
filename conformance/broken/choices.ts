/**
 * What damage to requests is mostly made of: which of them, and what is done to those.
 *
 * @module
 */

import { binary, type Fields } from "../wire/mod.ts";
import type { Damage, Passing, Sides } from "./damage.ts";
import { past } from "./link.ts";
import { answerWith, fieldOf, requestWith, textOf, unbinary, withField } from "./message.ts";

/** The field of session ids. */
export const SESSION = "mcp-session-id";

const SESSION_LINE = /\r?\nmcp-session-id:[^\r\n]*/i;

/** The result that `NOTHING` holds. */
export const NO_RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';

/** A result without anything in it. */
export const NOTHING = answerWith(200, [["content-type", "application/json"]], NO_RESULT);

/** An answer without a body. */
export function bare(status: number): Uint8Array {
  return answerWith(status, [], "");
}

/** The value of a field of a request. */
export function said(request: Passing, name: string): string | undefined {
  return fieldOf(request.fields, name);
}

/** A request with another session id, or none; nothing else of it changes, also where it is unsound. */
export function withSession(request: Passing, id: string | null): { send: Uint8Array } {
  if (request.sound) {
    return { send: requestWith(request, { fields: withField(request.fields, SESSION, id) }) };
  }
  const line = id === null ? "" : `\r\n${SESSION}: ${id}`;
  return { send: unbinary(binary(request.bytes).replace(SESSION_LINE, line)) };
}

/** Whether a request says that it is one of 2026-07-28. */
export function isModern(request: Passing): boolean {
  return said(request, "mcp-protocol-version") === "2026-07-28";
}

/** Whether a request opens a session. */
export function isInitialize({ body }: Passing): boolean {
  return textOf(body).includes('"initialize"');
}

/** The JSON in a text; undefined where there is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Which requests, by what they are and by the text of their bodies. */
export type Which = (request: Passing, text: string) => boolean;

/** Answers such requests with this, and does not ask the server. */
export function answering(which: Which, answer: Uint8Array): Damage {
  return {
    request: (request) => which(request, textOf(request.body)) ? { answer } : undefined,
  };
}

/** Hands such requests to the server without looking at them any further. */
export function passing(which: Which): Damage {
  return {
    request: (request) => which(request, textOf(request.body)) ? past(request.bytes) : undefined,
  };
}

/** Hands such POSTs that are sound HTTP to the server without looking at them any further. */
export function passingPosts(which: Which): Damage {
  return passing((request, text) =>
    request.sound && request.method === "POST" && which(request, text)
  );
}

/** Gives sound requests other fields; undefined leaves one as it is. */
export function refielding(change: (request: Passing) => Fields | undefined): Damage {
  return {
    request(request) {
      const fields = request.sound ? change(request) : undefined;
      return fields === undefined ? undefined : { send: requestWith(request, { fields }) };
    },
  };
}

/** Has a field say what the sound proxy wants to read. */
export function replacing(name: string, wrong: RegExp, right: string | null): Damage {
  return refielding((request) => {
    const value = said(request, name);
    if (value === undefined || !wrong.test(value)) return undefined;
    return withField(request.fields, name, right);
  });
}

/** Sends some fields of the client on to the server, which the sound proxy keeps to itself. */
export function carrying(pick: (request: Passing) => Fields): Sides {
  let carried: Fields = [];
  return {
    front: {
      request(request) {
        carried = pick(request);
        return undefined;
      },
    },
    back: {
      request: (request) =>
        carried.length === 0
          ? undefined
          : { send: requestWith(request, { fields: [...request.fields, ...carried] }) },
    },
  };
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
