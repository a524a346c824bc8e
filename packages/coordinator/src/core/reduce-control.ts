import type { TaskCommand } from "../command.ts";
import type { Boundary, TaskRecord } from "../contract-ports.ts";
import type { Reason } from "../contract-task.ts";
import { joinOf } from "./dependencies.ts";
import { lease } from "./reduce-lease.ts";
import {
  accept,
  answering,
  type CommandContext,
  happen,
  isSameToken,
  type Neighbours,
  type Reduced,
  refuse,
  withoutLease,
} from "./reduced.ts";
import { transitions } from "./transitions.ts";

type Of<Type extends TaskCommand["type"]> = Extract<TaskCommand, { readonly type: Type }>;

/** What people may say of a task whoever holds it. */
export type ControlCommand = Of<
  "task-pause" | "task-resume" | "task-steer" | "task-takeover" | "task-cancel" | "task-overdue"
>;

const CONTROLS: ReadonlySet<string> = new Set([
  "task-pause",
  "task-resume",
  "task-steer",
  "task-takeover",
  "task-cancel",
  "task-overdue",
] satisfies ControlCommand["type"][]);

/** Words that are kept for whoever works on the task. */
const MAX_STEERING = 16;

export function isControl(command: TaskCommand): command is ControlCommand {
  return CONTROLS.has(command.type);
}

/** Carries a control out; one that was carried out before is told so again. */
export function control(
  task: TaskRecord,
  command: ControlCommand,
  context: CommandContext & { readonly neighbours: Neighbours },
): Reduced {
  if (isRepeated(task, command, context)) return accept(task);
  if (!(command.type in transitions[task.state])) return refuse(task, "not-possible");
  switch (command.type) {
    case "task-pause":
      return pause(task, command, context);
    case "task-resume":
      return resume(task, context);
    case "task-steer":
      return steer(task, command, context);
    case "task-takeover":
      return takeOver(task, command, context);
    case "task-cancel":
      return cancel(task, command, context);
    case "task-overdue":
      return overdue(task, context);
  }
}

/** The answer may have been lost on its way. */
function isRepeated(task: TaskRecord, command: ControlCommand, { from }: CommandContext): boolean {
  if (command.type === "task-pause") return task.state === "paused";
  if (command.type === "task-steer") return task.steering?.some(({ id }) => id === command.id) === true;
  if (command.type !== "task-takeover" || task.lease?.manual !== true) return false;
  return task.lease.holder === from && task.lease.session === command.session;
}

function pause(task: TaskRecord, command: Of<"task-pause">, context: CommandContext): Reduced {
  const reason: Reason = { code: "coordinator/paused", message: command.reason };
  const event = { type: "task-paused", reason } as const;
  const paused = happen(task, context, { state: "paused", pausedFrom: task.state, reason, event });
  return answering(paused, { boundary: boundaryOf(task) });
}

/** Nobody may begin before what the task depends on, not by way of a pause either. */
function takeOver(task: TaskRecord, command: Of<"task-takeover">, context: CommandContext): Reduced {
  if (task.pausedFrom === "blocked") return refuse(task, "not-possible");
  const taken = lease(task, context, { ...command, event: "task-taken-over" });
  return answering(taken, { boundary: "at-once" });
}

/** Where the run is when nothing new may begin. */
function boundaryOf({ lease: held, effects = [] }: TaskRecord): Boundary {
  if (held === undefined) return "queued";
  const isActing = effects.some(({ token }) => isSameToken(token, held.token));
  return isActing ? "before-effect" : "between-commands";
}

function resume(task: TaskRecord, context: CommandContext & { readonly neighbours: Neighbours }): Reduced {
  const { state, lease: held, pausedFrom = "ready", reason: _, pausedFrom: __, ...rest } = task;
  const event = { type: "task-resumed" } as const;
  const boundary = { boundary: "at-once" } as const;
  if (state !== "paused")
    return isAnswerable(task)
      ? answering(happen({ ...rest, state }, context, { state: "ready", event }), boundary)
      : refuse(task, "not-possible");
  if (held !== undefined)
    return answering(
      happen({ ...rest, state, lease: held }, context, { state: pausedFrom, event }),
      boundary,
    );
  return answering(requeue({ ...rest, state }, context), boundary);
}

/** While it was paused its dependencies went on. */
function requeue(task: TaskRecord, context: CommandContext & { readonly neighbours: Neighbours }): Reduced {
  const resumed = happen(task, context, { state: "ready", event: { type: "task-resumed" } });
  if (task.attempt > 0) return resumed;
  const join = joinOf(task.spec, context.neighbours.stateOf);
  if (join.status === "holds") return resumed;
  if (join.status === "open")
    return happen(task, context, { state: "blocked", event: { type: "task-resumed" } });
  const { reason } = join;
  const rejected = happen(resumed.task, context, {
    state: "rejected",
    reason,
    event: { type: "task-rejected", reason },
  });
  return { ...rejected, events: [...resumed.events, ...rejected.events] };
}

/** A question is answered by a word; what only a decision on an effect can settle is not. */
function isAnswerable({ state, lease: held, effects = [] }: TaskRecord): boolean {
  if (state !== "input-required" && state !== "auth-required") return false;
  return held === undefined && effects.every((effect) => effect.state !== "uncertain");
}

function steer(task: TaskRecord, command: Of<"task-steer">, context: CommandContext): Reduced {
  const { id, text } = command;
  const { steering = [] } = task;
  if (steering.length >= MAX_STEERING) return refuse(task, "too-many");
  const boundary = task.lease === undefined ? "queued" : "between-commands";
  const steered = happen(task, context, {
    state: isAnswerable(task) ? "ready" : task.state,
    steering: [...steering, { id, text, by: context.from }],
    event: { type: "task-steered", text },
  });
  return answering(steered, { boundary });
}

function cancel(task: TaskRecord, command: Of<"task-cancel">, context: CommandContext): Reduced {
  const reason = { code: "coordinator/canceled", message: command.reason };
  const event = { type: "task-canceled", reason } as const;
  const canceled = happen(withoutLease(task), context, { state: "canceled", reason, event });
  return answering(canceled, { boundary: endBoundaryOf(task) });
}

/** What was permitted may already have happened, whatever ends now. */
function endBoundaryOf({ lease: held, effects = [] }: TaskRecord): Boundary {
  if (effects.some(({ state }) => state === "permitted")) return "after-effect";
  return held === undefined ? "queued" : "at-once";
}

function overdue(task: TaskRecord, context: CommandContext): Reduced {
  const { deadline } = task.spec;
  if (deadline === undefined || context.ts < deadline) return refuse(task, "not-due");
  const reason = { code: "coordinator/overdue", message: "its deadline has passed" };
  const event = { type: "task-expired", reason } as const;
  return happen(withoutLease(task), context, { state: "expired", reason, event });
}
