/** What Linux tells of a process under `/proc`. */

/** Whether this system tells it. */
export const MEMORY_IS_TOLD = Deno.build.os === "linux";

function statusKiB(status: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status);
  if (found === null) throw new Error(`no ${name}: the process has ended`);
  return Number(found[1]);
}

/** The resident memory in the text of `/proc/PID/status`, in KiB. */
export function residentKiB(status: string): number {
  return statusKiB(status, "VmRSS");
}

/** The most resident memory that the process ever had, in the same text and unit. */
export function peakKiB(status: string): number {
  return statusKiB(status, "VmHWM");
}

/** The soft limit on open files in the text of `/proc/PID/limits`; infinite where there is none. */
export function openFileLimit(limits: string): number {
  const found = /^Max open files\s+(\d+|unlimited)/m.exec(limits);
  return found?.[1] === undefined || found[1] === "unlimited" ? Infinity : Number(found[1]);
}

/** The resident memory of a process now, in KiB. */
export async function readResidentKiB(pid: number): Promise<number> {
  return residentKiB(await Deno.readTextFile(`/proc/${pid}/status`));
}

/** The most resident memory of a process so far, in KiB. */
export async function readPeakKiB(pid: number): Promise<number> {
  return peakKiB(await Deno.readTextFile(`/proc/${pid}/status`));
}

/** How many files this process may have open, and the ones it starts. */
export async function readOpenFileLimit(): Promise<number> {
  return openFileLimit(await Deno.readTextFile("/proc/self/limits"));
}
