import { ChorusError } from "@chorus/kernel";
import type { TaskState } from "./contract-task.ts";

/** One wrong field, named by its JSON pointer (RFC 6901); the empty pointer is the whole task. */
export interface FieldProblem {
  readonly pointer: string;
  readonly detail: string;
}

/** Input that is not a task. `detail.errors` names every wrong field. */
export class InvalidTaskError extends ChorusError {
  readonly code = "coordinator/invalid-task";
  constructor(errors: readonly FieldProblem[]) {
    super(errors.map(({ pointer, detail }) => `${pointer || "task"} ${detail}`).join("; "), {
      detail: { errors },
    });
  }
}

/** The principal has used this idempotency key for another task. */
export class ConflictError extends ChorusError {
  readonly code = "coordinator/conflict";
  constructor(taskId: string) {
    super("this idempotency key was used for another task", { detail: { taskId } });
  }
}

/** No such task at this peer; a peer that has just joined may not know it yet. */
export class UnknownTaskError extends ChorusError {
  readonly code = "coordinator/unknown-task";
  constructor(taskId: string) {
    super("there is no such task here", { detail: { taskId } });
  }
}

/** Nobody who can be reached has this attempt's output. */
export class OutputLostError extends ChorusError {
  readonly code = "coordinator/output-lost";
  constructor(taskId: string, attempt: number) {
    super(`the output of attempt ${attempt} is not kept by any peer in reach`, {
      detail: { taskId, attempt },
    });
  }
}

/** The ledger refused a submission for a reason that another try will not change. */
export class RefusedError extends ChorusError {
  readonly code = "coordinator/refused";
  constructor(taskId: string, refusal: string) {
    super(`the ledger refused the task: ${refusal}`, { detail: { taskId, refusal } });
  }
}

/** Why a run was stopped: its lease is no longer the current one, or the task has ended. */
export class LeaseLostError extends ChorusError {
  readonly code = "coordinator/lease-lost";
  constructor(taskId: string, state: TaskState) {
    super("the lease of this run is no longer current", { detail: { taskId, state } });
  }
}

/** The run could not be carried out; the task goes back for another attempt. */
export class AttemptFailedError extends ChorusError {
  readonly code = "coordinator/attempt-failed";
  constructor(reason: string) {
    super(reason, { retryable: true });
  }
}

/** The run waits for a person; the task does with it. */
export class NeedsAnswerError extends ChorusError {
  readonly code = "coordinator/needs-answer";
  readonly asks: "input" | "auth";
  constructor(asks: { readonly for: "input" | "auth"; readonly question: string }) {
    super(asks.question);
    this.asks = asks.for;
  }
}

/** The coordinator was disposed while this was going on. */
export class StoppedError extends ChorusError {
  readonly code = "coordinator/stopped";
  constructor() {
    super("this peer's coordinator has stopped", { retryable: true });
  }
}

/** Bytes that are no snapshot of tasks. */
export class SnapshotError extends ChorusError {
  readonly code = "coordinator/snapshot-malformed";
  constructor(problem: string, cause?: unknown) {
    super(`the snapshot ${problem}`, { detail: { problem }, cause });
  }
}

/** The outbox cannot keep submissions; nothing was accepted. */
export class OutboxError extends ChorusError {
  readonly code = "coordinator/outbox-failed";
  constructor(problem: string, cause?: unknown) {
    super(`the outbox ${problem}`, { detail: { problem }, cause });
  }
}
