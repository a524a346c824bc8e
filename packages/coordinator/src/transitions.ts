import type { TaskCommand } from "./command.ts";
import type { TaskState } from "./contract-task.ts";

/** The states that a command may lead to; what is not here is refused. DESIGN.md's diagram is this table. */
export const transitions: Readonly<
  Record<TaskState, Partial<Record<TaskCommand["type"], readonly TaskState[]>>>
> = {
  submitted: { "task-submit": ["ready"] },
  ready: { "task-claim": ["leased"], "task-cancel": ["canceled"] },
  leased: {
    "task-renew": ["leased"],
    "task-progress": ["working"],
    "task-complete": ["completed", "failed"],
    "task-fail": ["ready", "dead-letter"],
    "task-expire": ["ready", "dead-letter"],
    "task-cancel": ["canceled"],
  },
  working: {
    "task-renew": ["working"],
    "task-progress": ["working"],
    "task-complete": ["completed", "failed"],
    "task-fail": ["ready", "dead-letter"],
    "task-expire": ["ready", "dead-letter"],
    "task-cancel": ["canceled"],
  },
  completed: {},
  failed: {},
  canceled: {},
  "dead-letter": {},
};

/** True when nothing will happen to the task any more. */
export function isTerminal(state: TaskState): boolean {
  return Object.keys(transitions[state]).length === 0;
}
