/**
 * Settings of a server that is a program on stdio.
 *
 * @module
 */

import { z } from "zod";
import { count, milliseconds } from "./numbers.ts";

const NO_NUL = /^[^\0]*$/;

const word = z.string().regex(NO_NUL, { error: "text without NUL" })
  .max(131_071, { error: "at most 131071 characters" });

/** Schema of `upstream.stdio`. */
export const stdioSchema = z.strictObject({
  command: word.min(1, { error: "a program" })
    .describe("Program to start: a path, or a name that is looked for in PATH. No shell is run."),
  args: z.array(word).max(1_000, { error: "at most 1000 arguments" }).default([])
    .describe("Its arguments."),
  env: z.record(
    z.string().regex(/^[^\0=]+$/, { error: "a name without = and NUL" }),
    word,
  ).default({}).describe(
    "Its environment, beside PATH, HOME and LANG; nothing else of the proxy's own goes there.",
  ),
  cwd: word.min(1, { error: "a folder" }).optional()
    .describe("Its working directory; left out, that of the proxy."),
  maxProcesses: count(64, 65_536).describe(
    "Processes at one time: each upstream session is one. Further sessions are refused with 503.",
  ),
  startTimeoutMs: milliseconds(120_000).describe(
    "Longest wait for the first answer of a program that was just started, in milliseconds: npx may have to " +
      "fetch it first. headersTimeoutMs holds from then on.",
  ),
  closeMs: milliseconds(2_000).describe(
    "How long it may take to end when its stdin is closed, and again after SIGTERM, in milliseconds; " +
      "then SIGKILL.",
  ),
}).describe("A server that is a program on stdio, in place of url.");
