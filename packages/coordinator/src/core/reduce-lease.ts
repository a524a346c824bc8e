import type { ExpiryCause, TaskCommand } from "../command.ts";
import type { TaskRecord } from "../contract-ports.ts";
import type { Reason, TaskState, Token } from "../contract-task.ts";
import { VERIFYING_PHASE } from "../wire-names.ts";
import { waitMsOf } from "./backoff.ts";
import {
  accept,
  type CommandContext,
  happen,
  isSameToken,
  type Reduced,
  refuse,
  withoutLease,
} from "./reduced.ts";

type Of<Type extends TaskCommand["type"]> = Extract<TaskCommand, { readonly type: Type }>;
type UnderLease = Of<
  | "task-renew"
  | "task-progress"
  | "task-complete"
  | "task-fail"
  | "task-expire"
  | "task-ask"
  | "task-hand-back"
>;

/** Decisions of fenced attempts that are kept of one task. */
const MAX_EVIDENCE = 8;

/** The holder's words, and others' word that it is gone; the lease has been checked. */
export function underLease(task: TaskRecord, command: UnderLease, context: CommandContext): Reduced {
  switch (command.type) {
    case "task-renew":
      return accept({ ...task, ...alive(task, context) });
    case "task-progress":
      return progress(task, command, context);
    case "task-complete":
      return complete(task, command, context);
    case "task-fail":
      return release(task, context, { reason: command.reason, waits: command.reason.code !== STOPPED });
    case "task-ask":
      return ask(task, command, context);
    case "task-hand-back":
      return handBack(task, command, context);
    case "task-expire": {
      const reason = { code: `coordinator/${command.cause}`, message: expiryMessages[command.cause] };
      return release(task, context, { reason, waits: task.failures > 0 });
    }
  }
}

/** A peer that stops in good order is no reason to let the next one wait. */
const STOPPED = "coordinator/stopped";

const expiryMessages: Readonly<Record<ExpiryCause, string>> = {
  lapsed: "the worker gave no sign of life for the time of its lease",
  "holder-gone": "the worker is no longer connected to the mesh",
  "holder-restarted": "the worker's process was started anew",
};

export function claim(task: TaskRecord, command: Of<"task-claim">, context: CommandContext): Reduced {
  return lease(task, context, { ...command, event: "task-claimed" });
}

/** Makes the sender the holder; a manual lease is a person's. */
export function lease(
  task: TaskRecord,
  context: CommandContext,
  terms: {
    readonly ttlMs: number;
    readonly session: string;
    readonly event: "task-claimed" | "task-taken-over";
  },
): Reduced {
  const { index, term, from: holder } = context;
  const { ttlMs, session, event: type } = terms;
  const attempt = task.attempt + 1;
  const token: Token = { term, index };
  const manual = type === "task-taken-over" ? ({ manual: true } as const) : {};
  const { retry: _, ...free } = withoutLease(task);
  return happen(free, context, {
    state: "leased",
    attempt,
    lease: { token, holder, attempt, ttlMs, renewal: index, session, ...manual },
    holders: [...task.holders, holder],
    progressed: 0,
    event: { type, token, attempt, ttlMs },
  });
}

function progress(task: TaskRecord, command: Of<"task-progress">, context: CommandContext): Reduced {
  const { step } = command;
  const at = stateAt(task, step.phase);
  const isPaused = task.state === "paused";
  return happen(task, context, {
    ...alive(task, context),
    ...(isPaused ? { pausedFrom: at } : {}),
    state: isPaused ? "paused" : at,
    progressed: task.progressed + 1,
    event: { type: "task-progressed", attempt: task.attempt, step },
  });
}

/** Acceptance commands come last, so nothing leads back from them. */
function stateAt({ state, pausedFrom }: TaskRecord, phase: string): TaskState {
  const before = state === "paused" ? pausedFrom : state;
  return phase === VERIFYING_PHASE || before === "verifying" ? "verifying" : "working";
}

function complete(task: TaskRecord, command: Of<"task-complete">, context: CommandContext): Reduced {
  const { result, token: finishedBy } = command;
  const { attempt } = task;
  if (result.outcome === "succeeded" && hasOpenEffects(task)) return refuse(task, "effects-open");
  const ended = withoutLease(task);
  if (result.outcome === "succeeded") {
    const event = { type: "task-completed", attempt, result } as const;
    return happen(ended, context, { state: "completed", result, finishedBy, event });
  }
  const reason = { code: "coordinator/run-failed", message: result.reason ?? "the run failed" };
  const event = { type: "task-failed", attempt, result } as const;
  return happen(ended, context, { state: "failed", result, reason, finishedBy, event });
}

/** A success claims its effects: none may be left of which nobody knows whether it happened. */
function hasOpenEffects({ effects = [] }: TaskRecord): boolean {
  return effects.some(({ state }) => state !== "done" && state !== "void");
}

/** Ends an attempt without a result: another one may follow, or the task is a dead letter. */
function release(
  task: TaskRecord,
  context: CommandContext,
  { reason, waits }: { readonly reason: Reason; readonly waits: boolean },
): Reduced {
  const { attempt, spec, lease: held } = task;
  const ended = withoutLease(task);
  // A person who let go has not failed.
  const failures = task.failures + (held?.manual === true ? 0 : 1);
  if (failures >= spec.attempts)
    return happen({ ...ended, failures }, context, {
      state: "dead-letter",
      reason,
      event: { type: "task-dead-lettered", attempt, reason },
    });
  const waitMs = waits && held !== undefined ? waitMsOf(spec.backoff, failures, held.token) : 0;
  return happen({ ...ended, failures }, context, {
    ...(task.state === "paused"
      ? ({ state: "paused", pausedFrom: "ready" } as const)
      : ({ state: "ready" } as const)),
    reason,
    retry: { waitMs, index: context.index },
    event: { type: "task-released", attempt, reason, waitMs },
  });
}

function ask(task: TaskRecord, command: Of<"task-ask">, context: CommandContext): Reduced {
  const { attempt } = task;
  const reason = { code: `coordinator/needs-${command.for}`, message: command.question };
  const state = command.for === "auth" ? "auth-required" : "input-required";
  return happen(withoutLease(task), context, {
    state,
    reason,
    event: { type: "task-asked", attempt, reason },
  });
}

function handBack(task: TaskRecord, command: Of<"task-hand-back">, context: CommandContext): Reduced {
  const { attempt, lease: held, state } = task;
  if (held?.manual !== true) return refuse(task, "not-possible");
  const reason = { code: "coordinator/handed-back", message: command.reason };
  return happen(withoutLease(task), context, {
    ...(state === "paused" ? ({ state, pausedFrom: "ready" } as const) : ({ state: "ready" } as const)),
    reason,
    event: { type: "task-handed-back", attempt, reason },
  });
}

/** Keeps what a fenced attempt made: the sender has to have held the lease that it names. */
export function evidence(task: TaskRecord, command: Of<"task-evidence">, context: CommandContext): Reduced {
  const { superseded = [], finishedBy, lease: held } = task;
  const { token, address, cid } = command;
  if (superseded.some((known) => known.cid === cid)) return accept(task);
  if (!hasHeld(task, token, context) || isCurrent(token, held?.token) || isCurrent(token, finishedBy))
    return refuse(task, "fenced");
  if (superseded.length >= MAX_EVIDENCE) return refuse(task, "too-many");
  const one = { token, by: context.from, address, cid };
  return happen(task, context, {
    state: task.state,
    superseded: [...superseded, one],
    event: { type: "task-superseded", superseded: one },
  });
}

function hasHeld({ events }: TaskRecord, token: Token, { from }: CommandContext): boolean {
  return events.some(
    (event) =>
      (event.type === "task-claimed" || event.type === "task-taken-over") &&
      event.by === from &&
      isSameToken(event.token, token),
  );
}

function isCurrent(token: Token, current: Token | undefined): boolean {
  return current !== undefined && isSameToken(token, current);
}

/** An answer that was lost on its way makes the holder ask again: the same commit stays one commit. */
export function isRepeatedCommit(task: TaskRecord, command: TaskCommand): boolean {
  return (
    command.type === "task-complete" &&
    isCurrent(command.token, task.finishedBy) &&
    task.result?.decision.cid === command.result.decision.cid
  );
}

function alive(task: TaskRecord, context: CommandContext): Partial<TaskRecord> {
  return task.lease === undefined ? {} : { lease: { ...task.lease, renewal: context.index } };
}
