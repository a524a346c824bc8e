import type { TaskRecord, TaskTable } from "./contract-ports.ts";
import type { TaskSpec, TaskView } from "./contract-task.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;

/** Which tasks are wanted. */
export interface ListFilter {
  readonly state?: string;
  readonly limit?: number;
  readonly after?: string;
}

/** What callers see of a task in the ledger. */
export function viewOf(record: TaskRecord): TaskView {
  const { events, holders: _, specBytes: __, progressed: ___, finishedBy: ____, ...rest } = record;
  const { failures: _____, retry: ______, pausedFrom: _______, ...view } = rest;
  return { ...view, lastSeq: events.length };
}

/** What keeps a task from being claimed, as far as this peer can see. */
export function waitingForOf(
  { state, spec }: TaskRecord,
  mesh: {
    readonly stateOf: (id: string) => string | undefined;
    readonly missing: (spec: TaskSpec) => readonly string[];
  },
): readonly string[] {
  if (state === "ready") return mesh.missing(spec);
  if (state !== "blocked") return [];
  return (spec.dependsOn ?? []).filter((id) => mesh.stateOf(id) !== "completed").map((id) => `task:${id}`);
}

/** One page, newest first; what the ledger has not ordered yet is newest of all. */
export function listTasks(
  table: TaskTable,
  pending: readonly TaskView[],
  filter: ListFilter & { readonly view?: (record: TaskRecord) => TaskView },
): readonly TaskView[] {
  const { state, after, view: look = viewOf } = filter;
  const limit = Math.max(0, Math.min(filter.limit ?? DEFAULT_LIMIT, MAX_LIMIT));
  const page: TaskView[] = [];
  let skipping = after !== undefined;
  for (const task of newestFirst(table, pending)) {
    if (page.length === limit) break;
    if (!skipping && (state === undefined || task.state === state))
      page.push("lastSeq" in task ? task : look(task));
    if (task.id === after) skipping = false;
  }
  return page;
}

function* newestFirst(table: TaskTable, pending: readonly TaskView[]): Generator<TaskView | TaskRecord> {
  for (const view of pending.toReversed()) if (!table.tasks.has(view.id)) yield view;
  for (let i = table.order.length - 1; i >= 0; i--) {
    const record = table.tasks.get(table.order[i] ?? "");
    if (record !== undefined) yield record;
  }
}
