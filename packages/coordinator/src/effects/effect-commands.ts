import { z } from "zod";
import type { EffectKey, Receipt } from "../contract-effects.ts";
import type { TaskId } from "../contract-id.ts";
import type { Token } from "../contract-token.ts";

/** A person's word on an effect: it happened, it shall be done (again), it shall not. */
export type EffectDecision = "done" | "repeat" | "abandon";

/** What peers ask the ledger to order about effects. */
export type EffectCommand =
  | {
      readonly type: "effect-intent";
      readonly task: TaskId;
      readonly token: Token;
      readonly slot: string;
      readonly ordinal: number;
      readonly target: string;
      readonly digest: string;
    }
  | {
      readonly type: "effect-receipt";
      readonly task: TaskId;
      readonly token: Token;
      readonly key: EffectKey;
      readonly receipt: Receipt;
    }
  | {
      readonly type: "effect-uncertain";
      readonly task: TaskId;
      readonly token: Token;
      readonly key: EffectKey;
      readonly reason: string;
    }
  | { readonly type: "effect-void"; readonly task: TaskId; readonly key: EffectKey; readonly reason: string }
  | {
      readonly type: "effect-decide";
      readonly task: TaskId;
      readonly key: EffectKey;
      readonly decision: EffectDecision;
      readonly reason: string;
    };

const key = z.custom<EffectKey>((value) => typeof value === "string" && /^[a-z2-7]{52}$/.test(value));
const reason = z.string().max(1024);
const receipt = z.strictObject({
  reference: z.string().max(1024),
  detail: z
    .record(z.string().max(64), z.string().max(256))
    .refine((detail) => Object.keys(detail).length <= 8)
    .exactOptional(),
});

/** The shapes of {@link EffectCommand}, over the shapes that all commands share. */
export function effectCommandSchemas(shared: {
  readonly taskId: z.ZodType<TaskId>;
  readonly token: z.ZodType<Token>;
}) {
  const { taskId: task, token } = shared;
  return [
    z.strictObject({
      type: z.literal("effect-intent"),
      task,
      token,
      slot: z.string().max(48),
      ordinal: z.int().min(0).max(15),
      target: z.string().min(1).max(1024),
      digest: z.string().regex(/^[0-9a-f]{64}$/),
    }),
    z.strictObject({ type: z.literal("effect-receipt"), task, token, key, receipt }),
    z.strictObject({ type: z.literal("effect-uncertain"), task, token, key, reason }),
    z.strictObject({ type: z.literal("effect-void"), task, key, reason }),
    z.strictObject({
      type: z.literal("effect-decide"),
      task,
      key,
      decision: z.enum(["done", "repeat", "abandon"]),
      reason,
    }),
  ] as const;
}
