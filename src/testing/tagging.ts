/**
 * An interceptor of a user's that writes its tag into results, and says which of its kind are open.
 *
 * @module
 */

import type { Interceptor } from "../intercept/mod.ts";

/** The tags of interceptors that were made and not closed. */
export const open: string[] = [];

/** The interceptor for a tag; one without a tag cannot be made. */
export default function make({ tag }: { readonly tag?: string }): Interceptor {
  if (tag === undefined) throw new Error("no tag");
  open.push(tag);
  return {
    name: `tag ${tag}`,
    serverMessage: (message) =>
      "result" in message
        ? { replace: { ...message, result: { ...message["result"] as object, tag } } }
        : undefined,
    close: () => void open.splice(open.indexOf(tag), 1),
  };
}
