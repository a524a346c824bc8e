import type { TaskCommand } from "../command.ts";
import type { TaskState } from "../contract-task.ts";

/** What moves a task: a command about it, or the end of a task that it depends on. */
export type Cause = TaskCommand["type"] | "join-settled";

type Row = Partial<Record<Cause, readonly TaskState[]>>;

const queued = (state: "blocked" | "ready"): Row => ({
  "task-steer": [state],
  "task-pause": ["paused"],
  "task-cancel": ["canceled"],
  "task-overdue": ["expired"],
  "task-evidence": [state],
  "effect-receipt": [state],
});

const held = (state: "leased" | "working" | "verifying"): Row => ({
  "task-renew": [state],
  "task-complete": ["completed", "failed"],
  "task-fail": ["ready", "dead-letter"],
  "task-expire": ["ready", "dead-letter"],
  "task-hand-back": ["ready"],
  "task-ask": ["input-required", "auth-required"],
  "task-steer": [state],
  "task-pause": ["paused"],
  "task-takeover": ["leased"],
  "task-cancel": ["canceled"],
  "task-overdue": ["expired"],
  "task-evidence": [state],
  "effect-intent": [state, "input-required"],
  "effect-receipt": [state],
  "effect-uncertain": ["input-required"],
  "effect-void": [state],
});

/** Facts about what was done outside, or by fenced attempts, are taken after the end as well. */
const ended = (state: TaskState): Row => ({
  "task-evidence": [state],
  "effect-receipt": [state],
  "effect-uncertain": [state],
  "effect-void": [state],
  "effect-decide": [state],
});

/** The states that a command may lead to; what is not here is refused. DESIGN.md's diagram is this table. */
export const transitions: Readonly<Record<TaskState, Row>> = {
  submitted: { "task-submit": ["ready", "blocked", "rejected"] },
  blocked: { ...queued("blocked"), "join-settled": ["ready", "rejected"] },
  ready: { ...queued("ready"), "task-claim": ["leased"], "task-takeover": ["leased"] },
  leased: { ...held("leased"), "task-progress": ["working", "verifying"] },
  working: { ...held("working"), "task-progress": ["working", "verifying"] },
  verifying: { ...held("verifying"), "task-progress": ["verifying"] },
  paused: {
    "task-renew": ["paused"],
    "task-progress": ["paused"],
    "task-complete": ["completed", "failed"],
    "task-fail": ["paused", "dead-letter"],
    "task-expire": ["paused", "dead-letter"],
    "task-hand-back": ["paused"],
    "task-ask": ["input-required", "auth-required"],
    "task-steer": ["paused"],
    "task-resume": ["blocked", "ready", "leased", "working", "verifying", "rejected"],
    "task-takeover": ["leased"],
    "task-cancel": ["canceled"],
    "task-overdue": ["expired"],
    "task-evidence": ["paused"],
    "effect-receipt": ["paused"],
    "effect-uncertain": ["input-required"],
    "effect-void": ["paused"],
  },
  "input-required": {
    "task-renew": ["input-required"],
    "task-fail": ["ready", "dead-letter"],
    "task-expire": ["ready", "dead-letter"],
    "task-hand-back": ["ready"],
    "task-steer": ["input-required", "ready"],
    "task-resume": ["ready"],
    "task-cancel": ["canceled"],
    "task-overdue": ["expired"],
    "task-evidence": ["input-required"],
    "effect-receipt": ["input-required", "ready"],
    "effect-decide": ["input-required", "ready", "working", "failed"],
  },
  "auth-required": {
    "task-steer": ["ready"],
    "task-resume": ["ready"],
    "task-cancel": ["canceled"],
    "task-overdue": ["expired"],
    "task-evidence": ["auth-required"],
    "effect-receipt": ["auth-required"],
  },
  // Nothing of its effects is open, or success were refused; a frozen peer may still have done what was found void.
  completed: { "task-evidence": ["completed"], "effect-receipt": ["completed"] },
  failed: ended("failed"),
  canceled: ended("canceled"),
  rejected: ended("rejected"),
  expired: ended("expired"),
  "dead-letter": ended("dead-letter"),
};

const TERMINAL: ReadonlySet<TaskState> = new Set([
  "completed",
  "failed",
  "canceled",
  "rejected",
  "expired",
  "dead-letter",
]);

/** True when nobody will work on the task any more; facts about what was done may still come. */
export function isTerminal(state: TaskState): boolean {
  return TERMINAL.has(state);
}
