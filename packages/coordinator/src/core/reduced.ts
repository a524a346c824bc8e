import type { PeerId } from "@chorus/kernel";
import { inCanonicalOrder } from "../canonical-of.ts";
import type { CommandResult, Refusal, TaskRecord } from "../contract-ports.ts";
import type { EventHead, TaskEvent, TaskId, TaskSpec, TaskState, Token } from "../contract-task.ts";

/** Where the ledger put the command, and who said it when. */
export interface CommandContext {
  readonly index: number;
  readonly term: number;
  readonly from: PeerId;
  readonly ts: number;
}

/** What a command may see of the other tasks. */
export interface Neighbours {
  readonly stateOf: (id: TaskId) => TaskState | undefined;
  /** True when a task with these dependencies would wait for itself. */
  readonly closesCycle: (id: TaskId, spec: TaskSpec) => boolean;
}

/** What a command comes to. A refused one leaves the task as it was and makes no event. */
export interface Reduced {
  readonly task: TaskRecord | undefined;
  readonly events: readonly TaskEvent[];
  readonly result: CommandResult;
}

/** Members beyond the state that an applied command's answer may have. */
export type Answer = Pick<
  Extract<CommandResult, { readonly status: "applied" }>,
  "boundary" | "effect" | "resolveFirst"
>;

/** An event without its number, time and speaker. */
export type Happening = TaskEvent extends infer Event
  ? Event extends EventHead
    ? Omit<Event, keyof EventHead>
    : never
  : never;

/** What changes, and the event that says so. */
export type Change = Partial<TaskRecord> & { readonly state: TaskState; readonly event: Happening };

/** The task with a change, its event numbered. */
export function happen(
  task: TaskRecord,
  context: Pick<CommandContext, "from" | "ts">,
  { event: happening, ...members }: Change,
): Reduced & { readonly task: TaskRecord } {
  const head = { taskId: task.id, seq: task.events.length + 1, at: context.ts, by: context.from };
  const event: TaskEvent = inCanonicalOrder({ ...happening, ...head });
  return { ...accept({ ...task, ...members, events: [...task.events, event] }), events: [event] };
}

/** The task as it is given, without an event. */
export function accept(task: TaskRecord): Reduced & { readonly task: TaskRecord } {
  const { id: taskId, state } = task;
  return { task, events: [], result: { status: "applied", taskId, state, seq: task.events.length } };
}

/** The task as it was. */
export function refuse(task: TaskRecord | undefined, refusal: Refusal): Reduced {
  const state = task === undefined ? {} : { state: task.state };
  return { task, events: [], result: { status: "refused", refusal, ...state } };
}

/** The same step with more to its answer. */
export function answering(reduced: Reduced, answer: Answer): Reduced {
  const { result } = reduced;
  return result.status === "applied" ? { ...reduced, result: { ...result, ...answer } } : reduced;
}

export function isSameToken(a: Token, b: Token): boolean {
  return a.term === b.term && a.index === b.index;
}

export function withoutLease(task: TaskRecord): TaskRecord {
  const { lease: _, pausedFrom: __, ...rest } = task;
  return rest;
}
