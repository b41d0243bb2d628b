/** Lines to the terminal, whole and in order. */

const encoder = new TextEncoder();

function writeSync(target: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  let written = 0;
  while (written < bytes.length) written += target.writeSync(bytes.subarray(written));
}

/** Prints one line of the result. */
export function print(line: string): void {
  writeSync(Deno.stdout, `${line}\n`);
}

/** Prints one line of progress or of failure, beside the result. */
export function note(line: string): void {
  writeSync(Deno.stderr, `${line}\n`);
}
