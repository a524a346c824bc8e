import { equalBytes, type PeerId } from "@chorus/kernel";
import type { ExpiryCause, TaskCommand } from "./command.ts";
import { isCapable } from "./capability.ts";
import type { CommandResult, Refusal, TaskRecord } from "./contract-ports.ts";
import type { EventHead, Reason, TaskEvent, TaskId, TaskState, Token } from "./contract-task.ts";
import { taskIdOf } from "./task-id.ts";
import { specBytesOf } from "./task-spec.ts";
import { transitions } from "./transitions.ts";

/** Progress facts that one attempt may order: the ledger is no log file. */
export const MAX_PROGRESS = 200;

/** Where the ledger put the command, and who said it when. */
export interface CommandContext {
  readonly index: number;
  readonly term: number;
  readonly from: PeerId;
  readonly ts: number;
}

/** What a command comes to. A refused one leaves the task as it was and makes no event. */
export interface Reduced {
  readonly task: TaskRecord | undefined;
  readonly events: readonly TaskEvent[];
  readonly result: CommandResult;
}

type Of<Type extends TaskCommand["type"]> = Extract<TaskCommand, { readonly type: Type }>;
type Later = Exclude<TaskCommand, { readonly type: "task-submit" }>;
type Happening = TaskEvent extends infer Event
  ? Event extends EventHead
    ? Omit<Event, keyof EventHead>
    : never
  : never;
type Change = Partial<TaskRecord> & { readonly state: TaskState; readonly event: Happening };

/**
 * The whole life of a task as one pure function: no clock, no randomness, the same at every peer.
 * @param task the task that the command names, undefined when the ledger has none
 */
export function reduceTask(
  task: TaskRecord | undefined,
  command: TaskCommand,
  context: CommandContext,
): Reduced {
  if (command.type === "task-submit") return submit(task, command, context);
  if (task === undefined) return refuse(task, "unknown-task");
  if (isRepeatedCommit(task, command)) return accept(task);
  const refusal = refusalOf(task, command, context);
  return refusal === undefined ? carryOut(task, command, context) : refuse(task, refusal);
}

/** All that can stand against a command for a known task. */
function refusalOf(task: TaskRecord, command: Later, context: CommandContext): Refusal | undefined {
  const underLease = "token" in command;
  if (!(command.type in transitions[task.state])) return underLease ? "fenced" : "not-possible";
  if (underLease) return refusalUnderLease(task, command, context);
  if (command.type === "task-cancel") return undefined;
  return isCapable(command.capabilities, task.spec.requirements) ? undefined : "not-capable";
}

function refusalUnderLease(
  { lease, progressed }: TaskRecord,
  command: Extract<Later, { readonly token: Token }>,
  context: CommandContext,
): Refusal | undefined {
  if (lease === undefined || !isSameToken(lease.token, command.token)) return "fenced";
  if (command.type === "task-expire") return lease.renewal === command.renewal ? undefined : "renewed";
  if (lease.holder !== context.from) return "fenced";
  return command.type === "task-progress" && progressed >= MAX_PROGRESS ? "too-much-progress" : undefined;
}

function carryOut(task: TaskRecord, command: Later, context: CommandContext): Reduced {
  if (command.type === "task-claim") return claim(task, command, context);
  if (command.type === "task-renew") return accept({ ...task, ...alive(task, context) });
  if (command.type === "task-progress") return progress(task, command, context);
  if (command.type === "task-complete") return complete(task, command, context);
  if (command.type === "task-fail") return release(task, command.reason, context);
  if (command.type === "task-cancel") return cancel(task, command, context);
  const reason = { code: `coordinator/${command.cause}`, message: expiryMessages[command.cause] };
  return release(task, reason, context);
}

function submit(task: TaskRecord | undefined, command: Of<"task-submit">, context: CommandContext): Reduced {
  const { principal, key, spec } = command;
  const specBytes = specBytesOf(spec);
  if (task !== undefined)
    return equalBytes(task.specBytes, specBytes) ? accept(task) : refuse(task, "conflict");
  const fresh: TaskRecord = {
    id: taskIdOf(principal, key),
    state: "ready",
    spec,
    principal,
    entry: context.from,
    submittedAt: context.ts,
    attempt: 0,
    events: [],
    holders: [],
    specBytes,
    progressed: 0,
  };
  const event = { type: "task-submitted", principal, goal: spec.goal } as const;
  return happen(fresh, context, { state: "ready", event });
}

function claim(task: TaskRecord, command: Of<"task-claim">, context: CommandContext): Reduced {
  const { index, term, from: holder } = context;
  const { ttlMs, session } = command;
  const attempt = task.attempt + 1;
  const token: Token = { term, index };
  return happen(task, context, {
    state: "leased",
    attempt,
    lease: { token, holder, attempt, ttlMs, renewal: index, session },
    holders: [...task.holders, holder],
    progressed: 0,
    event: { type: "task-claimed", token, attempt, ttlMs },
  });
}

function progress(task: TaskRecord, command: Of<"task-progress">, context: CommandContext): Reduced {
  return happen(task, context, {
    ...alive(task, context),
    state: "working",
    progressed: task.progressed + 1,
    event: { type: "task-progressed", attempt: task.attempt, step: command.step },
  });
}

function complete(task: TaskRecord, command: Of<"task-complete">, context: CommandContext): Reduced {
  const { result, token: finishedBy } = command;
  const { attempt } = task;
  const ended = withoutLease(task);
  if (result.outcome === "succeeded") {
    const event = { type: "task-completed", attempt, result } as const;
    return happen(ended, context, { state: "completed", result, finishedBy, event });
  }
  const reason = { code: "coordinator/run-failed", message: result.reason ?? "the run failed" };
  const event = { type: "task-failed", attempt, result } as const;
  return happen(ended, context, { state: "failed", result, reason, finishedBy, event });
}

const expiryMessages: Readonly<Record<ExpiryCause, string>> = {
  lapsed: "the worker gave no sign of life for the time of its lease",
  "holder-gone": "the worker is no longer connected to the mesh",
  "holder-restarted": "the worker's process was started anew",
};

/** Ends an attempt without a result: another one may follow, or the task is a dead letter. */
function release(task: TaskRecord, reason: Reason, context: CommandContext): Reduced {
  const { attempt } = task;
  const ended = withoutLease(task);
  if (attempt < task.spec.attempts)
    return happen(ended, context, {
      state: "ready",
      reason,
      event: { type: "task-released", attempt, reason },
    });
  return happen(ended, context, {
    state: "dead-letter",
    reason,
    event: { type: "task-dead-lettered", attempt, reason },
  });
}

function cancel(task: TaskRecord, command: Of<"task-cancel">, context: CommandContext): Reduced {
  const reason = { code: "coordinator/canceled", message: command.reason };
  const event = { type: "task-canceled", reason } as const;
  return happen(withoutLease(task), context, { state: "canceled", reason, event });
}

/** An answer that was lost on its way makes the holder ask again: the same commit stays one commit. */
function isRepeatedCommit(task: TaskRecord, command: TaskCommand): boolean {
  return (
    command.type === "task-complete" &&
    task.finishedBy !== undefined &&
    isSameToken(task.finishedBy, command.token) &&
    task.result?.decision.cid === command.result.decision.cid
  );
}

function isSameToken(a: Token, b: Token): boolean {
  return a.term === b.term && a.index === b.index;
}

function alive(task: TaskRecord, context: CommandContext): Partial<TaskRecord> {
  return task.lease === undefined ? {} : { lease: { ...task.lease, renewal: context.index } };
}

function withoutLease(task: TaskRecord): TaskRecord {
  const { lease: _, ...rest } = task;
  return rest;
}

function happen(task: TaskRecord, context: CommandContext, change: Change): Reduced {
  const { event: happening, ...members } = change;
  const head = { taskId: task.id, seq: task.events.length + 1, at: context.ts, by: context.from };
  const event: TaskEvent = { ...happening, ...head };
  return { ...accept({ ...task, ...members, events: [...task.events, event] }), events: [event] };
}

function accept(task: TaskRecord): Reduced {
  const { id: taskId, state } = task;
  return { task, events: [], result: { status: "applied", taskId, state, seq: task.events.length } };
}

function refuse(task: TaskRecord | undefined, refusal: Refusal): Reduced {
  const state = task === undefined ? {} : { state: task.state };
  return { task, events: [], result: { status: "refused", refusal, ...state } };
}

/** The task that a command is about. */
export function subjectOf(command: TaskCommand): TaskId {
  return command.type === "task-submit" ? taskIdOf(command.principal, command.key) : command.task;
}
