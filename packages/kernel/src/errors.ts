/**
 * The base of every error that a CHORUS package throws on purpose.
 *
 * Compare `code`, never the message or the class: codes are part of the contract, messages are for people.
 * An expected absence (an unknown key, a task that does not exist) is a value, not an error.
 */
export abstract class ChorusError extends Error {
  /** Stable and unique, `package/what`: for example `ledger/no-leader`. */
  abstract readonly code: string;
  /** True when the same call may succeed later without any change by the caller. */
  readonly retryable: boolean;
  /** Data about the failure, safe to log: it never holds a secret or a payload. */
  readonly detail: Readonly<Record<string, unknown>>;

  constructor(
    message: string,
    options: { retryable?: boolean; detail?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.retryable = options.retryable ?? false;
    this.detail = options.detail ?? {};
  }
}

/** Input from outside that does not have the promised shape. `detail.path` names the offending field. */
export class InvalidInputError extends ChorusError {
  readonly code = "kernel/invalid-input";
  constructor(path: string, problem: string, cause?: unknown) {
    super(`${path}: ${problem}`, { detail: { path, problem }, cause });
  }
}

/** The `code` of a ChorusError, or undefined for any other thrown value. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
