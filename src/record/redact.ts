/**
 * What is secret, and where it stands. Pure.
 *
 * Source: issue 4; STYLE habit 11 ("Recordings are redacted when captured").
 *
 * @module
 */

import { REDACTED } from "../../fixtures/format/mod.ts";
import { stringMembers } from "./members.ts";
import { patternSpans, type Span } from "./spans.ts";

/** A header field, its name in lower case. */
export type Field = readonly [name: string, value: string];

const SECRET_FIELD =
  /^(proxy-)?authorization$|^(set-)?cookie2?$|token(?!iz)|secret|passw|credential|api-?key|-key$|(^|-)auth(-|$)/;

/** No field beside those that are known by their names. */
const NONE: ReadonlySet<string> = new Set();

/** Whether the value of a header field is a secret: by its name, or because it is one of `more`. */
export function isSecretField(name: string, more = NONE): boolean {
  return SECRET_FIELD.test(name) || more.has(name);
}

const SECRET_KEY =
  /token(?!iz)|secret|passw|pass_?phrase|credential|api[-_ ]?key|private[-_ ]?key|authorization$|^cookie$|^set-cookie$/i;

/** Keys that look like those of secrets and are none: MCP's own, and addresses and kinds of OAuth. */
const PUBLIC_KEY =
  /^progress_?token$|token_?type|_endpoint|Endpoint$|_supported$|_methods?$|_url$|_uri$|maxTokens/i;

/** Whether the value of a JSON member is a secret. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key) && !PUBLIC_KEY.test(key);
}

const SECRET_PARAMETER = /^(code|code_verifier|assertion|sig|signature|key|auth|pwd)$/i;

/** Whether the value of a parameter in a query or a form is a secret. */
export function isSecretParameter(name: string): boolean {
  return SECRET_PARAMETER.test(name) || isSecretKey(name);
}

/** `Bearer xyz` in any text; not `Bearer realm="..."`, which is a challenge. */
const BEARER = /\bBearer(?:\s|%20|\+){1,8}(?![A-Za-z_]+=["\\])([A-Za-z0-9._~+/=-]+)/gid;
const JSON_WEB_TOKEN =
  /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?/gd;
/** A key of `switchyard new-key`, wherever it stands. */
const API_KEY = /(?<![A-Za-z0-9_-])sy_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/gd;
const PARAMETER = /(?<![^?&\s"'])([A-Za-z0-9_.~%[\]-]{1,128})=([^&#\s"'\\<>]+)/gd;

/** The secrets that a text shows by how they stand in it. */
export function secretSpans(text: string): Span[] {
  const members = stringMembers(text).filter(({ key }) => isSecretKey(key))
    .map(({ start, end }): Span => ({ start, end, kind: "redacted" }));
  return [
    ...members,
    ...patternSpans(text, BEARER, "redacted", 1),
    ...patternSpans(text, JSON_WEB_TOKEN, "redacted"),
    ...patternSpans(text, API_KEY, "redacted"),
    ...parameterSpans(text),
  ];
}

/** Secret parameters: in a form, in the query of a target, and in that of a URL in a message. */
export function parameterSpans(text: string): Span[] {
  return [...text.matchAll(PARAMETER)]
    .filter(({ index, 1: name }) =>
      // In running text only what follows ? or & is a parameter for sure.
      /[?&]/.test(text[index - 1] ?? "&") ? isSecretParameter(decode(name!)) : isSecretKey(name!)
    )
    .map((match) => {
      const [start, end] = match.indices![2]!;
      return { start, end, kind: "redacted" as const };
    });
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** A field with its secret taken out; `more` names fields that hold secrets beside the known ones. */
export function redactField([name, value]: Field, more = NONE): Field {
  return isSecretField(name, more) && value !== "" ? [name, REDACTED] : [name, value];
}

/** Characters that a secret has at least to be looked for elsewhere; shorter ones are common words. */
const MIN_SECRET_LENGTH = 8;

/** The secrets in a field, to be looked for in everything else: an echo tells them too. */
export function secretsOfField([name, value]: Field, more = NONE): string[] {
  if (!isSecretField(name, more)) return [];
  if (name.endsWith("authorization")) return credentials(value);
  if (!/cookie/.test(name)) return [value].filter(isDistinct);
  const parts = name.startsWith("set-") ? [value.split(";", 1)[0]!] : value.split(";");
  return parts.map((part) => part.slice(part.indexOf("=") + 1).trim()).filter(isDistinct);
}

/** Whether a secret differs enough from plain words to be replaced wherever it stands. */
export function isDistinct(secret: string): boolean {
  return secret.length >= MIN_SECRET_LENGTH && !/^[A-Za-z]+$/.test(secret) &&
    !secret.includes("{{");
}

/** What stands behind the scheme; of `Basic` the password too. */
function credentials(value: string): string[] {
  const rest = value.replace(/^\S+\s+/, "").trim();
  const all = [rest];
  if (/^basic\s/i.test(value)) {
    try {
      const pair = atob(rest);
      all.push(pair, pair.slice(pair.indexOf(":") + 1));
    } catch {
      // No base64, so there is no password to find.
    }
  }
  return all.filter((secret) => secret.length >= MIN_SECRET_LENGTH);
}

/** The ways in which a secret may be written: as it is, in a URL, in JSON. */
export function spellings(secret: string): string[] {
  const inJson = JSON.stringify(secret).slice(1, -1);
  return [...new Set([secret, inJson, encoded(secret)])];
}

function encoded(secret: string): string {
  try {
    return encodeURIComponent(secret);
  } catch {
    return secret;
  }
}
