import type { Task } from "../tasks/machine.ts";
import type { Judge } from "./promises.ts";

/** Kinds of targets outside, by what they do about a second time. */
export const KINDS = [
  /** Moves a branch only from where it was expected; its history can be read. */
  "git-push",
  /** Does the same key once, and cannot be read. */
  "http",
  /** A name is taken once; it can be read. */
  "file-delivery",
  /** Does what it is told, each time, and cannot be read. */
  "mail",
] as const;

export type Kind = (typeof KINDS)[number];

/** What a peer asks a target. */
export type Asked =
  | { readonly op: "look"; readonly kind: Kind; readonly key: string }
  | {
      readonly op: "act";
      readonly kind: Kind;
      readonly key: string;
      /** Where the branch was seen; only `git-push` looks at it. */
      readonly expected: number;
      /** Which effect it truly is, whatever key was made for it: for the onlooker. */
      readonly effect: string;
    };

/** Its answer. */
export type Told = {
  /** It happened, now or before. */
  readonly isDone: boolean;
  /** Where the branch stands. */
  readonly tip: number;
};

/** The world outside as it truly is, and what was done to it. It keeps what it has answered. */
export class TargetBook {
  readonly #judge: Judge;
  readonly #keys = new Map<string, Set<string>>();
  /** By what the effect truly is. */
  readonly #times = new Map<string, number>();
  /** A person said that it shall be done again. */
  readonly #repeats = new Map<string, number>();
  readonly #calls = new Set<string>();
  readonly #branch: string[] = [];

  constructor(judge: Judge) {
    this.#judge = judge;
  }

  /** @returns undefined for what has arrived before */
  call(call: string, asked: Asked): Told | undefined {
    if (this.#calls.has(call)) return undefined;
    this.#calls.add(call);
    const { kind, key } = asked;
    if (asked.op === "act" && this.#takes(asked)) this.#do(asked.effect, kind, key);
    return { isDone: kind !== "mail" ? this.#has(kind, key) : asked.op === "act", tip: this.#branch.length };
  }

  /** How often it was done. */
  times(effect: string): number {
    return this.#times.get(effect) ?? 0;
  }

  repeats(effect: string): void {
    this.#repeats.set(effect, (this.#repeats.get(effect) ?? 0) + 1);
  }

  /** The ledger says that it was done. */
  receipt(effect: string): void {
    if (this.times(effect) === 0)
      this.#judge.break("a receipt is a fact", `${effect} has a receipt and never was`);
  }

  /** A completed task has had each of its effects, as the ledger says. */
  end(): void {
    for (const task of this.#judge.history.tasks.values())
      for (const { slot, ordinal, state } of task.state === "completed" ? (task.effects ?? []) : []) {
        const effect = nameOf(task.id, slot, ordinal);
        if (state === "done") this.receipt(effect);
      }
    for (const task of this.#judge.history.tasks.values()) this.#checkSlots(task);
  }

  #checkSlots({ id, state, spec, effects = [] }: Task): void {
    if (state !== "completed") return;
    const missing = spec.effects?.find(({ slot }) => !effects.some((effect) => effect.slot === slot));
    if (missing !== undefined)
      this.#judge.break(
        "one effect per key",
        `${id.slice(0, 6)} is completed without its effect ${missing.slot}`,
      );
  }

  #takes({ kind, key, expected }: Asked & { op: "act" }): boolean {
    if (kind === "mail") return true;
    if (kind === "git-push") return expected === this.#branch.length;
    return !this.#has(kind, key);
  }

  #do(effect: string, kind: Kind, key: string): void {
    const done = this.times(effect) + 1;
    this.#times.set(effect, done);
    const keys = this.#keys.get(kind) ?? new Set();
    this.#keys.set(kind, keys.add(key));
    if (kind === "git-push") this.#branch.push(key);
    if (done > 1 + (this.#repeats.get(effect) ?? 0))
      this.#judge.break("one effect per key", `${effect} was done ${done} times at ${kind}`);
  }

  #has(kind: Kind, key: string): boolean {
    return this.#keys.get(kind)?.has(key) === true;
  }
}

/** What an effect truly is. */
export function nameOf(task: string, slot: string, ordinal: number): string {
  return `${task.slice(0, 8)} ${slot} ${ordinal}`;
}
