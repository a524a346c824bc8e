import type { TaskRecord } from "../contract-ports.ts";
import type { TaskId } from "../contract-task.ts";

/** The state of the task machine. It is changed in place: a copy of 100,000 tasks per entry would be the cost. */
export interface Tasks {
  readonly tasks: Map<string, TaskRecord>;
  readonly order: TaskId[];
  /** From a dependency to who waits for it; made from the tasks, not part of a snapshot. */
  readonly dependents: Map<string, TaskId[]>;
}
