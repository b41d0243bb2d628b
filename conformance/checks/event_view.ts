/**
 * What a browser makes of an event stream, by the HTML standard, section 9.2.6 "Interpreting an event
 * stream". Pure.
 *
 * @module
 */

/** An event as a browser dispatches it. */
export interface Dispatched {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

/** What a browser has made of a stream when it ends. */
export interface BrowserView {
  readonly events: readonly Dispatched[];
  /** What it would send as `Last-Event-ID`. */
  readonly lastEventId: string;
  /** The reconnection time that it was told; null where it was not. */
  readonly retryMs: number | null;
}

/** What a browser makes of these bytes, the whole of a stream. */
export function browserView(bytes: Uint8Array): BrowserView {
  // The decoder takes one BOM away, as the standard wants it.
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\r|\n/);
  // What stands behind the last line ending is no line; an event that is open at the end is dropped.
  lines.pop();
  const events: Dispatched[] = [];
  let [type, lastEventId] = ["", ""];
  let data: string[] = [];
  let retryMs: number | null = null;
  const fields: Readonly<Record<string, (value: string) => void>> = {
    event: (value) => type = value,
    data: (value) => data.push(value),
    id: (value) => lastEventId = value.includes("\0") ? lastEventId : value,
    retry: (value) => retryMs = /^[0-9]+$/.test(value) ? Number(value) : retryMs,
  };
  for (const line of lines) {
    if (line !== "") {
      const [, name = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (Object.hasOwn(fields, name)) fields[name]!(value);
      continue;
    }
    const text = data.join("\n");
    if (data.length > 0) events.push({ type: type || "message", data: text, lastEventId });
    [type, data] = ["", []];
  }
  return { events, lastEventId, retryMs };
}
