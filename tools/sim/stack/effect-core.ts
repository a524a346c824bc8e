import { createHash } from "node:crypto";
import type { Task } from "../tasks/machine.ts";
import { type Kind, KINDS } from "./target-book.ts";
import { base32 } from "./task-core.ts";

/** One effect in the ledger's state. */
export type EffectRecord = NonNullable<Task["effects"]>[number];

/** base32(SHA-256("chorus-effect" ‖ 0 ‖ task ‖ 0 ‖ slot ‖ 0 ‖ ordinal)), as the design has it. */
export function effectKeyOf(task: string, slot: string, ordinal: number): string {
  return base32(createHash("sha256").update(["chorus-effect", task, slot, ordinal].join("\0")).digest());
}

/** What a run makes: another attempt makes something else, as models do. */
export function digestOf(task: string, attempt: number): string {
  return createHash("sha256").update(`${task} ${attempt}`).digest("hex");
}

export function kindOf(text: string): Kind {
  return KINDS.find((kind) => kind === text) ?? "mail";
}

export function isSameToken(
  a: { readonly term: number; readonly index: number } | undefined,
  b: { readonly term: number; readonly index: number },
): boolean {
  return a?.term === b.term && a.index === b.index;
}

/** Whether the effect is under this permit now, in a task that is under the lease which got it. */
export function isPermittedNow(task: Task | undefined, { key, token }: EffectRecord): boolean {
  const effect = task?.effects?.find((one) => one.key === key);
  return (
    effect?.state === "permitted" &&
    isSameToken(effect.token, token) &&
    isSameToken(task?.lease?.token, token)
  );
}
