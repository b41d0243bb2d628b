/**
 * The head of an answer. Pure.
 *
 * Source: RFC 9112 section 4.
 *
 * @module
 */

import type { ReadFields } from "../http/mod.ts";
import type { AnswerFraming } from "./answer_framing.ts";
import { HeadReader, type HeadRules, MAX_HEAD_BYTES } from "./head.ts";
import { HttpSyntaxError } from "./syntax.ts";

/** The head of an answer. */
export interface AnswerHead {
  /** The minor version of HTTP/1. */
  readonly minor: 0 | 1;
  /** The status, 100 to 599. */
  readonly status: number;
  /** Fields in the order they came. */
  readonly fields: ReadFields;
  /** How the answer is framed, once `answerFraming` has found it; the same head may come again. */
  framing?: AnswerFraming;
}

/** Most fields in the head of an answer. */
export const MAX_ANSWER_FIELDS = 256;

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;

const RULES: HeadRules<AnswerHead> = {
  maxFields: MAX_ANSWER_FIELDS,
  maxFirstLineBytes: MAX_HEAD_BYTES,
  skipsEmptyLine: false,
  head(firstLine, fields) {
    const status = STATUS_LINE.exec(firstLine);
    if (status === null) throw new HttpSyntaxError("the status line is malformed");
    return { minor: status[1] === "1" ? 1 : 0, status: Number(status[2]), fields: fields() };
  },
};

/** Reads the heads of answers, one after the other. */
export class AnswerHeadReader extends HeadReader<AnswerHead> {
  /** A reader that has read nothing. */
  constructor() {
    super(RULES);
  }
}
