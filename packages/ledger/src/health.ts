import type { Logger } from "@chorus/kernel";
import { ClosedError, CorruptError } from "./errors.ts";

interface HealthPorts {
  readonly logger: Logger;
  readonly appliedIndex: () => number;
  readonly onFailure: () => void;
}

/** Whether the log may be written. The first failure ends that for good. */
export class Health {
  readonly #ports: HealthPorts;
  #failure: Error | undefined;

  constructor(ports: HealthPorts) {
    this.#ports = ports;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Raises the alarm once. @returns the first failure */
  fail(error: unknown): Error {
    if (this.#failure !== undefined) return this.#failure;
    const { logger, appliedIndex, onFailure } = this.#ports;
    const failure =
      error instanceof CorruptError || error instanceof ClosedError
        ? error
        : new CorruptError("the store or the machine failed", appliedIndex() + 1, error);
    this.#failure = failure;
    if (failure instanceof CorruptError)
      logger.error("ledger is read-only", { code: failure.code, ...failure.detail, cause: error });
    onFailure();
    return failure;
  }
}
