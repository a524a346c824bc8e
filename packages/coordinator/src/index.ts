/**
 * Tasks from admission to commit. `src/run-task.ts` is a task's life in one function; start reading there.
 *
 * @example
 * import { parseTask, taskMachine } from "@chorus/coordinator";
 *
 * const task = parseTask({ goal: "Make the tests pass", commands: [{ run: "python -m unittest -v" }] });
 * console.log(task.project, task.attempts); // default 3
 *
 * const machine = taskMachine({ cluster: "demo" });
 * const { result } = machine.apply(machine.initial(), { index: 1, term: 1, command: Uint8Array.of(0) });
 * console.log(result); // { status: "refused", refusal: "malformed" }
 *
 * @packageDocumentation
 */
export type { Ack, Components, Coordinator, CoordinatorOptions } from "./contract.ts";
export type { TaskEvent, TaskSpec, TaskView } from "./contract-task.ts";
export { coordinator } from "./coordinator.ts";
export { sqliteOutbox } from "./outbox.ts";
export { projectState } from "./project-state.ts";
export { taskMachine } from "./core/task-machine.ts";
export { parseTask } from "./task-spec.ts";
