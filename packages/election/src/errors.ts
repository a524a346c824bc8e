import { ChorusError } from "@chorus/kernel";

/** The vote store cannot be opened or read, or is in use by another process. */
export class VoteStoreError extends ChorusError {
  readonly code = "election/store-failed";
  constructor(problem: string, cause?: unknown) {
    super(`vote store: ${problem}`, { detail: { problem }, cause });
  }
}

/** The vote store belongs to another mesh, or its configuration has no place for this peer's role. */
export class WrongStoreError extends ChorusError {
  readonly code = "election/wrong-store";
  constructor(problem: string, detail: Readonly<Record<string, unknown>>) {
    super(`vote store does not fit: ${problem}`, { detail });
  }
}
