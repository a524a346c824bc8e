import type { TaskId } from "./contract-id.ts";
import type { EffectSpec } from "./contract-effects.ts";

/** What is asked for. `parseTask` alone makes it; see there for limits. */
export interface TaskSpec {
  /** What should be true when the task is done; 1 to 4096 characters. */
  readonly goal: string;
  /** A UCXL name. @default "default" */
  readonly project: string;
  /** A UCXL name for the task's part of the decision address; without it, the start of the task's id. */
  readonly name?: string;
  /** Run in order; the first failure ends the run unless it is allowed. At most 32. */
  readonly commands?: readonly CommandSpec[];
  /** Run after the commands: the run has succeeded only if these do. At most 16. */
  readonly acceptance?: readonly CommandSpec[];
  /** What the run may read. At most 16. */
  readonly inputs?: readonly InputSpec[];
  readonly requirements?: Requirements;
  /** How often the task may fail to be carried out before it is a dead letter; 1 to 10. @default 3 */
  readonly attempts: number;
  /** Waits between those attempts. */
  readonly backoff?: Backoff;
  /** 9 is claimed first, 0 last; waiting raises it. @default 5 */
  readonly priority?: number;
  /** Tasks that come first; at most 32. They need not be known yet. */
  readonly dependsOn?: readonly TaskId[];
  /** How many of `dependsOn` have to be completed. @default "all" */
  readonly join?: Join;
  /** Milliseconds since the epoch after which nobody wants it any more. */
  readonly deadline?: number;
  /** Files the task means to change, as globs: at most 32. For whoever plans. */
  readonly writeScopes?: readonly string[];
  /** What it may cost. For whoever plans. */
  readonly budget?: Budget;
  /** The only ways in which it may act outside its sandbox; at most 16. */
  readonly effects?: readonly EffectSpec[];
  /** Free words for people and tools, at most 16; they change nothing. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** How many dependencies have to be completed. */
export type Join = "all" | "any" | { readonly atLeast: number };

/** The wait before attempt n + 1 is `firstMs · factor^(n - 1)`, at most `maxMs`, less up to half of it as jitter. */
export interface Backoff {
  /** @default 1000 */
  readonly firstMs?: number;
  /** A whole number: the canonical encoding has no fractions. @default 2 */
  readonly factor?: number;
  /** @default 60000 */
  readonly maxMs?: number;
}

/** What a task may cost at most. */
export interface Budget {
  /** Of all models together. */
  readonly tokens?: number;
  /** In millionths of a US dollar. */
  readonly microdollars?: number;
  /** Of work, over all attempts. */
  readonly seconds?: number;
}

/** One shell command. */
export interface CommandSpec {
  /** For `sh -c`; 1 to 8192 characters. */
  readonly run: string;
  readonly allowFailure?: boolean;
  readonly timeoutMs?: number;
}

/** One input: `source` and `change` have a meaning to the engine, other names are the task's own. */
export interface InputSpec {
  readonly name: string;
  /** `ucxl://<cid>` */
  readonly address: string;
  readonly mediaType: string;
}

/** What a worker must offer. */
export interface Requirements {
  readonly language?: string;
  readonly image?: string;
  /** `container` asks for real isolation; `simulated` is content with less. */
  readonly isolation?: "simulated" | "container";
  readonly memoryBytes?: number;
  /** Whole processors: the canonical encoding has no fractions. */
  readonly cpus?: number;
  readonly timeoutMs?: number;
}
