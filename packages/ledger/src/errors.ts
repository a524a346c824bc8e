import { ChorusError } from "@chorus/kernel";

/** Nobody leads, or the leader cannot be reached; nothing was appended. */
export class NoLeaderError extends ChorusError {
  readonly code = "ledger/no-leader";
  constructor(problem: string) {
    super(`no leader took the proposal: ${problem}`, { retryable: true, detail: { problem } });
  }
}

/** The proposal was on its way and no answer came: it may be committed. Repeating it with the same id is safe. */
export class OutcomeUnknownError extends ChorusError {
  readonly code = "ledger/outcome-unknown";
  constructor(id: string, cause?: unknown) {
    super("the proposal may or may not be committed", { retryable: true, detail: { id }, cause });
  }
}

/** The admin does not take this command (`admit`); nothing was appended. */
export class RefusedError extends ChorusError {
  readonly code = "ledger/refused";
  constructor(reason: string, cause?: unknown) {
    super(`the command was refused: ${reason}`, { detail: { reason }, cause });
  }
}

export class TooLargeError extends ChorusError {
  readonly code = "ledger/too-large";
  constructor(bytes: number, limit: number) {
    super(`command of ${bytes} bytes is over the limit of ${limit}`, { detail: { bytes, limit } });
  }
}

export class ClosedError extends ChorusError {
  readonly code = "ledger/closed";
  constructor() {
    super("the ledger was closed");
  }
}

/** The log cannot be trusted from `detail.index` on. Nothing is cut off or repaired: an operator decides. */
export class CorruptError extends ChorusError {
  readonly code = "ledger/corrupt";
  constructor(problem: string, index: number, cause?: unknown) {
    super(`the log is read-only: ${problem} at index ${index}`, { detail: { problem, index }, cause });
  }
}

/** A snapshot took the place of these entries; `detail.first` is the first one that is there. */
export class TruncatedError extends ChorusError {
  readonly code = "ledger/truncated";
  constructor(first: number) {
    super(`the log begins at index ${first}`, { detail: { first } });
  }
}

/** There was no room and nothing was kept. */
export class DiskFullError extends ChorusError {
  readonly code = "ledger/disk-full";
  constructor(cause?: unknown) {
    super("the disk is full", { retryable: true, cause });
  }
}

/** The store cannot be opened, or is in use by another process. */
export class LogStoreError extends ChorusError {
  readonly code = "ledger/store-failed";
  constructor(problem: string, cause?: unknown) {
    super(`log store: ${problem}`, { detail: { problem }, cause });
  }
}

/** The other side of a stream does not keep to the protocol. */
export class ProtocolError extends ChorusError {
  readonly code = "ledger/protocol";
  constructor(problem: string) {
    super(`ledger protocol: ${problem}`, { detail: { problem } });
  }
}
