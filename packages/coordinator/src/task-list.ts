import type { TaskRecord, TaskTable } from "./contract-ports.ts";
import type { TaskView } from "./contract-task.ts";

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
  const { events, holders: _, specBytes: __, progressed: ___, finishedBy: ____, ...view } = record;
  return { ...view, lastSeq: events.length };
}

/** One page, newest first; what the ledger has not ordered yet is newest of all. */
export function listTasks(
  table: TaskTable,
  pending: readonly TaskView[],
  filter: ListFilter,
): readonly TaskView[] {
  const { state, after } = filter;
  const limit = Math.max(0, Math.min(filter.limit ?? DEFAULT_LIMIT, MAX_LIMIT));
  const page: TaskView[] = [];
  let skipping = after !== undefined;
  for (const view of newestFirst(table, pending)) {
    if (page.length === limit) break;
    if (!skipping && (state === undefined || view.state === state)) page.push(view);
    if (view.id === after) skipping = false;
  }
  return page;
}

function* newestFirst(table: TaskTable, pending: readonly TaskView[]): Generator<TaskView> {
  for (const view of pending.toReversed()) if (!table.tasks.has(view.id)) yield view;
  for (let i = table.order.length - 1; i >= 0; i--) {
    const record = table.tasks.get(table.order[i] ?? "");
    if (record !== undefined) yield viewOf(record);
  }
}
