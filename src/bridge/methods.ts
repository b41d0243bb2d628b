/**
 * What becomes of each method and notification on its way through the proxy, as one table.
 *
 * Two clients and servers of one era are relayed; `up` is a client of sessions (2025-11-25 and earlier) on a
 * server of 2026-07-28, `down` the reverse.
 *
 * Source: the method lists of `schema/2025-11-25/schema.ts` and `schema/2026-07-28/schema.ts`; 2026-07-28
 * changelog, basic/patterns/mrtr, basic/patterns/subscriptions, basic/patterns/cancellation.
 *
 * @module
 */

/** Who sends a message, and whether an answer is awaited. */
export type Direction =
  | "client request"
  | "client notification"
  | "server request"
  | "server notification";

/**
 * What becomes of a message: it `passes` to the other side, whatever is put into the other era's words; it is
 * `answered` by the proxy; it `ends` at the proxy unanswered; it `becomes` something else of the other era; it
 * is `refused`; or it is `absent`, because the era of its sender does not have it.
 */
export type Fate = "passes" | "answered" | "ends" | "becomes" | "refused" | "absent";

/** A fate, and in words what that means for one message. */
export interface Passage {
  /** What becomes of it. */
  readonly fate: Fate;
  /** From what it is answered, into what it is made, or why it goes no further; empty where nothing is to say. */
  readonly how: string;
}

/** One row of the table. */
export interface MethodRow {
  /** Who sends it. */
  readonly direction: Direction;
  /** The JSON-RPC method. */
  readonly method: string;
  /** The eras that have it as a message of its own. */
  readonly eras: readonly ("session" | "modern")[];
  /** Where client and server speak the same era. */
  readonly same: Passage;
  /** From a client of sessions to a modern server, or back. */
  readonly up: Passage;
  /** From a modern client to a server of sessions, or back. */
  readonly down: Passage;
}

type Cell = Pick<MethodRow, "up" | "down">;

function passage(fate: Fate): (how?: string) => Passage {
  return (how = "") => ({ fate, how });
}

const passes = passage("passes");
const answered = passage("answered");
const ends = passage("ends");
const becomes = passage("becomes");
const refused = passage("refused");
const absent = passage("absent")();

const BOTH = ["session", "modern"] as const;

function row(
  direction: Direction,
  method: string,
  eras: MethodRow["eras"],
  { up, down }: Cell,
): MethodRow {
  return { direction, method, eras, same: passes(), up, down };
}

/** Requests of both eras; only the metadata differs. */
const PLAIN: Cell = { up: passes(), down: passes() };

/** Requests that a modern server may answer with a question (basic/patterns/mrtr, "Supported Requests"). */
const ASKING: Cell = {
  up: passes("input_required becomes requests to the client, and a retry"),
  down: passes("requests to the client become input_required, and the retry their answers"),
};

const NO_TASKS: Passage = refused("with -32601, as tasks are not offered across eras");

function clientRequests(): MethodRow[] {
  const of = (method: string, eras: MethodRow["eras"], cell: Cell) =>
    row("client request", method, eras, cell);
  const session = (method: string, up: Passage) => of(method, ["session"], { up, down: absent });
  return [
    session("initialize", answered("from server/discover")),
    of("server/discover", ["modern"], { up: absent, down: answered("from initialize") }),
    session("ping", answered()),
    of("tools/list", BOTH, PLAIN),
    of("tools/call", BOTH, ASKING),
    of("prompts/list", BOTH, PLAIN),
    of("prompts/get", BOTH, ASKING),
    of("resources/list", BOTH, PLAIN),
    of("resources/templates/list", BOTH, PLAIN),
    of("resources/read", BOTH, ASKING),
    session("resources/subscribe", becomes("part of the filter of subscriptions/listen")),
    session("resources/unsubscribe", becomes("part of the filter of subscriptions/listen")),
    of("subscriptions/listen", ["modern"], {
      up: absent,
      down: becomes("a GET stream, and resources/subscribe for each resource"),
    }),
    of("completion/complete", BOTH, PLAIN),
    session("logging/setLevel", becomes("the log level in _meta of later requests")),
    ...["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"].map((method) =>
      session(method, NO_TASKS)
    ),
  ];
}

function clientNotifications(): MethodRow[] {
  const session = (method: string, up: Passage) =>
    row("client notification", method, ["session"], { up, down: absent });
  return [
    session("notifications/initialized", ends()),
    row("client notification", "notifications/cancelled", BOTH, {
      up: becomes("the end of the response stream"),
      down: ends("the end of the response stream becomes notifications/cancelled"),
    }),
    session("notifications/progress", ends("there is no request of the server's to report on")),
    session("notifications/roots/list_changed", ends("roots are asked for anew each time")),
    session("notifications/tasks/status", ends("tasks are not offered across eras")),
  ];
}

function serverRequests(): MethodRow[] {
  const asking = (method: string) =>
    row("server request", method, ["session"], {
      up: becomes("a request to the client, made of input_required"),
      down: becomes("part of input_required"),
    });
  return [
    row("server request", "ping", ["session"], { up: absent, down: answered() }),
    asking("elicitation/create"),
    asking("sampling/createMessage"),
    asking("roots/list"),
    ...["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"].map((method) =>
      row("server request", method, ["session"], { up: absent, down: NO_TASKS })
    ),
  ];
}

/** A change that clients ask to be told of. */
const CHANGE: Cell = {
  up: passes("from subscriptions/listen to the GET stream"),
  down: passes("to each subscriptions/listen that asked for it"),
};

function serverNotifications(): MethodRow[] {
  const of = (method: string, eras: MethodRow["eras"], cell: Cell) =>
    row("server notification", method, eras, cell);
  return [
    of("notifications/cancelled", BOTH, {
      up: ends("it ends the proxy's own subscriptions/listen"),
      down: ends("a question that was taken back is not asked"),
    }),
    of("notifications/progress", BOTH, PLAIN),
    of("notifications/message", BOTH, {
      up: passes(),
      down: passes("to the response stream of a request that named a log level"),
    }),
    of("notifications/tools/list_changed", BOTH, CHANGE),
    of("notifications/prompts/list_changed", BOTH, CHANGE),
    of("notifications/resources/list_changed", BOTH, CHANGE),
    of("notifications/resources/updated", BOTH, CHANGE),
    of("notifications/subscriptions/acknowledged", ["modern"], { up: ends(), down: absent }),
    of("notifications/elicitation/complete", ["session"], {
      up: absent,
      down: ends("the client learns it by its retry"),
    }),
    of("notifications/tasks/status", ["session"], {
      up: absent,
      down: ends("tasks are not offered across eras"),
    }),
  ];
}

/** Every method and notification of both eras. */
export const METHODS: readonly MethodRow[] = [
  ...clientRequests(),
  ...clientNotifications(),
  ...serverRequests(),
  ...serverNotifications(),
];
