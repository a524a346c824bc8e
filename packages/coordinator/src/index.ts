/**
 * Tasks from admission to commit. `src/run-task.ts` is a task's life in one function; start reading there.
 *
 * @packageDocumentation
 */
export type {
  Ack,
  Components,
  Coordinator,
  CoordinatorOptions,
  TaskEvent,
  TaskId,
  TaskSpec,
  TaskView,
} from "./contract.ts";
export { coordinator } from "./coordinator.ts";
export { sqliteOutbox } from "./outbox.ts";
export { taskMachine } from "./task-machine.ts";
export { parseTask } from "./task-spec.ts";
