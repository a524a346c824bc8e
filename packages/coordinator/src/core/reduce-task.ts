import { isCapable } from "../capability.ts";
import type { TaskCommand } from "../command.ts";
import type { Refusal, TaskRecord } from "../contract-ports.ts";
import type { TaskId, Token } from "../contract-task.ts";
import { reduceEffect } from "../effects/reduce-effect.ts";
import { taskIdOf } from "../task-id.ts";
import { control, isControl } from "./reduce-control.ts";
import { claim, evidence, isRepeatedCommit, underLease } from "./reduce-lease.ts";
import {
  accept,
  type CommandContext,
  isSameToken,
  type Neighbours,
  type Reduced,
  refuse,
} from "./reduced.ts";
import { submit } from "./reduce-submit.ts";
import { transitions } from "./transitions.ts";

/** Progress facts that one attempt may order: the ledger is no log file. */
export const MAX_PROGRESS = 200;

const ALONE: Neighbours = { stateOf: () => undefined, closesCycle: () => false };

type Later = Exclude<TaskCommand, { readonly type: "task-submit" }>;

/**
 * The whole life of a task as one pure function: no clock, no randomness, the same at every peer.
 * @param task the task that the command names, undefined when the ledger has none
 */
export function reduceTask(
  task: TaskRecord | undefined,
  command: TaskCommand,
  context: CommandContext & { readonly neighbours?: Neighbours },
): Reduced {
  const neighbours = context.neighbours ?? ALONE;
  if (command.type === "task-submit") return submit(task, command, { ...context, neighbours });
  if (task === undefined) return refuse(task, "unknown-task");
  if (isRepeatedCommit(task, command)) return accept(task);
  const refusal = refusalOf(task, command, context);
  return refusal === undefined ? carryOut(task, command, { ...context, neighbours }) : refuse(task, refusal);
}

function carryOut(
  task: TaskRecord,
  command: Later,
  context: CommandContext & { readonly neighbours: Neighbours },
): Reduced {
  if (isEffect(command)) return reduceEffect(task, command, context);
  if (isControl(command)) return control(task, command, context);
  if (command.type === "task-claim") return claim(task, command, context);
  if (command.type === "task-evidence") return evidence(task, command, context);
  return underLease(task, command, context);
}

/** All that can stand against a command for a known task. */
function refusalOf(task: TaskRecord, command: Later, context: CommandContext): Refusal | undefined {
  const isPossible = command.type in transitions[task.state];
  // Facts and decisions about effects and evidence are not a lease's: their own rules say whose they are.
  if (isEffect(command) || command.type === "task-evidence")
    return isPossible ? undefined : impossible(task, command);
  if (isControl(command)) return undefined;
  if (!isPossible) return impossible(task, command);
  if ("token" in command) return refusalUnderLease(task, command, context);
  return isCapable(command.capabilities, task.spec) ? undefined : "not-capable";
}

function impossible({ state }: TaskRecord, command: Later): Refusal {
  if (command.type === "effect-intent" && state === "paused") return "paused";
  return "token" in command ? "fenced" : "not-possible";
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

type EffectCommand = Extract<Later, { readonly type: `effect-${string}` }>;

function isEffect(command: TaskCommand): command is EffectCommand {
  return command.type.startsWith("effect-");
}

/** The task that a command is about. */
export function subjectOf(command: TaskCommand): TaskId {
  return command.type === "task-submit" ? taskIdOf(command.principal, command.key) : command.task;
}
