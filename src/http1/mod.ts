/**
 * HTTP/1.1 as bytes, for both sides: heads, framing, bodies. Pure, but for the buffer that reads are
 * made into.
 *
 * May import `http`.
 *
 * @module
 */

export { type AnswerHead, AnswerHeadReader } from "./answer_head.ts";
export { type AnswerFraming, answerFraming } from "./answer_framing.ts";
export { BodyDecoder, type BodyFraming } from "./body_decoder.ts";
export { encodeHead, fieldLines, type HeadParts, putText } from "./encode.ts";
export { HeadReader, type HeadRules } from "./head.ts";
export type { HeadResult, RepeatRules } from "./kept_head.ts";
export { ReadBuffer } from "./read_buffer.ts";
export {
  MAX_REQUEST_FIELDS,
  MAX_REQUEST_LINE_BYTES,
  type RequestHead,
  RequestHeadReader,
} from "./request_head.ts";
export { cutBytes } from "./slab.ts";
export { HttpSyntaxError, type SyntaxFault } from "./syntax.ts";
