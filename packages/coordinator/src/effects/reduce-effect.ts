import type { EffectRecord, EffectSpec } from "../contract-effects.ts";
import type { Refusal, TaskRecord } from "../contract-ports.ts";
import {
  accept,
  answering,
  type CommandContext,
  happen,
  isSameToken,
  type Reduced,
  refuse,
} from "../core/reduced.ts";
import { isTerminal } from "../core/transitions.ts";
import type { EffectCommand } from "./effect-commands.ts";
import { effectKeyOf } from "./effect-key.ts";

type Of<Type extends EffectCommand["type"]> = Extract<EffectCommand, { readonly type: Type }>;

/**
 * What a command about an effect makes of its task. The table has been asked whether the task's state has such a step;
 * whose word counts is said here.
 */
export function reduceEffect(task: TaskRecord, command: EffectCommand, context: CommandContext): Reduced {
  if (command.type === "effect-intent") return intent(task, command, context);
  const effect = task.effects?.find(({ key }) => key === command.key);
  if (effect === undefined) return refuse(task, "not-declared");
  switch (command.type) {
    case "effect-receipt":
      return receipt(task, effect, { command, context });
    case "effect-uncertain":
      return uncertain(task, effect, { command, context });
    case "effect-void":
      return voided(task, effect, { command, context });
    case "effect-decide":
      return decide(task, effect, { command, context });
  }
}

interface Step<Type extends EffectCommand["type"]> {
  readonly command: Of<Type>;
  readonly context: CommandContext;
}

/** The ordered answer to an intent is the permit. */
function intent(task: TaskRecord, command: Of<"effect-intent">, context: CommandContext): Reduced {
  const declared = task.spec.effects?.find(({ slot }) => slot === command.slot);
  const refusal = refusalOf(task, command, { context, declared });
  if (declared === undefined || refusal !== undefined) return refuse(task, refusal ?? "not-declared");
  const key = effectKeyOf(task.id, command.slot, command.ordinal);
  const known = task.effects?.find((effect) => effect.key === key);
  if (known !== undefined && isAnswered(known, command.token))
    return answering(accept(task), { effect: known });
  const waits = declared.approval === "human" && known?.state !== "permitted";
  const effect = permitOf({ ...command, key, kind: declared.kind }, known, context);
  if (waits) {
    const awaiting = { ...effect, state: "awaiting-approval" } as const;
    return changed(task, awaiting, { context, state: "input-required", type: "effect-intended" });
  }
  const permitted = changed(task, effect, { context, state: task.state, type: "effect-permitted" });
  return known === undefined ? permitted : answering(permitted, { resolveFirst: true });
}

/** What is settled stays so, whatever the new payload is, and what this lease has asked before is no news. */
function isAnswered({ state, token }: EffectRecord, current: EffectRecord["token"]): boolean {
  return (state !== "permitted" && state !== "awaiting-approval") || isSameToken(token, current);
}

function permitOf(
  intended: Pick<EffectRecord, "key" | "kind" | "slot" | "ordinal" | "target" | "digest" | "token">,
  known: EffectRecord | undefined,
  context: CommandContext,
): EffectRecord {
  const { key, kind, slot, ordinal, target, digest, token } = intended;
  const earlier = known === undefined ? [] : [...new Set([...known.earlier, known.digest])];
  const at = known?.at ?? context.ts;
  return {
    key,
    slot,
    ordinal,
    kind,
    target,
    digest,
    earlier,
    at,
    state: "permitted",
    token,
    by: context.from,
  };
}

function refusalOf(
  { lease }: TaskRecord,
  { token, ordinal, target }: Of<"effect-intent">,
  { context, declared }: { readonly context: CommandContext; readonly declared: EffectSpec | undefined },
): Refusal | undefined {
  if (lease === undefined || !isSameToken(lease.token, token) || lease.holder !== context.from)
    return "fenced";
  if (declared === undefined || ordinal >= (declared.times ?? 1)) return "not-declared";
  return matches(declared.target, target) ? undefined : "not-declared";
}

/** `*` stands for any text; nothing else is special. */
function matches(pattern: string, target: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return pattern === target;
  const last = rest.pop() ?? "";
  if (!target.startsWith(first) || target.length < first.length + last.length || !target.endsWith(last))
    return false;
  let at = first.length;
  for (const part of rest) {
    const found = target.indexOf(part, at);
    if (found < 0 || found + part.length > target.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}

/** A fact, from the peer that holds the permit, also when its lease is gone; after the end whoever found it out. */
function receipt(
  task: TaskRecord,
  effect: EffectRecord,
  { command, context }: Step<"effect-receipt">,
): Reduced {
  if (effect.state === "done") return answering(accept(task), { effect });
  if (effect.state === "void" || effect.state === "awaiting-approval") return refuse(task, "effect-settled");
  if (!isTerminal(task.state) && (!isSameToken(effect.token, command.token) || effect.by !== context.from))
    return refuse(task, "fenced");
  const { reason: _, ...rest } = effect;
  const done: EffectRecord = { ...rest, state: "done", receipt: command.receipt };
  return changed(task, done, { context, state: settledState(task, done), type: "effect-done" });
}

function uncertain(
  task: TaskRecord,
  effect: EffectRecord,
  { command, context }: Step<"effect-uncertain">,
): Reduced {
  if (effect.state !== "permitted") return answering(accept(task), { effect });
  const ended = isTerminal(task.state);
  const isHolder = isSameToken(effect.token, command.token) && effect.by === context.from;
  const isCurrent = task.lease !== undefined && isSameToken(task.lease.token, command.token);
  if (!ended && !(isHolder && isCurrent)) return refuse(task, "fenced");
  const doubtful: EffectRecord = { ...effect, state: "uncertain", reason: command.reason };
  const { lease: _, pausedFrom: __, ...free } = task;
  const state = ended ? task.state : "input-required";
  return changed(ended ? task : free, doubtful, { context, state, type: "effect-uncertain" });
}

function voided(task: TaskRecord, effect: EffectRecord, { command, context }: Step<"effect-void">): Reduced {
  if (effect.state === "done") return refuse(task, "effect-settled");
  if (effect.state === "void") return answering(accept(task), { effect });
  const gone: EffectRecord = { ...effect, state: "void", reason: command.reason };
  return changed(task, gone, { context, state: task.state, type: "effect-void" });
}

/** A person's word. */
function decide(
  task: TaskRecord,
  effect: EffectRecord,
  { command, context }: Step<"effect-decide">,
): Reduced {
  const { decision, reason } = command;
  if (effect.state !== "uncertain" && effect.state !== "awaiting-approval")
    return refuse(task, "effect-settled");
  const { reason: _, ...rest } = effect;
  const decided: EffectRecord =
    decision === "abandon"
      ? { ...effect, state: "void", reason }
      : decision === "repeat"
        ? { ...rest, state: "permitted" }
        : { ...rest, state: "done", receipt: { reference: reason.slice(0, 1024) } };
  if (isTerminal(task.state)) {
    if (decision === "repeat") return refuse(task, "not-possible");
    return changed(task, decided, { context, state: task.state, type: "effect-decided" });
  }
  const noted = changed(task, decided, {
    context,
    state: settledState(task, decided),
    type: "effect-decided",
  });
  if (decision !== "abandon" || noted.task === undefined) return noted;
  const { lease: __, ...free } = noted.task;
  const why = { code: "coordinator/effect-abandoned", message: reason };
  return happen(free, context, {
    state: "failed",
    reason: why,
    event: { type: "task-failed", attempt: task.attempt, reason: why },
  });
}

/** A task that waited for a word on its effects goes on when none of them waits any more. */
function settledState(task: TaskRecord, changedEffect: EffectRecord): TaskRecord["state"] {
  if (task.state !== "input-required") return task.state;
  const effects = (task.effects ?? []).map((effect) =>
    effect.key === changedEffect.key ? changedEffect : effect,
  );
  const waits = effects.some(({ state }) => state === "uncertain" || state === "awaiting-approval");
  if (waits) return task.state;
  return task.lease === undefined ? "ready" : "working";
}

function changed(
  task: TaskRecord,
  effect: EffectRecord,
  step: {
    readonly context: CommandContext;
    readonly state: TaskRecord["state"];
    readonly type:
      | "effect-intended"
      | "effect-permitted"
      | "effect-done"
      | "effect-uncertain"
      | "effect-void"
      | "effect-decided";
  },
): Reduced & { readonly task: TaskRecord } {
  const { effects = [] } = task;
  const others = effects.filter(({ key }) => key !== effect.key);
  const { state, type, context } = step;
  const reduced = happen(task, context, { state, effects: [...others, effect], event: { type, effect } });
  const { result } = reduced;
  return result.status === "applied" ? { ...reduced, result: { ...result, effect } } : reduced;
}
