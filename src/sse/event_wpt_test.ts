import { assertEquals } from "@std/assert";
import { parseIn, type ShownEvent, splits, utf8 } from "./event_cases.ts";

/** What a page's listener is told of an event: data, type, last event id. */
type Dispatched = readonly [data: string, type: string, lastEventId: string];

interface Case {
  readonly stream: string;
  readonly dispatched: readonly Dispatched[];
  /** The reconnection time that the stream leaves behind. */
  readonly retry?: number;
  readonly midEvent?: true;
}

const X = "x".repeat(2_048);

/**
 * The streams of web-platform-tests/wpt, `eventsource/format-*` and `event-data`, by the names of the
 * tests. Their server puts an empty line behind each stream unless told otherwise. Those about the
 * media type are no matter of the codec.
 */
const CASES: Readonly<Record<string, Case>> = {
  "event-data": {
    stream:
      "data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
    dispatched: [["msg\nmsg", "message", ""], ["", "message", ""], ["end", "message", ""]],
  },
  "format-bom": {
    stream: "\ufeffdata:1\n\n\ufeffdata:2\n\ndata:3\n\n",
    dispatched: [["1", "message", ""], ["3", "message", ""]],
  },
  "format-bom-2": {
    stream: "\ufeff\ufeffdata:1\n\ndata:2\n\ndata:3\n\n",
    dispatched: [["2", "message", ""], ["3", "message", ""]],
  },
  "format-comments": {
    stream: `data:1\r:\0\n:\r\ndata:2\n:${X}\rdata:3\n:data:fail\r:${X}\ndata:4\n\n`,
    dispatched: [["1\n2\n3\n4", "message", ""]],
  },
  "format-data-before-final-empty-line": {
    stream: "retry:1000\ndata:test1\n\nid:test\ndata:test2",
    dispatched: [["test1", "message", ""]],
    retry: 1_000,
    midEvent: true,
  },
  "format-field-data": {
    stream: "data:\n\ndata\ndata\n\ndata:test\n\n",
    dispatched: [["", "message", ""], ["\n", "message", ""], ["test", "message", ""]],
  },
  "format-field-event": {
    stream: "event:test\ndata:x\n\ndata:x\n\n",
    dispatched: [["x", "test", ""], ["x", "message", ""]],
  },
  "format-field-event-empty": {
    stream: "event: \ndata:data\n\n",
    dispatched: [["data", "message", ""]],
  },
  "format-field-id": {
    stream: "id: \u2026\nretry: 200\ndata: hello\n\n",
    dispatched: [["hello", "message", "\u2026"]],
    retry: 200,
  },
  "format-field-id-2": {
    stream: "data: \u2026\nid: \u2026\n\ndata: \u2026\n\n",
    dispatched: [["\u2026", "message", "\u2026"], ["\u2026", "message", "\u2026"]],
  },
  "format-field-id-3, persists": {
    stream: "id: 1\ndata: 1\n\ndata:2\n\n",
    dispatched: [["1", "message", "1"], ["2", "message", "1"]],
  },
  "format-field-id-3, changes and persists": {
    stream: "id: 1\ndata: 1\n\nid: 2\ndata:2\n\ndata:3\n\n",
    dispatched: [["1", "message", "1"], ["2", "message", "2"], ["3", "message", "2"]],
  },
  "format-field-id-3, resets": {
    stream: "id: 1\ndata: 1\n\nid:\ndata:2\n\ndata:3\n\n",
    dispatched: [["1", "message", "1"], ["2", "message", ""], ["3", "message", ""]],
  },
  "format-field-id-3, resets without a colon": {
    stream: "id: 1\ndata: 1\n\nid\ndata:2\n\ndata:3\n\n",
    dispatched: [["1", "message", "1"], ["2", "message", ""], ["3", "message", ""]],
  },
  "format-field-id-null": {
    stream: "id: \0\0\nretry: 200\ndata: hello\n\n",
    dispatched: [["hello", "message", ""]],
    retry: 200,
  },
  "format-field-parsing": {
    stream: "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\r" +
      "data:\r\n data:32\ndata:4\n\n",
    dispatched: [["\0\n 2\n1\n3\n\n4", "message", ""]],
  },
  "format-field-retry": {
    stream: "retry:02000\ndata:x\n\n",
    dispatched: [["x", "message", ""]],
    retry: 2_000,
  },
  "format-field-retry-bogus": {
    stream: "retry:2000\nretry:1000x\ndata:x\n\n",
    dispatched: [["x", "message", ""]],
    retry: 2_000,
  },
  "format-field-retry-empty": {
    stream: "retry\ndata:test\n\n",
    dispatched: [["test", "message", ""]],
  },
  "format-field-unknown": {
    stream: "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n",
    dispatched: [["test\n\ntest", "message", ""]],
  },
  "format-leading-space": {
    stream: "data:\ttest\rdata: \ndata:test\n\n",
    dispatched: [["\ttest\n\ntest", "message", ""]],
  },
  "format-newlines": {
    stream: "data:test\r\ndata\ndata:test\r\n\r",
    dispatched: [["test\n\ntest", "message", ""]],
  },
  "format-null-character": {
    stream: "data:\0\n\n\n\n",
    dispatched: [["\0", "message", ""]],
  },
  "format-utf-8": {
    stream: "data:ok\u2026\n\n",
    dispatched: [["ok\u2026", "message", ""]],
  },
};

/** What a listener is told of these events (WHATWG HTML 9.2.6, "dispatch the event"). */
function dispatch(events: readonly ShownEvent[]): readonly Dispatched[] {
  let lastEventId = "";
  const dispatched: Dispatched[] = [];
  for (const { id, event, data } of events) {
    lastEventId = id ?? lastEventId;
    if (data !== undefined) dispatched.push([data, event || "message", lastEventId]);
  }
  return dispatched;
}

for (const [name, { stream, dispatched, retry, midEvent = false }] of Object.entries(CASES)) {
  Deno.test(`R34 WPT ${name}, split at every byte`, () => {
    const bytes = utf8(stream);
    const whole = parseIn([bytes.length], bytes);
    assertEquals(dispatch(whole.events), dispatched);
    assertEquals(whole.events.findLast((event) => event.retry !== undefined)?.retry, retry);
    assertEquals(whole.midEvent, midEvent);
    for (const lengths of splits(bytes.length)) assertEquals(parseIn(lengths, bytes), whole);
  });
}
