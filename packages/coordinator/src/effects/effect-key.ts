import { createHash } from "node:crypto";
import { base32 } from "../base32.ts";
import type { EffectKey } from "../contract-effects.ts";
import type { TaskId } from "../contract-id.ts";

/** The same key for the same effect of the same task, whoever runs it and whatever a model words differently. */
export function effectKeyOf(task: TaskId, slot: string, ordinal: number): EffectKey {
  const text = ["chorus-effect", task, slot, String(ordinal)].join("\0");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one place that makes effect keys
  return base32(createHash("sha256").update(text).digest()) as EffectKey;
}
