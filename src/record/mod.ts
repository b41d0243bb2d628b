/**
 * Recording MCP traffic: capture, redaction, placeholders, fixtures and HTTP archives.
 *
 * May import `clock.ts`, `config`, `errors.ts`, `front` (for the door), `http`, `listener`, `sse`,
 * `telemetry`, `upstream`, and the format of fixtures outside `src`. fixtures/README.md tells the rules in words.
 *
 * @module
 */

export { type FixtureName, RECORDER } from "./fixture.ts";
export { listenAndRecord, type ListenOptions, type RunningRecorder } from "./listen.ts";
export { recordRun, type RunRecording } from "./proxy.ts";
export { type RawEntry, type RecordedExchange, Recorder, type Recording } from "./recorder.ts";
export type {
  DataEntry,
  EntryCommon,
  GrowingRecording,
  RecorderOptions,
  RecordingWatch,
  RequestHead,
  Side,
} from "./recorder.ts";
export type { Field } from "./redact.ts";
export { checkFile, checkFolder, type Destination, RecordingError } from "./save.ts";
export { refuseFixture, save, type Saved } from "./save.ts";
export { tap } from "./tap.ts";
export { RecordingWriter, type WriterOptions } from "./writer.ts";
