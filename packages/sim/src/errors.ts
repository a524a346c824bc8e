import { ChorusError } from "@chorus/kernel";

/** The simulated disk has no room; nothing of this write is on it. */
export class DiskFullError extends ChorusError {
  readonly code = "sim/disk-full";
  constructor(file: string) {
    super(`no room for ${file}`, { detail: { file }, retryable: true });
  }
}
