import { ChorusError } from "@chorus/kernel";

/** An input that cannot be used: malformed, too large, or with names that lead out of its folder. */
export class InputRefusedError extends ChorusError {
  readonly code = "engine/bad-input";
  constructor(input: string, problem: string, cause?: unknown) {
    super(`input ${input}: ${problem}`, { detail: { input, problem }, cause });
  }
}

/** A task for which no command can be found. */
export class NothingToRunError extends ChorusError {
  readonly code = "engine/nothing-to-run";
  constructor(problem: string) {
    super(problem, { detail: { problem } });
  }
}

/** The task's own time is over. */
export class TaskTimeoutError extends ChorusError {
  readonly code = "engine/timeout";
  constructor(timeoutMs: number) {
    super(`the task took longer than its limit of ${timeoutMs} ms`, { detail: { timeoutMs } });
  }
}

/** What came out of the sandbox is more than may be kept. */
export class TooManyArtifactsError extends ChorusError {
  readonly code = "engine/too-many-artifacts";
  constructor(limit: string) {
    super(`/workspace/output holds more than ${limit}`, { detail: { limit } });
  }
}

/** The message and nature of a refusal; undefined for anything that is not a ChorusError, which is a defect. */
export function refusalOf(error: unknown): { message: string; retryable: boolean } | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("retryable" in error)) return undefined;
  return { message: error.message, retryable: error.retryable === true };
}
