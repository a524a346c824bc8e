import type { EffectRecord } from "./effect-core.ts";
import { nameOf, type Kind, type Told } from "./target-book.ts";
import type { TargetCalls } from "./target-calls.ts";

/** Tries of a push that others overtake. */
const MAX_REBASES = 8;

/** What came of a look, as the package's `Resolution`. */
export type Resolution = "done" | "absent" | "repeatable" | "unknown";

interface Effect {
  readonly kind: Kind;
  readonly key: string;
  readonly task: string;
  readonly record: Pick<EffectRecord, "slot" | "ordinal">;
}

/** The effectors of the package over simulated targets: the same questions in the same order. */
export class Effectors {
  readonly #calls: TargetCalls;

  constructor(calls: TargetCalls) {
    this.#calls = calls;
  }

  /** @param done told undefined when the target cannot be reached */
  resolve({ kind, key }: Effect, done: (resolution: Resolution | undefined) => void): void {
    if (kind === "http") done("repeatable");
    else if (kind === "mail") done("unknown");
    else
      this.#calls.ask({ op: "look", kind, key }, (told) =>
        done(told === undefined ? undefined : told.isDone ? "done" : "absent"),
      );
  }

  /** @param done whether the target says that it was done; it may have been done anyhow */
  act(effect: Effect, done: (isDone: boolean) => void): void {
    const { kind, key } = effect;
    if (kind !== "git-push") this.#act(effect, 0, (told) => done(told?.isDone === true));
    else
      this.#calls.ask({ op: "look", kind, key }, (told) => {
        if (told === undefined) done(false);
        else this.#push(effect, { told, tries: MAX_REBASES }, done);
      });
  }

  /** Moves the branch only from where it was seen; who was overtaken looks at what is there now. */
  #push(
    effect: Effect,
    { told, tries }: { readonly told: Told; readonly tries: number },
    done: (isDone: boolean) => void,
  ): void {
    if (told.isDone) done(true);
    else
      this.#act(effect, told.tip, (next) => {
        if (next === undefined || tries === 0) done(false);
        else this.#push(effect, { told: next, tries: tries - 1 }, done);
      });
  }

  #act({ kind, key, task, record }: Effect, expected: number, done: (told: Told | undefined) => void): void {
    const { slot, ordinal } = record;
    this.#calls.ask({ op: "act", kind, key, expected, effect: nameOf(task, slot, ordinal) }, done);
  }
}
