import { canonicalText } from "../canonical-of.ts";
import type { Effect, Effector, EffectRecord, Receipt } from "../contract-effects.ts";
import type { Redactor, TaskRecord } from "../contract-ports.ts";

/** The effector of a kind, where this peer has it. */
export function effectorFor(effectors: readonly Effector[] | undefined, kind: string): Effector | undefined {
  return effectors?.find((effector) => effector.kind === kind);
}

/** What an effector is told of an effect. */
export function effectOf({ id, spec }: Pick<TaskRecord, "id" | "spec">, record: EffectRecord): Effect {
  const { key, slot, ordinal, kind, target, digest, earlier, at } = record;
  const options = spec.effects?.find((declared) => declared.slot === slot)?.options;
  return {
    key,
    taskId: id,
    slot,
    ordinal,
    kind,
    target,
    digest,
    earlier,
    at,
    ...(options === undefined ? {} : { options }),
  };
}

/** Neither done nor given up: it may happen, or have happened. */
export function isOpen({ state }: EffectRecord): boolean {
  return state === "permitted" || state === "awaiting-approval";
}

const MAX_DETAILS = 8;

/** A receipt as the ledger takes it: without secrets, and short. */
export function cleanReceipt(receipt: Receipt, redactor: Redactor): Receipt {
  const { reference, detail = {} } = redactor.redactValue(receipt).value;
  const entries = Object.entries(detail).slice(0, MAX_DETAILS);
  const short = entries.map(([name, text]) => [canonicalText(name, 64), canonicalText(text, 256)] as const);
  return {
    reference: canonicalText(reference, 1024),
    ...(short.length === 0 ? {} : { detail: Object.fromEntries(short) }),
  };
}

/** What an error says, fit for the ledger. */
export function cleanReason(error: unknown, redactor: Redactor): string {
  const text = error instanceof Error ? error.message : String(error);
  return canonicalText(redactor.redactValue(text).value, 512);
}
