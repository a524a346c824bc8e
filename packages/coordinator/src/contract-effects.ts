import type { Branded, Clean, PeerId } from "@chorus/kernel";
import type { Token } from "./contract-token.ts";

/** Names one effect for ever: base32 of SHA-256("chorus-effect" ‖ 0 ‖ taskId ‖ 0 ‖ slot ‖ 0 ‖ ordinal). */
export type EffectKey = Branded<"EffectKey">;

/** One declared way out of the sandbox: what is not declared here cannot happen, whatever a model says. */
export interface EffectSpec {
  /** Unique in the task; a UCXL name. */
  readonly slot: string;
  /** Which effector acts, for example `git-push`, `http`, `ucxl-publish`, `file-delivery`. */
  readonly kind: string;
  /** Exact, or a pattern with `*`, which the intent's target has to match. */
  readonly target: string;
  /** How often it may happen; 1 to 16. @default 1 */
  readonly times?: number;
  /** The artifact whose bytes are handed over. */
  readonly payload: string;
  /** Read by the effector; at most 16. */
  readonly options?: Readonly<Record<string, string>>;
  /** `human`: each intent waits for a person's word. @default "none" */
  readonly approval?: "none" | "human";
}

/**
 * `awaiting-approval` a person has to agree first; `permitted` it may be under way; `done` it has a receipt;
 * `uncertain` nobody can tell, a person decides; `void` it did not happen and will not.
 */
export type EffectState = "awaiting-approval" | "permitted" | "done" | "uncertain" | "void";

/** What the target says was done. */
export interface Receipt {
  /** A commit id, a status, an address …; at most 1024 characters. */
  readonly reference: string;
  /** At most 8, each at most 256 characters. */
  readonly detail?: Readonly<Record<string, string>>;
}

/** One effect in the ledger's state. */
export interface EffectRecord {
  readonly key: EffectKey;
  readonly slot: string;
  /** From 0, below the slot's `times`. */
  readonly ordinal: number;
  readonly kind: string;
  readonly target: string;
  /** SHA-256 of the payload, lower-case hex. */
  readonly digest: string;
  /** Digests that earlier permits of this key were given for. */
  readonly earlier: readonly string[];
  /** `ts` of the first intent: the same at every peer. */
  readonly at: number;
  readonly state: EffectState;
  /** A former lease had a permit of which nobody knows what came: look before acting. */
  readonly tried?: true;
  /** The digest that a person agreed to send. */
  readonly approved?: string;
  /** The lease under which it was permitted last. */
  readonly token: Token;
  /** The peer that holds the permit. */
  readonly by: PeerId;
  readonly receipt?: Receipt;
  /** Why it is uncertain or void. */
  readonly reason?: string;
}

/** One permitted effect, as an effector sees it. */
export interface Effect {
  readonly key: EffectKey;
  readonly taskId: string;
  readonly slot: string;
  readonly ordinal: number;
  readonly kind: string;
  readonly target: string;
  readonly digest: string;
  readonly earlier: readonly string[];
  readonly at: number;
  readonly options?: Readonly<Record<string, string>>;
}

/**
 * Whether an effect happened. `absent` may be said only where acting later is safe even if a frozen predecessor wakes
 * up and acts too; `repeatable` cannot be read, but acting again with the same key is one effect.
 */
export type Resolution =
  | { readonly status: "done"; readonly receipt: Receipt }
  | { readonly status: "absent" }
  | { readonly status: "repeatable" }
  | { readonly status: "unknown"; readonly reason: string };

/** Acts outside with the agent's own credentials. `@chorus/effects` has some. */
export interface Effector {
  readonly kind: string;
  /** Throws what is wrong with an effect before anything is ordered. */
  check?(effect: Effect): void;
  resolve(effect: Effect, options: { readonly signal: AbortSignal }): Promise<Resolution>;
  /** After a throw it may have happened, unless the error has `notDone: true`: then the target did nothing. */
  act(
    effect: Effect,
    payload: Clean<Uint8Array>,
    options: { readonly signal: AbortSignal },
  ): Promise<Receipt>;
}
