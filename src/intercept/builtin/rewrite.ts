/**
 * Gives tools and prompts other names towards clients, and sets or removes arguments and `_meta`
 * members of calls.
 *
 * @module
 */

import { z } from "zod";
import { isObject, kindOf } from "../message.ts";
import { changeLists, type Offer, paramsOf, unknownOffer, useOf } from "../shape.ts";
import type { ClientVerdict, InterceptContext, Interceptor, JsonRpcMessage } from "../types.ts";

const toolOrPromptName = z.string().min(1, { error: "a name" });

const names = z.record(toolOrPromptName, toolOrPromptName).refine(
  (map) => new Set(Object.values(map)).size === Object.keys(map).length,
  { error: "names that differ from each other: two cannot have the same one" },
).default({});

const metaKey = z.string().regex(/^(?!io\.modelcontextprotocol\/|progressToken$)/, {
  error: "a member of _meta that is not the specification's own",
});

function edits(key: z.ZodType<string, string>) {
  return z.strictObject({
    set: z.record(key, z.unknown()).default({}).describe("Members to set; they replace others."),
    remove: z.array(key).default([]).describe("Members to take out."),
  });
}

/** Options of `rewrite`. */
export const rewriteOptions = z.strictObject({
  tools: names.describe("Names of tools: the server's, and for each the one that clients see."),
  prompts: names.describe("Names of prompts: the server's, and for each the one that clients see."),
  calls: z.record(
    toolOrPromptName,
    z.strictObject({
      arguments: edits(z.string()).prefault({}).describe("Arguments to set or take out."),
      meta: edits(metaKey).prefault({}).describe("Members of params._meta to set or take out."),
    }),
  ).default({}).describe("What to change in calls of a tool, by the server's name of it."),
});

/** Options of `rewrite`, filled in. */
export type RewriteOptions = z.output<typeof rewriteOptions>;

type Edits = RewriteOptions["calls"][string]["meta"];

/** New names by old ones, and back. */
interface Names {
  readonly toClient: ReadonlyMap<string, string>;
  readonly toServer: ReadonlyMap<string, string>;
}

/** An interceptor that renames and edits. */
export function createRewrite(options: RewriteOptions): Interceptor {
  const both: Partial<Record<Offer, Names>> = {
    tools: twoWays(options.tools),
    prompts: twoWays(options.prompts),
  };
  const calls = new Map(Object.entries(options.calls));
  return {
    name: "rewrite",
    clientMessage: (message, context) =>
      message.method === "completion/complete"
        ? renameCompletion(message, both.prompts!, context)
        : rewriteUse(message, both, calls, context),
    serverMessage(message, context) {
      if (kindOf(message) !== "response") return;
      const changed = changeLists(message, context, (entry, { offer }) => {
        const renames = both[offer];
        return renames === undefined ? entry : renameEntry(entry, renames);
      });
      return changed === message ? undefined : { replace: changed };
    },
  };
}

function twoWays(renames: Readonly<Record<string, string>>): Names {
  const pairs = Object.entries(renames);
  return {
    toClient: new Map(pairs),
    toServer: new Map(pairs.map(([server, client]) => [client, server])),
  };
}

/** The server's name for the client's; undefined where the client cannot know it by that name. */
function serverName(name: string, { toClient, toServer }: Names): string | undefined {
  return toServer.get(name) ?? (toClient.has(name) ? undefined : name);
}

/** What is not renamed gives way where its name is given to something else. */
function renameEntry(entry: Readonly<Record<string, unknown>>, names: Names): unknown {
  if (typeof entry.name !== "string") return entry;
  const name = names.toClient.get(entry.name);
  if (name !== undefined) return name === entry.name ? entry : { ...entry, name };
  return names.toServer.has(entry.name) ? undefined : entry;
}

function rewriteUse(
  message: JsonRpcMessage,
  both: Partial<Record<Offer, Names>>,
  calls: ReadonlyMap<string, RewriteOptions["calls"][string]>,
  context: InterceptContext,
): ClientVerdict {
  const use = useOf(message);
  const names = use === undefined ? undefined : both[use.offer];
  if (use === undefined || names === undefined || typeof use.name !== "string") return;
  const name = serverName(use.name, names);
  if (name === undefined) {
    if (kindOf(message) === "request") return unknownOffer(use.offer, use.name, context);
    return { drop: "It asks for something by a name that it does not have here." };
  }
  const edit = use.offer === "tools" ? calls.get(name) : undefined;
  if (name === use.name && edit === undefined) return;
  const params = { ...paramsOf(message), name };
  return { replace: { ...message, params: edit === undefined ? params : edited(params, edit) } };
}

function edited(
  params: Readonly<Record<string, unknown>>,
  { arguments: args, meta }: RewriteOptions["calls"][string],
): Record<string, unknown> {
  return {
    ...params,
    ...member("arguments", params.arguments, args),
    ...member("_meta", params._meta, meta),
  };
}

function member(key: string, value: unknown, { set, remove }: Edits): Record<string, unknown> {
  if (value !== undefined && !isObject(value)) return {};
  if (value === undefined && Object.keys(set).length === 0) return {};
  const kept = Object.entries(value ?? {}).filter(([name]) => !remove.includes(name));
  return { [key]: Object.fromEntries([...kept, ...Object.entries(set)]) };
}

function renameCompletion(
  message: JsonRpcMessage,
  names: Names,
  context: InterceptContext,
): ClientVerdict {
  const params = paramsOf(message);
  const { ref } = params;
  if (!isObject(ref) || ref.type !== "ref/prompt" || typeof ref.name !== "string") return;
  const name = serverName(ref.name, names);
  if (name === ref.name) return;
  if (name !== undefined) {
    return { replace: { ...message, params: { ...params, ref: { ...ref, name } } } };
  }
  if (kindOf(message) === "request") return unknownOffer("prompts", ref.name, context);
}
