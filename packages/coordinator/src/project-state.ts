import type { TaskState, TaskView } from "./contract-task.ts";

/** A2A 1.0's states of a task, as its JSON has them. */
export type A2aTaskState =
  | "TASK_STATE_SUBMITTED"
  | "TASK_STATE_WORKING"
  | "TASK_STATE_INPUT_REQUIRED"
  | "TASK_STATE_AUTH_REQUIRED"
  | "TASK_STATE_COMPLETED"
  | "TASK_STATE_FAILED"
  | "TASK_STATE_CANCELED"
  | "TASK_STATE_REJECTED";

const projected: Readonly<Record<TaskState, A2aTaskState>> = {
  submitted: "TASK_STATE_SUBMITTED",
  blocked: "TASK_STATE_SUBMITTED",
  ready: "TASK_STATE_SUBMITTED",
  leased: "TASK_STATE_WORKING",
  working: "TASK_STATE_WORKING",
  paused: "TASK_STATE_WORKING",
  verifying: "TASK_STATE_WORKING",
  "input-required": "TASK_STATE_INPUT_REQUIRED",
  "auth-required": "TASK_STATE_AUTH_REQUIRED",
  completed: "TASK_STATE_COMPLETED",
  failed: "TASK_STATE_FAILED",
  canceled: "TASK_STATE_CANCELED",
  rejected: "TASK_STATE_REJECTED",
  expired: "TASK_STATE_FAILED",
  "dead-letter": "TASK_STATE_FAILED",
};

/** A task's state for A2A, which has fewer: `message` says what is lost by that, or what is asked. */
export function projectState(task: Pick<TaskView, "state" | "reason">): {
  readonly state: A2aTaskState;
  readonly message?: string;
} {
  const { state, reason } = task;
  const name = ["blocked", "paused", "verifying", "expired", "dead-letter"].includes(state)
    ? `${state}: `
    : "";
  const message = `${name}${SILENT.has(state) ? "" : (reason?.message ?? "")}`.replace(/: $/, "");
  return { state: projected[state], ...(message === "" ? {} : { message }) };
}

/** States in which a reason is that of an earlier attempt. */
const SILENT: ReadonlySet<TaskState> = new Set([
  "submitted",
  "blocked",
  "leased",
  "working",
  "verifying",
  "completed",
]);
