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
  withoutLease,
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
  const effect = permitOf({ ...command, key, kind: declared.kind }, known, context);
  const waits = declared.approval === "human" && effect.approved !== effect.digest;
  const step = waits
    ? changed(task, { ...effect, state: "awaiting-approval" }, { context, ...waiting })
    : changed(task, effect, { context, state: task.state, type: "effect-permitted" });
  return effect.tried === true ? answering(step, { resolveFirst: true }) : step;
}

const waiting = { state: "input-required", type: "effect-intended" } as const;

/**
 * What was done stays so, whatever the new payload is, and what this lease has asked before is no news. What became
 * void while the task lives is free to be asked for again: the target refused it, or a person wants it repeated.
 */
function isAnswered({ state, token }: EffectRecord, current: EffectRecord["token"]): boolean {
  return state === "done" || state === "uncertain" || (state !== "void" && isSameToken(token, current));
}

type Intended = Pick<EffectRecord, "key" | "kind" | "slot" | "ordinal" | "target" | "digest" | "token">;

function permitOf(
  intended: Intended,
  known: EffectRecord | undefined,
  context: CommandContext,
): EffectRecord {
  const { key, kind, slot, ordinal, digest, token } = intended;
  const mayBeDone = known !== undefined && (known.state === "permitted" || known.tried === true);
  // Looking for it elsewhere would not find it, and do it twice.
  const target = mayBeDone ? known.target : intended.target;
  const earlier = known === undefined ? [] : without(digest, [...known.earlier, known.digest]);
  return {
    key,
    slot,
    ordinal,
    kind,
    target,
    digest,
    earlier,
    at: known?.at ?? context.ts,
    state: "permitted",
    token,
    by: context.from,
    ...(mayBeDone ? { tried: true } : {}),
    ...(known?.approved === undefined ? {} : { approved: known.approved }),
  };
}

/** Digests kept of former attempts: a task that is taken over for ever does not grow for ever. */
const MAX_EARLIER = 32;

function without(digest: string, digests: readonly string[]): readonly string[] {
  return [...new Set(digests)].filter((one) => one !== digest).slice(-MAX_EARLIER);
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

/** A fact, from the peer that held the permit, also when its lease is gone; after the end whoever found it out. */
function receipt(
  task: TaskRecord,
  effect: EffectRecord,
  { command, context }: Step<"effect-receipt">,
): Reduced {
  if (effect.state === "done") return answering(accept(task), { effect });
  if (effect.state === "awaiting-approval" && effect.tried !== true) return refuse(task, "effect-settled");
  if (!isTerminal(task.state) && !isHolder(effect, command.token, context)) return refuse(task, "fenced");
  // Also what was taken for void: a frozen peer that wakes up late knows better.
  const { reason: _, ...rest } = effect;
  const done: EffectRecord = { ...rest, state: "done", receipt: command.receipt };
  return changed(task, done, { context, state: settledState(task, done), type: "effect-done" });
}

function isHolder(effect: EffectRecord, token: EffectRecord["token"], { from }: CommandContext): boolean {
  return isSameToken(effect.token, token) && effect.by === from;
}

function isCurrent({ lease }: TaskRecord, { token }: EffectRecord): boolean {
  return lease !== undefined && isSameToken(lease.token, token);
}

function uncertain(
  task: TaskRecord,
  effect: EffectRecord,
  { command, context }: Step<"effect-uncertain">,
): Reduced {
  if (effect.state !== "permitted") return answering(accept(task), { effect });
  const ended = isTerminal(task.state);
  if (!ended && !(isHolder(effect, command.token, context) && isCurrent(task, effect)))
    return refuse(task, "fenced");
  const doubtful: EffectRecord = { ...effect, state: "uncertain", reason: command.reason };
  const state = ended ? task.state : "input-required";
  return changed(ended ? task : withoutLease(task), doubtful, { context, state, type: "effect-uncertain" });
}

/** It did not happen: found out after the end, or told by the target to the holder of the lease. */
function voided(task: TaskRecord, effect: EffectRecord, { command, context }: Step<"effect-void">): Reduced {
  if (effect.state === "done") return refuse(task, "effect-settled");
  if (effect.state === "void") return answering(accept(task), { effect });
  const ended = isTerminal(task.state);
  const isOwn = effect.state === "permitted" && effect.by === context.from && isCurrent(task, effect);
  if (!ended && !isOwn) return refuse(task, "fenced");
  const { tried: _, ...rest } = effect;
  const gone: EffectRecord = { ...rest, state: "void", reason: command.reason };
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
  const ended = isTerminal(task.state);
  if (ended && decision === "repeat") return refuse(task, "not-possible");
  const decided = decidedOf(effect, command);
  const state = ended ? task.state : settledState(task, decided);
  const noted = changed(task, decided, { context, state, type: "effect-decided" });
  if (ended || decision !== "abandon") return noted;
  const why = { code: "coordinator/effect-abandoned", message: reason };
  const event = { type: "task-failed", attempt: task.attempt, reason: why } as const;
  const failed = happen(withoutLease(noted.task), context, { state: "failed", reason: why, event });
  return { ...failed, events: [...noted.events, ...failed.events] };
}

/** To repeat what is uncertain is to ask anew, without a look first; to repeat what waits is to agree to it. */
function decidedOf(effect: EffectRecord, { decision, reason }: Of<"effect-decide">): EffectRecord {
  const { reason: _, tried, ...rest } = effect;
  if (decision === "done") return { ...rest, state: "done", receipt: { reference: reason } };
  if (decision === "abandon") return { ...rest, state: "void", reason };
  const approved = { ...rest, approved: effect.digest };
  if (effect.state === "uncertain") return { ...approved, state: "void", reason };
  return { ...approved, state: "permitted", ...(tried === undefined ? {} : { tried }) };
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
