import type { TaskRecord } from "../contract-ports.ts";
import type { Reason, TaskId, TaskSpec, TaskState } from "../contract-task.ts";
import { type CommandContext, happen, type Reduced } from "./reduced.ts";
import { isTerminal } from "./transitions.ts";

/** Whether a task's dependencies let it go: `open` they may still. */
export type JoinState =
  | { readonly status: "holds" }
  | { readonly status: "open" }
  | { readonly status: "never"; readonly reason: Reason };

type StateOf = (id: TaskId) => TaskState | undefined;

/** Looks at the dependencies as the ledger has them; one that it does not know yet may still come. */
export function joinOf({ dependsOn = [], join = "all" }: TaskSpec, stateOf: StateOf): JoinState {
  const wanted =
    join === "all" ? dependsOn.length : join === "any" ? Math.min(1, dependsOn.length) : join.atLeast;
  let completed = 0;
  const lost: { readonly id: TaskId; readonly state: TaskState }[] = [];
  for (const id of dependsOn) {
    const state = stateOf(id);
    if (state === "completed") completed++;
    else if (state !== undefined && isTerminal(state)) lost.push({ id, state });
  }
  if (completed >= wanted) return { status: "holds" };
  if (dependsOn.length - lost.length >= wanted) return { status: "open" };
  const names = lost.map(({ id, state }) => `${id} is ${state}`).join(", ");
  const message = `needs ${wanted} of ${dependsOn.length} tasks completed, but ${names}`.slice(0, 512);
  return { status: "never", reason: { code: "coordinator/dependency-failed", message } };
}

/** Lets a task go, or rejects it, when its join is settled; a task that waits for nothing goes at once. */
function settleJoin(task: TaskRecord, context: CommandContext, stateOf: StateOf): Reduced | undefined {
  const join = joinOf(task.spec, stateOf);
  if (join.status === "open") return undefined;
  if (join.status === "holds")
    return happen(task, context, { state: "ready", event: { type: "task-unblocked" } });
  const { reason } = join;
  return happen(task, context, { state: "rejected", reason, event: { type: "task-rejected", reason } });
}

/** The tasks as an index from a dependency to who waits for it. */
export interface DependencyTable {
  readonly tasks: Map<string, TaskRecord>;
  readonly dependents: Map<string, TaskId[]>;
}

/** Notes whom a new task waits for. */
export function indexDependencies({ dependents }: DependencyTable, { id, spec }: TaskRecord): void {
  for (const dependency of new Set(spec.dependsOn)) {
    const known = dependents.get(dependency);
    if (known === undefined) dependents.set(dependency, [id]);
    else known.push(id);
  }
}

/**
 * True when a new task would wait for itself. Nothing can lead back to it that does not already wait for it, so for
 * almost every task one look is enough.
 */
export function closesCycle({ tasks, dependents }: DependencyTable, id: TaskId, spec: TaskSpec): boolean {
  if (spec.dependsOn === undefined) return false;
  if (spec.dependsOn.includes(id)) return true;
  if (!dependents.has(id)) return false;
  const seen = new Set<TaskId>();
  const waiting = [...spec.dependsOn];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next === id) return true;
    const task = tasks.get(next);
    if (seen.has(next) || task === undefined || isTerminal(task.state)) continue;
    seen.add(next);
    waiting.push(...(task.spec.dependsOn ?? []));
  }
  return false;
}

/** Carries the end of a task on to those that wait for it, and on from those that are rejected for it. */
export function cascade(table: DependencyTable, ended: TaskId, context: CommandContext): void {
  const stateOf: StateOf = (id) => table.tasks.get(id)?.state;
  const queue = [ended];
  for (const id of queue)
    for (const dependent of table.dependents.get(id) ?? []) {
      const task = table.tasks.get(dependent);
      if (task?.state !== "blocked") continue;
      const settled = settleJoin(task, context, stateOf)?.task;
      if (settled === undefined) continue;
      table.tasks.set(dependent, settled);
      if (isTerminal(settled.state)) queue.push(dependent);
    }
}
